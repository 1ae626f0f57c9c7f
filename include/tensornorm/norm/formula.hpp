// The formulas of the norms: which statistic of a row they need, and what they make of an element.
#pragma once

#include <limits>

#include "../reduce/moments.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// What the elements of a row are normalized with. S holds one number for each row at hand.
template <class S>
struct row_constants {
  S mean;
  S residual;
  S variance;  // what the root is taken of, eps included
  S rstd;
};

/// 1 / sqrt(variance).
template <class S>
TENSORNORM_INLINE S reciprocal_root(const S& variance) {
  return S::splat(1) / sqrt(variance);
}

/// y = x · r,  r = 1 / sqrt(Σx² / N + eps).
struct rms_formula {
  static constexpr bool has_mean = false;
  static constexpr bool has_bias = false;
  static constexpr bool subtracts_mean = false;

  template <class S>
  using statistic = sum_of_squares<S>;

  /// The statistic of elements [begin, end) of the rows that `scan` reads.
  template <class Scan>
  static TENSORNORM_INLINE auto chunk(const Scan& scan, index begin, index end) {
    return reduce<sum_of_squares>(scan, begin, end, Scan::rows::splat(0));
  }

  template <class S>
  static TENSORNORM_INLINE row_constants<S> finish(const sum_of_squares<S>& s, index n, index correction,
                                                   const S& eps) {
    const S variance = s.state[0] / S::splat(static_cast<typename S::scalar>(n - correction)) + eps;
    return {S::splat(0), S::splat(0), variance, reciprocal_root(variance)};
  }

  template <class L>
  static TENSORNORM_INLINE L apply(const L& x, const row_constants<L>& c) {
    return x * c.rstd;
  }
};

/// The statistic of norms that divide by a deviation.
struct centred_formula {
  static constexpr bool has_mean = true;

  template <class S>
  using statistic = moments<S>;

  /// One pass about the mean of the first 64 elements, corrected by how far that is from the mean of
  /// all. Where it is too far, the variance is infinite, which has the row taken again the rare way;
  /// that way there is a second pass, about the mean of all.
  template <class Scan>
  static TENSORNORM_INLINE auto chunk(const Scan& scan, index begin, index end) {
    using S = typename Scan::rows;
    using T = typename S::scalar;
    const index n = end - begin;
    const index sample = n < lane_count ? n : lane_count;
    const auto total = scan.template reduce_block<sum>(begin, begin + sample, S::splat(0));
    const S shift = total.state[0] / S::splat(static_cast<T>(sample));
    auto m = moments<S>::about(shift, reduce<centred_sums>(scan, begin, end, shift), n);
    if (sample == n) return m;
    const auto far = m.far_from(shift);
    if constexpr (Scan::is_rescaled) {
      const auto again = moments<S>::about(m.mean, reduce<centred_sums>(scan, begin, end, m.mean), n);
      m.mean = select(far, again.mean, m.mean);
      m.residual = select(far, again.residual, m.residual);
      m.m2 = select(far, again.m2, m.m2);
    } else {
      m.m2 = select(far, S::splat(std::numeric_limits<T>::infinity()), m.m2);
    }
    return m;
  }

  template <class S>
  static TENSORNORM_INLINE row_constants<S> finish(const moments<S>& s, index n, index correction,
                                                   const S& eps) {
    const S variance = s.m2 / S::splat(static_cast<typename S::scalar>(n - correction)) + eps;
    return {s.mean, s.residual, variance, reciprocal_root(variance)};
  }

  template <class L>
  static TENSORNORM_INLINE L direction(const L& x, const row_constants<L>& c) {
    return ((x - c.mean) - c.residual) * c.rstd;
  }
};

/// y = x · r,  r = 1 / sqrt(Σ(x − μ)² / (N − 1) + eps); x is not centred.
struct simple_formula : centred_formula {
  static constexpr bool has_bias = false;
  static constexpr bool subtracts_mean = false;

  template <class L>
  static TENSORNORM_INLINE L apply(const L& x, const row_constants<L>& c) {
    return x * c.rstd;
  }
};

/// y = (x − μ) · r,  r = 1 / sqrt(Σ(x − μ)² / (N − correction) + eps). Never x · r − μ · r, which
/// leaves rounding noise where x = μ.
struct layer_formula : centred_formula {
  static constexpr bool has_bias = true;
  static constexpr bool subtracts_mean = true;

  template <class L>
  static TENSORNORM_INLINE L apply(const L& x, const row_constants<L>& c) {
    return direction(x, c);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
