// Rows whose squares leave the range of their type: 1e20, 3e38, 1e-25. They are seen after the fact,
// by one comparison, and taken again at a power of two that brings them near one.
#pragma once

#include <cmath>
#include <limits>

#include "formula.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Variances in this range have lost nothing: below it squares may have been subnormal.
template <class T>
struct safe_variance {
  static constexpr T low = std::is_same_v<T, float> ? T(0x1p-100) : T(0x1p-960);
  static constexpr T high = std::numeric_limits<T>::max();
};

/// The power of two that brings max(largest, sqrt(eps)) near one; 1 for a row that needs none, whose
/// bits then stay what they are.
template <class T>
T rescaling(T variance, T largest, double eps) {
  if (variance >= safe_variance<T>::low && variance <= safe_variance<T>::high) return T(1);
  const double most = std::fmax(static_cast<double>(largest), std::sqrt(eps));
  if (!(most > 0) || !std::isfinite(most)) return T(1);
  constexpr int limit = std::numeric_limits<T>::max_exponent - 2;
  const int exponent = std::ilogb(most);
  return static_cast<T>(std::ldexp(1.0, exponent > limit ? -limit : exponent < -limit ? limit : -exponent));
}

/// The statistic of whole rows of n elements, chunk by chunk.
template <class Formula, class Scan>
TENSORNORM_INLINE auto row_statistic(const Scan& scan, index n) {
  using statistic = typename Formula::template statistic<typename Scan::rows>;
  return pairwise<statistic, 48>(ceil_div(n, chunk_length), [&](index chunk) TENSORNORM_INLINE_LAMBDA {
    const index begin = chunk * chunk_length;
    return Formula::chunk(scan, begin, begin + chunk_length < n ? begin + chunk_length : n);
  });
}

/// The constants of the rows that `scan` reads. `scale` is what the scan multiplies them by.
template <class Formula, class Scan, class P>
TENSORNORM_INLINE auto constants_of(const Scan& scan, const P& p) {
  using S = typename Scan::rows;
  const index n = p.rows.size();
  S eps = S::splat(static_cast<typename S::scalar>(p.eps));
  if constexpr (Scan::is_rescaled) eps = (eps * scan.scale) * scan.scale;
  return Formula::finish(row_statistic<Formula>(scan, n), n, p.correction, eps);
}

/// A scale for each row from a scan that does not rescale.
template <class Scan, class P>
TENSORNORM_INLINE auto scales_of(const Scan& scan, const typename Scan::rows& variance, const P& p) {
  using S = typename Scan::rows;
  const index n = p.rows.size();
  auto largest = largest_magnitude<S>::start(variance);
  for (index begin = 0; begin < n; begin += chunk_length)
    largest.merge(scan.template reduce<largest_magnitude>(begin, begin + chunk_length < n ? begin + chunk_length : n,
                                                          variance));
  S scale = S::splat(1);
  for (int row = 0; row < S::size; ++row) scale.set(row, rescaling(variance[row], largest.state[0][row], p.eps));
  return scale;
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
