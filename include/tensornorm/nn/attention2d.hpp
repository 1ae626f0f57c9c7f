// Attention over the positions of an image, with its projections: the block that vision models put between
// convolutions.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <tuple>

#include "../attention/projection.hpp"
#include "../eigen/attention.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

using kernel::attention_path;

/// What an Attention2d is made of. dim_attn, the channels of each of q, k and v, is dim, or dim_out with
/// expand_first; each of `heads` heads has dim_attn / heads of them.
struct attention2d_options {
  Eigen::Index dim = 0;      ///< Channels of x.
  Eigen::Index dim_out = 0;  ///< Channels of y; 0: as x.
  Eigen::Index heads = 32;
  bool bias = true;           ///< Both projections add a bias.
  bool expand_first = false;  ///< Attention has the channels of y, not those of x.
  bool head_first =
      false;  ///< Channels of qkv are heads x (q, k, v) x dim_head, not (q, k, v) x heads x dim_head.
  attention_path path = attention_path::fused;
};

/// Self-attention over the positions of N,C,H,W images:  y = proj(attention(q, k, v)),
/// q, k, v = split(qkv(x)),  where qkv and proj are 1x1 convolutions.
///
/// Shapes    x: N x dim x H x W; y: N x dim_out x H x W. qkv_weight: 3·dim_attn x dim; proj_weight: dim_out x
///           dim_attn; biases one for each row, or empty without bias: the weights of 1x1 convolutions,
///           out x in, as in the checkpoints of model libraries. Tokens are the positions h·W + w, of which
///           masks and biases speak.
/// Units     the scale is dim_head^-1/2, dim_head = dim_attn / heads, on both paths.
/// Types     float, double, half, bfloat16; projections and attention compute in accumulator_t and round
///           their results.
/// Aliasing  none: y is apart from x and from the arguments of modifiers.
/// Edges     no image or no position: nothing is written. Mask rules are those of attention().
/// Error     that of attention() on what the projections give; these are within
///           (2 + min(in, 64) / 4 + in / 128) · eps · Σ|terms|.
/// Throws    std::invalid_argument: heads that do not divide dim_attn, sizes that are not positive; when
///           evaluated, an x or parameters of other sizes.
/// Cost      2 · N · H·W · dim_attn · (3·dim + dim_out) flops and the attention. Memory for q, k, v and o,
///           allocated unless use_workspace() brings it. Column-major images are copied.
template <class Scalar>
class Attention2d {
 public:
  using accumulator = accumulator_t<Scalar>;
  using weight_type = Eigen::Tensor<Scalar, 2, Eigen::RowMajor>;
  using bias_type = Eigen::Tensor<Scalar, 1>;

  weight_type qkv_weight;
  bias_type qkv_bias;
  weight_type proj_weight;
  bias_type proj_bias;

  /// Parameters are uniform in ±1/sqrt(in), the same for the same seed.
  explicit Attention2d(const attention2d_options& options, std::uint64_t seed = 0);

  const attention2d_options& options() const { return options_; }
  Eigen::Index dim_attn() const { return options_.expand_first ? options_.dim_out : options_.dim; }
  Eigen::Index dim_head() const { return dim_attn() / options_.heads; }

  /// The block as an Eigen expression:  y.device(pool) = block(x, score_bias(mask)).  x, the block, and the
  /// arguments of modifiers must live until it is evaluated.
  template <detail::any_tensor X, detail::attention_modifier... M>
  auto operator()(const X& x, const M&... modifiers) const;

  /// The same as a tensor.
  template <detail::any_tensor X, detail::attention_modifier... M>
  auto forward(const X& x, const M&... modifiers) const {
    Eigen::Tensor<Scalar, 4, detail::row_major<X> ? Eigen::RowMajor : Eigen::ColMajor> y =
        (*this)(x, modifiers...);
    return y;
  }

 private:
  attention2d_options options_;
};

namespace detail {

/// One forward pass: what Eigen calls with x, the memory of y, and the device.
template <class Scalar, class... M>
struct attention2d_forward {
  using accumulator = accumulator_t<Scalar>;
  using images = Eigen::Tensor<Scalar, 4, Eigen::RowMajor>;

  const Attention2d<Scalar>& block;
  std::tuple<M...> modifiers;

  template <class X>
  auto dimensions(const X& x) const {
    const auto size = shape_of(x).size;
    using Index = typename X::Index;
    return Eigen::DSizes<Index, 4>(static_cast<Index>(size[0]), static_cast<Index>(block.options().dim_out),
                                   static_cast<Index>(size[2]), static_cast<Index>(size[3]));
  }

