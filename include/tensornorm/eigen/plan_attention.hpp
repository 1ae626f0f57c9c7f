// From q, k, v and what is said about them to a checked plan.
#pragma once

#include "attention_plan.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

template <class Wanted, class... M>
constexpr bool says = (std::is_same_v<Wanted, M> || ...);

template <class Q, class K, class V, class... M>
constexpr void check_attention_types() {
  using scalar = scalar_of<Q>;
  static_assert(supported_scalar<scalar>,
                "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: cast q, k and v to "
                "one of these");
  static_assert(std::is_same_v<scalar_of<K>, scalar> && std::is_same_v<scalar_of<V>, scalar>,
                "q, k and v must have one scalar type: cast them");
  static_assert(
      (any_tensor<Q> && any_tensor<K> && any_tensor<V>) || (any_matrix<Q> && any_matrix<K> && any_matrix<V>),
      "q, k and v must be three tensors or three matrices: wrap matrices in a TensorMap");
  static_assert(any_matrix<Q> || (rank_of<Q> == rank_of<K> && rank_of<Q> == rank_of<V>),
                "q, k and v must have the same number of axes: reshape them");
  constexpr int rank = any_tensor<Q> ? rank_of<Q> : 2;
  static_assert(rank >= 2 && rank <= 4,
                "attention takes batch x heads x tokens x dim, heads x tokens x dim, or tokens x dim: "
                "reshape q, k and v");
  static_assert(rank > 2 || !says<tokens_first_t, M...>,
                "tokens_first needs an axis for heads: q has two axes");
}

/// Everything but the chain of modifiers.
template <class Q, class K, class V, class... M>
attention_plan<scalar_of<Q>> plan_attention(const char* function, const Q& q, const K& k, const V& v,
                                            const M&...) {
  check_attention_types<Q, K, V, M...>();
  using scalar = scalar_of<Q>;
  attention_plan<scalar> plan;
  plan.function = function;
  plan.rank = any_tensor<Q> ? rank_of<Q> : 2;
  plan.tokens_before_heads = says<tokens_first_t, M...>;
  if constexpr (any_tensor<Q>)
    for (std::size_t axis = 0; axis < 4; ++axis)
      plan.q_size[axis] = axis + rank_of<Q> < 4 ? 1 : shape_of(q).size[axis + rank_of<Q> - 4];
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
  return plan;
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
