// Scaled dot-product attention for Eigen tensors and matrices, fused and unfused.
#pragma once

#include "attention_expression.hpp"
#include "plan_attention.hpp"

namespace tensornorm::inline TENSORNORM_ABI {
namespace detail {

template <kernel::attention_path Path, class Q, class K, class V, class... M>
auto make_attention(const char* function, const Q& q, const K& k, const V& v, const M&... modifiers) {
  static_assert(sizeof...(M) <= most_modifiers, "attention takes at most 16 modifiers");
  using scalar = scalar_of<Q>;
  constexpr int rank = any_tensor<Q> ? rank_of<Q> : 2;
  auto plan = plan_attention(function, q, k, v, modifiers...);
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
///           rounding at the end. On a machine with fast products of bfloat16 (AMX, or AVX-512 BF16 of
///           AMD) attention of these takes them, at two to three times the speed of float: sums are float,
///           weights are rounded to bfloat16 before they meet the values, subnormal bfloat16 count as 0.
/// Aliasing  o may be q, if the head sizes are the same. Any other overlap throws. The expression refers to
///           q, k, v and the arguments of modifiers until it is evaluated.
/// Edges     a query that sees nothing is 0, and its LSE -inf. What an absent key or its value holds, NaN or
///           infinite, changes no bit. No queries: nothing is written.
/// Error     2 · (4 + max|score|) · eps(T) · max|o| of the query against float64 where values do not cancel
///           to almost nothing, and one rounding to half or bfloat16; where weights are rounded,
///           2^-8 · Σ weight · |value| more. LSE is that of weights which are not rounded. A query has the
///           same bits whatever else is computed, on any number of threads, and on every instruction set
///           with fused multiply-add; those of bfloat16 are others with each kind of its products.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      2 · queries · keys · (dim + value_dim) flops a head, less where whole tiles are masked. Memory
///           of O(dim + value_dim) for each thread; and a head of keys and values, as float, where they are half
///           or bfloat16 (products of bfloat16 take half of that) or many queries read tokens that do not follow
///           one another. Allocated unless use_workspace() brings it. No matrix of scores.
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
