// Reducers for sums, squares and centred moments. L is whatever the lanes are: the 64 lanes of a
// row, or as many columns.
#pragma once

#include "reduce.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// A state of Count sums that merge by addition.
template <class L, int Count>
struct sums {
  using lanes = L;
  static constexpr int count = Count;

  L state[Count];

  TENSORNORM_INLINE void clear() {
    TENSORNORM_UNROLL
    for (int n = 0; n < Count; ++n) state[n] = L::splat(0);
  }
  TENSORNORM_INLINE void merge(const sums& other) {
    TENSORNORM_UNROLL
    for (int n = 0; n < Count; ++n) state[n] = state[n] + other.state[n];
  }
};

/// Σ x. Units of x.
template <class L>
struct sum : sums<L, 1> {
  static TENSORNORM_INLINE sum start(const L&) {
    sum r;
    r.clear();
    return r;
  }
  TENSORNORM_INLINE L pad() const { return L::splat(0); }
  TENSORNORM_INLINE void absorb(const L& x) { this->state[0] = this->state[0] + x; }
};

/// Σ x². Units of x².
template <class L>
struct sum_of_squares : sums<L, 1> {
  static TENSORNORM_INLINE sum_of_squares start(const L&) {
    sum_of_squares r;
    r.clear();
    return r;
  }
  TENSORNORM_INLINE L pad() const { return L::splat(0); }
  TENSORNORM_INLINE void absorb(const L& x) { this->state[0] = fma(x, x, this->state[0]); }
};

/// Σ (x − shift) and Σ (x − shift)².
template <class L>
struct centred_sums : sums<L, 2> {
  L shift;

  static TENSORNORM_INLINE centred_sums start(const L& shift) {
    centred_sums r;
    r.clear();
    r.shift = shift;
    return r;
  }
  TENSORNORM_INLINE L pad() const { return shift; }
  TENSORNORM_INLINE void absorb(const L& x) {
    const L d = fma(L::splat(-1), shift, x);  // x - shift; adders are scarcer than multipliers
    this->state[0] = this->state[0] + d;
    this->state[1] = fma(d, d, this->state[1]);
  }
};

/// max |x|; a NaN is passed over.
template <class L>
struct largest_magnitude {
  using lanes = L;
  static constexpr int count = 1;

  L state[1];

  static TENSORNORM_INLINE largest_magnitude start(const L&) { return {{L::splat(0)}}; }
  TENSORNORM_INLINE L pad() const { return L::splat(0); }
  TENSORNORM_INLINE void absorb(const L& x) { state[0] = larger(state[0], abs(x)); }
  TENSORNORM_INLINE void merge(const largest_magnitude& other) {
    state[0] = larger(state[0], other.state[0]);
  }
};

/// Mean and centred second moment of n elements. mean + residual is the mean to twice the precision
/// of the lanes; m2 is Σ (x − mean)².
template <class S>
struct moments {
  using T = typename S::scalar;

  index n;
  S mean;
  S residual;
  S m2;

  /// From Σ (x − m) and Σ (x − m)² for an m near the mean: the corrected two-pass form. m need not
  /// be exact: what it is off by is taken out again.
  static TENSORNORM_INLINE moments about(const S& m, const centred_sums<S>& sums, index n) {
    const S rho = sums.state[0] / S::splat(static_cast<T>(n));
    const S zero = S::splat(0);
    moments r{n, m, zero, fma(zero - sums.state[0], rho, sums.state[1])};
    r.m2 = larger(r.m2, zero);  // rounding may have made it negative; NaN stays
    r.move_mean(rho);
    return r;
  }

  /// Where `shift` was too far from the mean for about(): by more than two standard deviations, so that
  /// the difference of the two sums has lost more than two bits.
  TENSORNORM_INLINE auto far_from(const S& shift) const {
    const S distance = (mean - shift) + residual;
    return m2 * S::splat(4) < distance * distance * S::splat(static_cast<T>(n));
  }

  /// Pools two sets of elements (Chan, Golub and LeVeque 1983).
  TENSORNORM_INLINE void merge(const moments& other) {
    const T total = static_cast<T>(n) + static_cast<T>(other.n);
    const S delta = (other.mean - mean) + (other.residual - residual);
    const S part = S::splat(static_cast<T>(other.n) / total);
    m2 = fma(delta * delta, S::splat(static_cast<T>(n)) * part, m2 + other.m2);
    n += other.n;
    move_mean(fma(delta, part, residual));
  }

 private:
  /// Adds the new residual to the mean and splits the sum into its nearest number and the rest
  /// (Knuth's two-sum).
  TENSORNORM_INLINE void move_mean(const S& low) {
    const S high = mean + low;
    const S back = high - mean;
    residual = (mean - (high - back)) + (low - back);
    mean = high;
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
