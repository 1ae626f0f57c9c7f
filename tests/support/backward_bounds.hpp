// The error bounds the library promises for gradients of norms, and comparisons with a reference under them.
#pragma once

#include "backward_oracle.hpp"
#include "bounds.hpp"

namespace tensornorm_test {

/// In what T is computed.
template <class T>
using computed_in = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// Half the distance between neighbours of T around a value that has an error itself; nothing for the types
/// that are computed in, whose bounds include it.
template <class T>
real final_rounding(real value, real error) {
  if constexpr (is_16_bit<T>)
    return ulp<T>(std::abs(value) + error) / 2;
  else
    return 0;
}

/// How far an element of dx may be from its reference: 32 epsilon max|dx of the row|, epsilon that of the
/// arithmetic, and the final rounding of a 16-bit type. Where dx is less than an eighth of the terms it is
/// made of (one element in rms_norm, two in layer_norm: a norm without eps hides all of them) nothing but
/// roundings of the terms may be left.
template <class T>
real dx_bound(real dx, real row_peak, real row_terms) {
  const real error = epsilon<computed_in<T>>() * std::max(32 * row_peak, 4 * row_terms);
  return error + final_rounding<T>(dx, error);
}

/// How far a sum over rows may be from its reference: 8 epsilon sum|terms|, epsilon that of the arithmetic,
/// and the final rounding of a 16-bit type. `sizes` is for terms that are products with differences, of which
/// some are small beside what they are differences of: sum|dy|, the other factor.
template <class T, class P>
real sum_bound(real value, real terms, real sizes = 0) {
  const real error = epsilon<computed_in<T>>() * (8 * terms + sizes / 2);
  return error + final_rounding<P>(value, error);
}

/// Every value within the bound that bound_of(i) gives it.
template <class T, class Bound>
testing::AssertionResult each_within(const std::vector<T>& values, const std::vector<real>& expected,
                                     const Bound& bound_of) {
  if (values.size() != expected.size())
    return testing::AssertionFailure() << values.size() << " elements, expected " << expected.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const real bound = bound_of(i), error = error_of(values[i], expected[i], bound);
    if (!(error <= bound))
      return testing::AssertionFailure() << "element " << i << " is " << widen(values[i]) << ", expected "
                                         << expected[i] << ": error " << error << ", bound " << bound;
  }
  return testing::AssertionSuccess();
}

template <class T>
testing::AssertionResult dx_within_bounds(const std::vector<T>& dx, const gradient_reference& expected) {
  return each_within(dx, expected.x, [&](std::size_t i) {
    return dx_bound<T>(expected.x[i], expected.row_peak[i], expected.row_terms[i]);
  });
}

/// dbias of data of type T.
template <class T, class P>
testing::AssertionResult dbias_within_bounds(const std::vector<P>& dbias,
                                             const gradient_reference& expected) {
  return each_within(dbias, expected.bias.value, [&](std::size_t i) {
    return sum_bound<T, P>(expected.bias.value[i], expected.bias.terms[i]);
  });
}

/// dweight of data of type T. An x - mean near zero is known to a rounding of the row's deviation, not of
/// itself.
template <class T, class P>
testing::AssertionResult dweight_within_bounds(const std::vector<P>& dweight,
                                               const gradient_reference& expected) {
  return each_within(dweight, expected.weight.value, [&](std::size_t i) {
    return sum_bound<T, P>(expected.weight.value[i], expected.weight.terms[i],
                           expected.centred ? expected.bias.terms[i] : 0);
  });
}

}  // namespace tensornorm_test
