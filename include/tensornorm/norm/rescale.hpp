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
  if constexpr (Scan::is_rescaled) {
    // An eps above zero stays above it, so that a constant row of the largest number is not 0 / 0.
    const S least = S::splat(p.eps > 0 ? std::numeric_limits<typename S::scalar>::min() : 0);
    eps = larger((eps * scan.scale) * scan.scale, least);
  }
  return Formula::finish(row_statistic<Formula>(scan, n), n, p.correction, eps);
}

/// Calls write(constants) with the constants of the rows at the scale that each needs, which the
/// scan then has.
template <class Formula, class Scan, class P, class Write>
TENSORNORM_INLINE void rescaled(Scan& scan, const P& p, const Write& write) {
  using S = typename Scan::rows;
  const index n = p.rows.size();
  decltype(constants_of<Formula>(scan, p)) constants;
  for (int attempt = 0;; ++attempt) {
    constants = constants_of<Formula>(scan, p);
    if (attempt == 1) break;
    const auto largest = pairwise<largest_magnitude<S>, 48>(
        ceil_div(n, chunk_length), [&](index chunk) TENSORNORM_INLINE_LAMBDA {
          const index begin = chunk * chunk_length;
          const index end = begin + chunk_length < n ? begin + chunk_length : n;
          return reduce<largest_magnitude>(scan, begin, end, scan.scale);
        });
    for (int row = 0; row < S::size; ++row)
      scan.scale.set(row, rescaling(constants.variance[row], largest.state[0][row], p.eps));
  }
  write(constants);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