  template <class X, class Y, class Device>
  void eval(const X& x, Y& y, const Device& device) const {
    const auto size = shape_of(x).size;
    check(size);
    if constexpr (!row_major<X>) {
      // The axes of a column-major tensor stand in reverse in memory.
      const Eigen::array<int, 4> reverse{3, 2, 1, 0};
      images row_major_x(size[0], size[1], size[2], size[3]);
      row_major_x.device(device) = x.swap_layout().shuffle(reverse);
      images row_major_y(dimensions(x));
      run(row_major_x.data(), row_major_y.data(), size, device);
      y.device(device) = row_major_y.swap_layout().shuffle(reverse);
    } else if constexpr (!plain_tensor<X>) {
      images value(size[0], size[1], size[2], size[3]);
      value.device(device) = x;
      run(value.data(), y.data(), size, device);
    } else {
      const auto stride = shape_of(x).stride;
      sizes<4> y_size = size;
      y_size[1] = block.options().dim_out;
      if (extent_of(x.data(), size, stride).overlaps(extent_of(y.data(), y_size, dense(y_size))))
        fail("Attention2d", "y overlaps x");
      run(x.data(), y.data(), size, device);
    }
  }

 private:
  static sizes<4> dense(const sizes<4>& size) {
    return {size[1] * size[2] * size[3], size[2] * size[3], size[3], 1};
  }

  void check(const sizes<4>& size) const {
    const attention2d_options& o = block.options();
    if (size[1] != o.dim)
      fail("Attention2d", "x has ", size[1], " channels, expected ", o.dim, " (x ", shape_text(size), ")");
    check_sizes("Attention2d", size, sizeof(Scalar));
    check_parameter("qkv_weight", block.qkv_weight, {3 * block.dim_attn(), o.dim});
    check_parameter("proj_weight", block.proj_weight, {o.dim_out, block.dim_attn()});
    check_parameter("qkv_bias", block.qkv_bias, {o.bias ? 3 * block.dim_attn() : 0});
    check_parameter("proj_bias", block.proj_bias, {o.bias ? o.dim_out : 0});
  }
  template <class Parameter>
  static void check_parameter(const char* name, const Parameter& p,
                              const sizes<rank_of<Parameter>>& expected) {
    const auto size = shape_of(p).size;
    if (size != expected)
      fail("Attention2d", name, " has shape ", shape_text(size), ", expected ", shape_text(expected));
  }

  template <class Device>
  void run(const Scalar* x, Scalar* y, const sizes<4>& size, const Device& device) const {
    const index positions = size[2] * size[3];
    if (size[0] * positions == 0) return;
    auto plan = make_plan(size[0], positions);
    const auto chain = std::apply([&](const auto&... m) { return make_chain(plan, m...); }, modifiers);
    std::apply([&](const auto&... m) { (save_to(plan, m), ...); }, modifiers);
    const sizes<4> y_size{size[0], block.options().dim_out, size[2], size[3]};
    plan.check_modifiers(extent_of(y, y_size, dense(y_size)));

    attention_workspace for_this_call;
    attention_workspace& workspace = plan.workspace ? *plan.workspace : for_this_call;
    plan.workspace = &workspace;
    const index channels = block.dim_attn();
    const index image = channels * positions;
    const attention_workspace::lease memory(workspace,
                                            sizeof(Scalar) * static_cast<std::size_t>(4 * size[0] * image));
    Scalar* const qkv = static_cast<Scalar*>(memory.data());
    Scalar* const o = qkv + 3 * size[0] * image;

    project({size[0], block.options().dim, 3 * channels, positions}, x, block.qkv_weight, block.qkv_bias, qkv,
            workspace, device);
    // Channels are heads x (q, k, v) x dim_head, or (q, k, v) x heads x dim_head.
    const bool head_first = block.options().head_first;
    const index head = block.dim_head() * positions;
    const sizes<4> stride{3 * image, head_first ? 3 * head : head, 1, positions};
    plan.k.data = qkv + (head_first ? head : image);
    plan.v.data = qkv + (head_first ? 2 * head : 2 * image);
    plan.k.stride = plan.v.stride = stride;
    const sizes<4> o_stride{image, head, 1, positions};
    if (block.options().path == attention_path::fused)
      attention_call<attention_path::fused, Scalar, decltype(chain)>{plan, chain}.run(qkv, stride, o,
                                                                                      o_stride, device);
    else
      attention_call<attention_path::unfused, Scalar, decltype(chain)>{plan, chain}.run(qkv, stride, o,
                                                                                        o_stride, device);
    project({size[0], channels, block.options().dim_out, positions}, o, block.proj_weight, block.proj_bias, y,
            workspace, device);
  }

  attention_plan<Scalar> make_plan(index batch, index positions) const {
    const index heads = block.options().heads;
    attention_plan<Scalar> plan;
    plan.function = "Attention2d";
    plan.rank = 4;
    plan.q_size = {batch, heads, positions, block.dim_head()};
    plan.k.size = plan.v.size = plan.q_size;
    plan.shape = {batch, heads, heads, positions, positions, block.dim_head(), block.dim_head()};
    return plan;
  }

