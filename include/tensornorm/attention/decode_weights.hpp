// The scores of a few queries become weights.
#pragma once

#include "decode_memory.hpp"
#include "weights.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The largest lane. None is NaN.
template <class L>
TENSORNORM_INLINE vec<typename L::isa, typename L::scalar, 1> largest(const L& v) {
  if constexpr (L::size == 1)
    return v;
  else
    return largest(larger(lower(v), upper(v)));
}

/// Scores of `count` keys, at most a block, become weights, for Rows queries; their states (largest, sum) see
/// them, and `factor` is what sums of values before are to be multiplied with. Queries take turns: one alone
/// would wait for its own results.
template <class V, class T, int Rows>
TENSORNORM_INLINE void weigh(T* const (&score)[Rows], index count, T scale, bool mark,
                             T* const (&state)[Rows], T (&factor)[Rows]) {
  using one = vec<typename V::isa, T, 1>;
  using packet = kernel::packet<typename V::isa, T>;
  constexpr int packets = partial_sums / packet::size;
  V top[Rows], shift[Rows];
  packet part[Rows][static_cast<std::size_t>(packets)];
  const index in_last = count % V::size;
  TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) {
    if (in_last != 0) keep_lanes<V>(score[r] + (count - in_last), V::size, 0, in_last);
    top[r] = V::splat(absent<T>);
  }
  for (index j = 0; j < count; j += V::size) TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) top[r] = larger(top[r], V::load(score[r] + j));
  TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) {
    softmax_sum<one> sum{{one::splat(state[r][0]), one::splat(state[r][1])}};
    factor[r] = sum.raise(times(largest(top[r]), one::splat(scale)))[0];
    shift[r] = V::splat((one::splat(0) - finite_top(sum.state[0]))[0]);
    sum.state[0].store(state[r]);
    sum.state[1].store(state[r] + 1);
    for (packet& sum_of_these : part[r]) sum_of_these = packet::splat(0);
  }
  for (index j = 0; j < count; j += V::size) TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) {
    T* const at = score[r] + j;
    const V s = V::load(at);
    const V weight = exp2(fma(s, V::splat(scale), shift[r]));
    weight.store(at);
    TENSORNORM_UNROLL
    for (int n = 0; n < V::size / packet::size; ++n) {
      packet& sum_of_these = part[r][(j / packet::size + n) % packets];
      sum_of_these = sum_of_these + packet::load(at + n * packet::size);
    }
    if (mark)
      select(s < V::splat(std::numeric_limits<T>::lowest()), V::splat(absent_weight<T>), weight).store(at);
  }
  TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) {
    // (0 + 2) + (1 + 3)
    T partial[partial_sums];
    for (int n = 0; n < packets; ++n) part[r][n].store(partial + n * packet::size);
    state[r][1] =
        (one::splat(state[r][1]) + one::splat((partial[0] + partial[2]) + (partial[1] + partial[3])))[0];
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
