// Scaled dot-product attention for Eigen tensors and matrices, fused and unfused.
#pragma once

#include "attention_expression.hpp"

namespace tensornorm::inline TENSORNORM_ABI {
namespace detail {

template <class Wanted, class... M>
constexpr bool says = (std::is_same_v<Wanted, M> || ...);

template <kernel::attention_path Path, class Q, class K, class V, class... M>
auto make_attention(const char* function, const Q& q, const K& k, const V& v, const M&... modifiers) {
  using scalar = scalar_of<Q>;
  static_assert(supported_scalar<scalar>,
                "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: cast q, k and v to "
                "one of these");
  static_assert(std::is_same_v<scalar_of<K>, scalar> && std::is_same_v<scalar_of<V>, scalar>,
                "q, k and v must have one scalar type: cast them");
  static_assert(
      (any_tensor<Q> && any_tensor<K> && any_tensor<V>) || (any_matrix<Q> && any_matrix<K> && any_matrix<V>),
      "q, k and v must be three tensors or three matrices: wrap matrices in a TensorMap");
  constexpr int rank = any_tensor<Q> ? rank_of<Q> : 2;
  static_assert(any_matrix<Q> || (rank_of<Q> == rank_of<K> && rank_of<Q> == rank_of<V>),
                "q, k and v must have the same number of axes: reshape them");
  static_assert(rank >= 2 && rank <= 4,
                "attention takes batch x heads x tokens x dim, heads x tokens x dim, or tokens x dim: "
                "reshape q, k and v");

  static_assert(sizeof...(M) <= most_modifiers, "attention takes at most 16 modifiers");

  attention_plan<scalar> plan;
  plan.function = function;
  plan.rank = rank;
  plan.tokens_before_heads = says<tokens_first_t, M...>;
  static_assert(rank > 2 || !says<tokens_first_t, M...>,
                "tokens_first needs an axis for heads: q has two axes");
  if constexpr (any_tensor<Q>)
    for (std::size_t axis = 0; axis < 4; ++axis)
      plan.q_size[axis] = axis + rank < 4 ? 1 : shape_of(q).size[axis + rank - 4];
  else
    plan.q_size = {1, 1, q.rows(), q.cols()};
  plan.k = read_operand(k);
  plan.v = read_operand(v);
  check_sizes(function, plan.q_size, sizeof(scalar), "q");
  check_sizes(function, plan.k.size, sizeof(scalar), "k");
  check_sizes(function, plan.v.size, sizeof(scalar), "v");
  sizes<4> q_size = plan.q_size;
  if (plan.tokens_before_heads) {
    std::swap(q_size[1], q_size[2]);
    tokens_behind_heads(plan.k);
    tokens_behind_heads(plan.v);
  }
  check_heads(plan, q_size);
  const auto chain = make_chain(plan, modifiers...);
  (save_to(plan, modifiers), ...);

  using Call = attention_call<Path, scalar, std::remove_const_t<decltype(chain)>>;
  Call call{std::move(plan), chain};
  if constexpr (any_tensor<Q>)
    return q.customOp(tensor_attention<Call, rank>{std::move(call)});
  else
    return matrix_attention<Call, Q>(std::move(call), q);
}

}  // namespace detail

/// Attention:  o = softmax(scale · Q·Kᵀ, modified) · V,  scale = dim_head^-1/2, dim_head the head size of q.
///
/// Shapes    q: batch x heads x queries x dim; k: batch x key_heads x keys x dim; v: batch x key_heads x keys
///           x value_dim; o: batch x heads x queries x value_dim. key_heads divides heads, and query head h
///           sees key head h / (heads / key_heads). Three axes are heads x tokens x dim, two (and matrices)
///           tokens x dim; with tokens_first heads and tokens change places in all four.
/// Modifiers any of causal, window, keep_mask, score_bias, softcap, alibi, sinks, key_lengths, save_lse,
///           tokens_first, use_workspace and modifiers of one's own, in any order. They act in this one:
///           scale, softcap, score_bias, alibi, one's own, masks. A key whose score becomes -inf is absent.
/// Units     scores are in nats: LSE is the natural logarithm of Σ e^score.
/// Types     float, double, half, bfloat16, the same for q, k and v. Arithmetic in accumulator_t; one
///           rounding at the end.
/// Aliasing  o may be q, if the head sizes are the same. Any other overlap throws. The expression refers to
///           q, k, v and the arguments of modifiers until it is evaluated.
/// Edges     a query that sees nothing is 0, and its LSE -inf. What an absent key or its value holds, NaN or
///           infinite, changes no bit. No queries: nothing is written.
/// Error     2 · (4 + max|score|) · eps(T) · max|o| of the query against float64 where values do not cancel
///           to almost nothing, and one rounding to half or bfloat16. A query has the same bits whatever
///           else is computed, on any number of threads, and on every instruction set with fused
///           multiply-add.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      2 · queries · keys · (dim + value_dim) flops a head, less where whole tiles are masked. Memory
///           of O(dim + value_dim) for each thread, and for half and bfloat16 a head of keys and values as
///           float; allocated unless use_workspace() brings it. No matrix of scores.
/// Source    Vaswani et al. 2017, arXiv:1706.03762; Dao et al. 2022, arXiv:2205.14135.
template <detail::eigen_argument Q, detail::eigen_argument K, detail::eigen_argument V,
          detail::attention_modifier... M>
auto attention(const Q& q, const K& k, const V& v, const M&... modifiers) {
  return detail::make_attention<kernel::attention_path::fused>("attention", q, k, v, modifiers...);
}

/// The same, step by step: all scores, then their modifiers, their softmax, times the values. Within the same
/// error of the truth as attention(), which is the one to use; this one shows what it computes.
///
/// Cost      as attention(), and memory of queries · keys for each thread.
template <detail::eigen_argument Q, detail::eigen_argument K, detail::eigen_argument V,
          detail::attention_modifier... M>
auto attention_unfused(const Q& q, const K& k, const V& v, const M&... modifiers) {
  return detail::make_attention<kernel::attention_path::unfused>("attention_unfused", q, k, v, modifiers...);
}

}  // namespace tensornorm::inline TENSORNORM_ABI