  template <class Device>
  static void project(kernel::projection_problem<stored_t<Scalar>> p, const Scalar* x,
                      const Eigen::Tensor<Scalar, 2, Eigen::RowMajor>& weight,
                      const Eigen::Tensor<Scalar, 1>& bias, Scalar* y, attention_workspace& workspace,
                      const Device& device) {
    // 16-bit parameters are widened.
    constexpr bool widens = !std::is_same_v<Scalar, accumulator>;
    const auto bytes = [](index count) { return sizeof(accumulator) * static_cast<std::size_t>(count); };
    const attention_workspace::lease wide(workspace, widens ? bytes(weight.size() + bias.size()) : 0);
    if constexpr (widens) {
      accumulator* const w = static_cast<accumulator*>(wide.data());
      for (index i = 0; i < weight.size(); ++i) w[i] = static_cast<accumulator>(weight.data()[i]);
      for (index i = 0; i < bias.size(); ++i) w[weight.size() + i] = static_cast<accumulator>(bias.data()[i]);
      p.weight = w;
      p.bias = bias.size() ? w + weight.size() : nullptr;
    } else {
      p.weight = weight.data();
      p.bias = bias.size() ? bias.data() : nullptr;
    }
    p.x = stored_pointer(x);
    p.y = stored_pointer(y);
    const index units = kernel::projection_units(p);
    const double flops =
        2.0 * double(p.in) * double(p.out) * double(p.positions) * double(p.batch) / double(units);
    run_units(
        units, Eigen::TensorOpCost(0, 0, flops, true, 16), device,
        [&](index first, index last) {
          const index lanes = kernel::query_lanes_at<accumulator>(kernel::active_isa());
          const attention_workspace::lease own(workspace, bytes(p.memory(lanes)));
          kernel::project(p, first, last, static_cast<accumulator*>(own.data()));
        },
        [](index block_size) { return block_size; });
  }
};

/// Uniform in ±1/sqrt(in); the same numbers everywhere.
template <class Scalar, int Rank, int Layout>
void fill_uniform(Eigen::Tensor<Scalar, Rank, Layout>& tensor, index in, std::mt19937_64& random) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  for (index i = 0; i < tensor.size(); ++i)
    tensor.data()[i] = static_cast<Scalar>(
        static_cast<accumulator_t<Scalar>>((static_cast<double>(random() >> 11) * 0x1p-52 - 1) * bound));
}

}  // namespace detail

template <class Scalar>
Attention2d<Scalar>::Attention2d(const attention2d_options& options, std::uint64_t seed) : options_(options) {
  static_assert(detail::supported_scalar<Scalar>,
                "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: choose one of these");
  if (options_.dim_out == 0) options_.dim_out = options_.dim;
  const auto positive = [](const char* name, Eigen::Index value) {
    if (value <= 0) detail::fail("Attention2d", name, " is ", value, ", expected at least 1");
  };
  positive("dim", options_.dim);
  positive("dim_out", options_.dim_out);
  positive("heads", options_.heads);
  if (dim_attn() % options_.heads != 0)
    detail::fail("Attention2d", "heads is ", options_.heads, ", expected a divisor of the ", dim_attn(),
                 " channels of ", options_.expand_first ? "dim_out" : "dim");
  std::mt19937_64 random(seed);
  qkv_weight.resize(3 * dim_attn(), options_.dim);
  proj_weight.resize(options_.dim_out, dim_attn());
  qkv_bias.resize(options_.bias ? 3 * dim_attn() : 0);
  proj_bias.resize(options_.bias ? options_.dim_out : 0);
  detail::fill_uniform(qkv_weight, options_.dim, random);
  detail::fill_uniform(qkv_bias, options_.dim, random);
  detail::fill_uniform(proj_weight, dim_attn(), random);
  detail::fill_uniform(proj_bias, dim_attn(), random);
}

template <class Scalar>
template <detail::any_tensor X, detail::attention_modifier... M>
auto Attention2d<Scalar>::operator()(const X& x, const M&... modifiers) const {
  static_assert(std::is_same_v<detail::scalar_of<X>, Scalar>,
                "x must have the scalar type of the block: cast it");
  static_assert(detail::rank_of<X> == 4, "Attention2d takes images of N,C,H,W: reshape x");
  static_assert(sizeof...(M) <= detail::most_modifiers, "Attention2d takes at most 16 modifiers");
  static_assert(!detail::says<tokens_first_t, M...>, "the order of heads and tokens is Attention2d's own");
  return x.customOp(detail::attention2d_forward<Scalar, M...>{*this, {modifiers...}});
}

}  // namespace tensornorm::inline TENSORNORM_ABI
