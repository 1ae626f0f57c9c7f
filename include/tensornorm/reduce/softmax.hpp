// The state of a softmax over keys that arrive bit by bit: the largest exponent, and Σ 2^(x − largest).
#pragma once

#include <limits>

#include "../simd/exp.hpp"
#include "reduce.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// x, with 0 in place of -inf: what exponents are taken relative to, so that those of an empty state
/// become 2^-inf and not NaN.
template <class L>
TENSORNORM_INLINE L finite_top(const L& x) {
  using T = typename L::scalar;
  return select(x < L::splat(std::numeric_limits<T>::lowest()), L::splat(0), x);
}

/// (largest, Σ 2^(x − largest)) over exponents of base 2; the empty state is (−inf, 0). A NaN does not
/// become the largest: it turns the sum into NaN.
template <class L>
struct softmax_sum {
  using lanes = L;
  using T = typename L::scalar;
  static constexpr int count = 2;

  L state[2];

  static TENSORNORM_INLINE softmax_sum start(const L&) {
    return {{L::splat(-std::numeric_limits<T>::infinity()), L::splat(0)}};
  }
  TENSORNORM_INLINE L pad() const { return L::splat(-std::numeric_limits<T>::infinity()); }

  /// Makes `largest` at least `top`. Returns what everything summed so far was multiplied with: exactly 1
  /// where nothing changed, 0 where the state was empty.
  TENSORNORM_INLINE L raise(const L& top) {
    const L largest = larger(state[0], top);
    const L factor = exp2(state[0] - finite_top(largest));
    state[0] = largest;
    state[1] = times(state[1], factor);
    return factor;
  }
  TENSORNORM_INLINE void absorb(const L& x) {
    raise(x);
    state[1] = state[1] + exp2(x - finite_top(state[0]));
  }
  TENSORNORM_INLINE void merge(const softmax_sum& other) { merge_with_factors(other); }

  struct factors {
    L mine;
    L others;
  };
  /// merge(), and what weighted sums that go with the two states are to be multiplied with.
  TENSORNORM_INLINE factors merge_with_factors(const softmax_sum& other) {
    const L mine = raise(other.state[0]);
    const L others = exp2(other.state[0] - finite_top(state[0]));
    state[1] = fma(other.state[1], others, state[1]);
    return {mine, others};
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
