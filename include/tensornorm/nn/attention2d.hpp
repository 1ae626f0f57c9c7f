// Attention over the positions of an image, with its projections: the block that vision models put between
// convolutions.
#pragma once

#include <cstdint>
#include <random>

#include "attention2d_backward.hpp"
#include "attention2d_forward.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

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

  weight_type qkv_weight, qkv_weight_gradient;
  bias_type qkv_bias, qkv_bias_gradient;
  weight_type proj_weight, proj_weight_gradient;
  bias_type proj_bias, proj_bias_gradient;

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

  /// The gradient of x for dy, that of y, with the same modifiers. Adds to the gradients of the parameters.
  /// What the forward pass computed is computed again. Words: modifiers of attention, grad_score_bias(db),
  /// grad_sinks(ds), on(device).
  template <detail::any_tensor DY, detail::any_tensor X, detail::attention_backward_word... Words>
  auto backward(const DY& dy, const X& x, const Words&... words) {
    return detail::attention2d_backward<Scalar>(*this).run(dy, x, words...);
  }

  /// Throws std::invalid_argument, naming a parameter or gradient that has another size than options() say.
  void check_parameters() const {
    const auto check = []<class P>(const char* name, const P& value, const P& gradient,
                                   const detail::sizes<detail::rank_of<P>>& expected) {
      for (const auto& [p, kind] : {std::pair{&value, ""}, {&gradient, " gradient"}})
        if (const auto size = detail::shape_of(*p).size; size != expected)
          detail::fail("Attention2d", name, kind, " has shape ", detail::shape_text(size), ", expected ",
                       detail::shape_text(expected));
    };
    check("qkv_weight", qkv_weight, qkv_weight_gradient, {3 * dim_attn(), options_.dim});
    check("proj_weight", proj_weight, proj_weight_gradient, {options_.dim_out, dim_attn()});
    check("qkv_bias", qkv_bias, qkv_bias_gradient, {options_.bias ? 3 * dim_attn() : 0});
    check("proj_bias", proj_bias, proj_bias_gradient, {options_.bias ? options_.dim_out : 0});
  }

  void zero_gradients() {
    qkv_weight_gradient.setZero();
    qkv_bias_gradient.setZero();
    proj_weight_gradient.setZero();
    proj_bias_gradient.setZero();
  }

 private:
  attention2d_options options_;
};

template <class Scalar>
Attention2d<Scalar>::Attention2d(const attention2d_options& options, std::uint64_t seed) : options_(options) {
  static_assert(detail::supported_scalar<Scalar>,
                "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: choose one of these");
  if (options_.dim_out == 0) options_.dim_out = options_.dim;
  const auto positive = [](const char* option, Eigen::Index value) {
    detail::check_at_least("Attention2d", option, value, 1);
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
  qkv_weight_gradient.resize(qkv_weight.dimensions());
  qkv_bias_gradient.resize(qkv_bias.dimensions());
  proj_weight_gradient.resize(proj_weight.dimensions());
  proj_bias_gradient.resize(proj_bias.dimensions());
  zero_gradients();
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
