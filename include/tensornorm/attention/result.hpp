// From weighted sums of values and the state of the softmax to o and LSE.
#pragma once

#include "pack.hpp"
#include "problem.hpp"
#include "weights.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Lets a sink of the head take its part of the softmax, and returns what the weighted sums are to be
/// multiplied with: 0 for a query that has seen nothing.
template <class V, class P>
TENSORNORM_INLINE V close_softmax(const P& p, index head, softmax_sum<V>& sum) {
  using T = typename V::scalar;
  V mine = V::splat(1);
  if (p.sinks) {
    const V sink = V::splat(p.sinks[head] * static_cast<T>(std::numbers::log2e));
    mine = sum.merge_with_factors({{sink, V::splat(1)}}).mine;
  }
  return select(sum.state[1] < V::splat(std::numeric_limits<T>::min()), V::splat(0), mine / sum.state[1]);
}

/// Writes o and LSE of a block of queries, from their sums in lanes. `factor` is room for one number a lane.
template <class Isa, class P, class T>
TENSORNORM_INLINE void write_result(const P& p, const query_block& at, const T* values,
                                    const softmax_lanes<T>& softmax, T* factor, index lanes) {
  using V = native_vec<Isa, T>;
  for (index lane = 0; lane < lanes; lane += V::size) {
    auto sum = softmax.template load<V>(lane);
    close_softmax(p, at.head, sum).store(factor + lane);
    softmax.store(sum, lane);
  }
  const index count = at.last - at.first;
  unpack_lanes<Isa>(values, lanes, factor, head_of(p.o, p.o_strides, at.batch, at.head), at.first, count,
                    p.shape.value_dim);
  if (!p.lse) return;
  const auto lse = head_of(p.lse, p.lse_strides, at.batch, at.head);
  for (index i = 0; i < count; ++i)
    lse.data[(at.first + i) * lse.token_step] = natural_lse(softmax.largest[i], softmax.sum[i]);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
