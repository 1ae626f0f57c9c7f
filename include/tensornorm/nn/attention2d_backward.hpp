// The backward pass of attention over images.
#pragma once

#include <tuple>

#include "../eigen/attention_backward.hpp"
#include "attention_words.hpp"
#include "linear.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

template <class Scalar>
class Attention2d;

namespace detail {

/// One backward pass. Images become tokens, channels last, and their projections linear layers; q, k and v
/// come apart.
template <class Scalar>
struct attention2d_backward {
  using accumulator = accumulator_t<Scalar>;
  using tokens_type = Eigen::Tensor<Scalar, 4, Eigen::RowMajor>;  // batch x positions x heads x dim_head
  using layer_type = linear_layer<Scalar, Scalar>;

  Attention2d<Scalar>& block;

  explicit attention2d_backward(Attention2d<Scalar>& of) : block(of) {}

  template <class DY, class X, class... Words>
  auto run(const DY& dy, const X& x, const Words&... words) {
    static_assert(std::is_same_v<scalar_of<X>, Scalar> && std::is_same_v<scalar_of<DY>, Scalar>,
                  "x and dy must have the scalar type of the block: cast them");
    static_assert(rank_of<X> == 4 && rank_of<DY> == 4, "Attention2d takes images of N,C,H,W: reshape x");
    static_assert(!(... || (is<Words, grad_q_t> || is<Words, grad_k_t> || is<Words, grad_v_t>)),
                  "backward() of a block returns the gradient of x; q, k and v are its own");
    static_assert(!(... || (is<Words, save_lse_t> || std::is_same_v<Words, tokens_first_t>)),
                  "LSE and the order of heads and tokens are Attention2d's own");
    const auto& device = device_of(words...);
    const auto size = shape_of(x).size;
    check("x", size, {size[0], block.options().dim, size[2], size[3]});
    check("dy", shape_of(dy).size, {size[0], block.options().dim_out, size[2], size[3]});
    block.check_parameters();
    workspace* const given = workspace_of(words...);
    workspace& memory = given ? *given : own_memory_;
    const index positions = size[2] * size[3];
    const tokens_type x_tokens = tokens_of(x, device), dy_tokens = tokens_of(dy, device);

    layer_type q = part_of_qkv(0), k = part_of_qkv(1), v = part_of_qkv(2), out = projection();
    const index tokens = size[0] * positions;
    tokens_type queries = heads(size[0], positions), keys = queries, values = queries, o = queries;
    q.forward({x_tokens.data(), tokens, q.in()}, queries.data(), memory, device);
    k.forward({x_tokens.data(), tokens, k.in()}, keys.data(), memory, device);
    v.forward({x_tokens.data(), tokens, v.in()}, values.data(), memory, device);
    tokens_type dresult(o.dimensions()), dq(o.dimensions()), dk(o.dimensions()), dv(o.dimensions());
    const token_matrix<const Scalar> of_dy{dy_tokens.data(), tokens, block.options().dim_out};
    const auto differentiate = [&]<kernel::attention_path Path>() {
      Eigen::Tensor<accumulator, 3, Eigen::RowMajor> lse;
      std::apply(
          [&](const auto&... m) {
            o.device(device) = make_attention<Path>("Attention2d", queries, keys, values, m..., tokens_first,
                                                    save_lse(lse), use_workspace(memory));
          },
          modifiers_of(words...));
      out.backward_to_x(of_dy, dresult.data(), false, memory, device);
      make_attention_backward<Path>("Attention2d", dresult, queries, keys, values, o, lse, words...,
                                    tokens_first, grad_q(dq), grad_k(dk), grad_v(dv), use_workspace(memory));
    };
    if (block.options().path == kernel::attention_path::fused)
      differentiate.template operator()<kernel::attention_path::fused>();
    else
      differentiate.template operator()<kernel::attention_path::unfused>();

    out.backward_to_parameters(of_dy, o.data(), memory, device);
    using wide_type = Eigen::Tensor<accumulator, 4, Eigen::RowMajor>;
    wide_type dx(size[0], size[2], size[3], size[1]);
    index n = 0;
    for (const auto& [layer, gradient] : {std::pair{&q, &dq}, {&k, &dk}, {&v, &dv}}) {
      const token_matrix<const Scalar> of_part{gradient->data(), tokens, block.dim_attn()};
      layer->backward_to_parameters(of_part, x_tokens.data(), memory, device);
      layer->backward_to_x(of_part, dx.data(), n > 0, memory, device);
      give_part(n++, *layer);
    }
    give(block.proj_weight_gradient, out.weight_gradient);
    give(block.proj_bias_gradient, out.bias_gradient);
    Eigen::Tensor<Scalar, 4, row_major<X> ? Eigen::RowMajor : Eigen::ColMajor> result(size[0], size[1],
                                                                                      size[2], size[3]);
    const Eigen::array<int, 4> channels_first{0, 3, 1, 2};
    if constexpr (row_major<X>)
      result.device(device) = dx.template cast<Scalar>().shuffle(channels_first);
    else
      result = tokens_type(dx.template cast<Scalar>().shuffle(channels_first))
                   .swap_layout()
                   .shuffle(Eigen::array<int, 4>{3, 2, 1, 0});
    return result;
  }

 private:
  static void check(const char* name, const sizes<4>& size, const sizes<4>& expected) {
    if (size != expected)
      fail("Attention2d", name, " has shape ", shape_text(size), ", expected ", shape_text(expected));
  }
  tokens_type heads(index batch, index positions) const {
    return tokens_type(batch, positions, block.options().heads, block.dim_head());
  }

  /// N,C,H,W as N,H,W,C.
  template <class X, class Device>
  static tokens_type tokens_of(const X& x, const Device& device) {
    const auto size = shape_of(x).size;
    tokens_type tokens(size[0], size[2], size[3], size[1]);
    if constexpr (row_major<X>)
      tokens.device(device) = x.shuffle(Eigen::array<int, 4>{0, 2, 3, 1});
    else
      tokens.device(device) = x.swap_layout().shuffle(Eigen::array<int, 4>{3, 1, 0, 2});
    return tokens;
  }

  /// Where row r of q (part 0), k or v lies among the rows of qkv_weight.
  index row_of(index part, index r) const {
    const index dim = block.dim_head();
    return block.options().head_first ? (r / dim * 3 + part) * dim + r % dim : part * block.dim_attn() + r;
  }
  layer_type part_of_qkv(index part) const {
    layer_type layer;
    layer.resize(block.options().dim, block.dim_attn(), block.options().bias);
    for (index r = 0; r < block.dim_attn(); ++r) {
      for (index c = 0; c < layer.in(); ++c) layer.weight(r, c) = block.qkv_weight(row_of(part, r), c);
      if (layer.bias.size()) layer.bias(r) = block.qkv_bias(row_of(part, r));
    }
    return layer;
  }
  layer_type projection() const {
    layer_type layer;
    layer.resize(block.dim_attn(), block.options().dim_out, block.options().bias);
    layer.weight = block.proj_weight;
    layer.bias = block.proj_bias;
    return layer;
  }
  void give_part(index part, const layer_type& layer) {
    for (index r = 0; r < block.dim_attn(); ++r) {
      for (index c = 0; c < layer.in(); ++c)
        block.qkv_weight_gradient(row_of(part, r), c) += layer.weight_gradient(r, c);
      if (layer.bias.size()) block.qkv_bias_gradient(row_of(part, r)) += layer.bias_gradient(r);
    }
  }
  template <class G>
  static void give(G& to, const G& gradient) {
    to += gradient;
  }

  workspace own_memory_;
};

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
