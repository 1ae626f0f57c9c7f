// The forward pass of attention over images.
#pragma once

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

template <class Scalar>
class Attention2d;

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
    block.check_parameters();
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
    run_attention(block.options().path, plan, chain, qkv, stride, o, o_stride, device);
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

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
