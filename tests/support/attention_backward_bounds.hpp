// The error bounds that gradients of attention promise, and the comparison with a reference under them.
#pragma once

#include "attention_backward.hpp"
#include "attention_bounds.hpp"
#include "backward_bounds.hpp"

namespace tensornorm_test {

/// How far a row of a gradient of data of type T may be from its reference before its rounding:
/// 2 (4 + max|s|) e of the largest sum of |terms| in the row, e being that of the type that is computed in. A
/// term of dq, dk and the bias is p (|dout v| + |dout o|) times k or q. Where these two products are far
/// smaller than the numbers they sum, nothing but roundings of those may be left. A weight below the smallest
/// normal number may be lost. And 2 (8 + max|s|) e of the largest gradient, `peak`, is always allowed.
template <class T>
real gradient_error(const gradient_sums& expected, std::size_t row, real peak = 0) {
  using A = tn::accumulator_t<T>;
  real terms = 0, products = 0, lost = 0;
  for (std::size_t i = row * expected.row_size; i < (row + 1) * expected.row_size; ++i) {
    terms = std::max(terms, expected.terms[i]);
    products = std::max(products, expected.products[i]);
    lost = std::max(lost, expected.lost[i]);
  }
  const real relative = relative_bound<T>(expected.score_peak[row]);
  return std::max({relative * terms, 2 * epsilon<A>() * products, (relative + 8 * epsilon<A>()) * peak}) +
         std::ldexp(lost, format<A>::min_exponent);
}

/// A gradient of data of type T, in numbers of type D, within its bound. What it was added to, if it was
/// added to something, makes for another rounding.
template <class T, class D>
testing::AssertionResult gradient_within_bounds(const std::vector<D>& gradient, const gradient_sums& expected,
                                                const std::vector<D>& before = {}) {
  if (gradient.size() != expected.value.size())
    return testing::AssertionFailure() << gradient.size() << " elements, expected " << expected.value.size();
  real peak = 0;
  for (const real value : expected.value)
    if (std::isfinite(value)) peak = std::max(peak, std::abs(value));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const std::size_t row = i / expected.row_size;
    const real value = expected.value[i] + (before.empty() ? 0 : widen(before[i]));
    real bound = gradient_error<T>(expected, row, peak);
    if (is_16_bit<D> || !before.empty()) bound += ulp<D>(std::abs(value) + bound) / 2;
    const real error = error_of(gradient[i], value, bound);
    if (!(error <= bound))
      return testing::AssertionFailure()
             << "element " << i % expected.row_size << " of row " << row << " is " << widen(gradient[i])
             << ", expected " << value << ": error " << error << ", bound " << bound;
  }
  return testing::AssertionSuccess();
}

template <class T>
testing::AssertionResult within_bounds(const attention_gradients<T>& result,
                                       const attention_backward_reference& expected,
                                       const attention_gradients<T>& before = {}) {
  const auto named = [](const char* name, const testing::AssertionResult& result_of_one) {
    return result_of_one ? result_of_one
                         : testing::AssertionFailure() << name << ": " << result_of_one.message();
  };
  auto all = named("dq", gradient_within_bounds<T>(result.q, expected.q, before.q));
  if (all) all = named("dk", gradient_within_bounds<T>(result.k, expected.k, before.k));
  if (all) all = named("dv", gradient_within_bounds<T>(result.v, expected.v, before.v));
  if (all) all = named("dbias", gradient_within_bounds<T>(result.bias, expected.bias, before.bias));
  if (all) all = named("dsinks", gradient_within_bounds<T>(result.sinks, expected.sinks, before.sinks));
  return all;
}

template <class T>
testing::AssertionResult same_bits(const attention_gradients<T>& a, const attention_gradients<T>& b) {
  const auto named = [](const char* name, const testing::AssertionResult& result_of_one) {
    return result_of_one ? result_of_one
                         : testing::AssertionFailure() << name << ": " << result_of_one.message();
  };
  auto all = named("dq", same_bits(a.q, b.q));
  if (all) all = named("dk", same_bits(a.k, b.k));
  if (all) all = named("dv", same_bits(a.v, b.v));
  if (all) all = named("dbias", same_bits(a.bias, b.bias));
  if (all) all = named("dsinks", same_bits(a.sinks, b.sinks));
  return all;
}

}  // namespace tensornorm_test
