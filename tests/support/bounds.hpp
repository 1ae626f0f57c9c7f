// The error bounds the library promises, and the comparison with a reference under them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "oracle.hpp"
#include "scalar.hpp"

namespace tensornorm_test {

/// How far an element of a forward norm may be from its reference.
///
///   float            8 epsilon max(1, max|y| of the row)
///   double           16 epsilon max|y| of the row
///   half, bfloat16   1 ulp of the result. Where the result is what is left of a difference (centred:
///                    x - mean, or a bias) it can be so small that the float arithmetic beneath, with
///                    its own bound, cannot know its ulp: there, that bound and the final rounding.
template <class T>
real forward_bound(real y, real row_peak, bool centred) {
  const real in_float = 8 * epsilon<float>() * std::max(real{1}, row_peak);
  if constexpr (std::is_same_v<T, float>)
    return in_float;
  else if constexpr (std::is_same_v<T, double>)
    return 16 * epsilon<double>() * row_peak;
  else
    return centred ? std::max(ulp<T>(y), in_float + ulp<T>(y) / 2) : ulp<T>(y);
}

/// The number at which T rounds to infinity.
template <class T>
real overflow_threshold() {
  return std::ldexp(2 - std::ldexp(real{1}, -format<T>::digits), 1 - format<T>::min_exponent);
}

/// The distance of y from its reference; none where both are NaN, or infinite in T give or take the
/// bound.
template <class T>
real error_of(T y, real expected, real bound) {
  const real value = widen(y);
  if (std::isnan(value) && std::isnan(expected)) return 0;
  if (std::isinf(value) && std::signbit(value) == std::signbit(expected) &&
      std::abs(expected) + bound >= overflow_threshold<T>())
    return 0;
  return std::abs(value - expected);
}

/// Every element of y, in the order of the reference, is within its bound.
template <class T>
testing::AssertionResult within_bounds(const std::vector<T>& y, const reference& expected) {
  if (y.size() != expected.y.size())
    return testing::AssertionFailure() << y.size() << " elements, expected " << expected.y.size();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const real bound = forward_bound<T>(expected.y[i], expected.row_peak[i], expected.centred);
    const real error = error_of(y[i], expected.y[i], bound);
    if (!(error <= bound))
      return testing::AssertionFailure() << "element " << i << " is " << widen(y[i]) << ", expected "
                                         << expected.y[i] << ": error " << error << ", bound " << bound;
  }
  return testing::AssertionSuccess();
}

/// The same bits in every element.
template <class T>
testing::AssertionResult same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size())
    return testing::AssertionFailure() << a.size() << " elements against " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (bits(a[i]) != bits(b[i]))
      return testing::AssertionFailure()
             << "element " << i << " is " << std::hexfloat << widen(a[i]) << " and " << widen(b[i]);
  return testing::AssertionSuccess();
}

/// Roundings of a projection of `in` channels, in units of eps · Σ|terms|: a quarter of each of at most 64 terms in
/// two chains, and the sums of such blocks.
template <class Count>
real projection_roundings(Count in) {
  const real count = static_cast<real>(in);
  return 2 + (count < 64 ? count : 64) / 4 + count / 128;
}

}  // namespace tensornorm_test
