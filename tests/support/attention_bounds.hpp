// The error bounds that attention promises, and the comparison with a reference under them.
#pragma once

#include "attention.hpp"
#include "bounds.hpp"

namespace tensornorm_test {

/// 2 (4 + max|s|) e, where e is that of the type that is computed in.
template <class T>
real relative_bound(real score_peak) {
  return 2 * (4 + score_peak) * epsilon<tn::accumulator_t<T>>();
}

/// Whether the weights of the values are rounded to bfloat16: the machine multiplies pairs of them, or tiles.
template <class T>
bool rounds_weights(attention_path path) {
  const auto level = tn::kernel::active_isa();
  return path == attention_path::fused && std::is_same_v<T, Eigen::bfloat16> &&
         (tn::kernel::takes_bfloat16_dot(level) || tn::kernel::takes_amx(level));
}

/// How far an element of o may be from its reference: 2 (4 + max|s|) e max|o|, and for half and
/// bfloat16 one rounding. A weight below the smallest normal number may be lost. Where weights are rounded,
/// half an epsilon of each term is added.
template <class T>
real attention_bound(const attention_reference& expected, std::size_t element,
                     attention_path path = attention_path::unfused) {
  const std::size_t row = element / expected.dim_v;
  const real lost = std::ldexp(expected.v_sum[row], format<tn::accumulator_t<T>>::min_exponent);
  real bound = relative_bound<T>(expected.score_peak[row]) * expected.o_peak[row] + lost;
  if (rounds_weights<T>(path)) bound += epsilon<T>() / 2 * expected.o_terms[element];
  return is_16_bit<T> ? bound + ulp<T>(expected.o[element]) / 2 : bound;
}

template <class T>
testing::AssertionResult o_within_bounds(const std::vector<T>& o, const attention_reference& expected,
                                         attention_path path = attention_path::unfused) {
  if (o.size() != expected.o.size())
    return testing::AssertionFailure() << o.size() << " elements, expected " << expected.o.size();
  for (std::size_t i = 0; i < o.size(); ++i) {
    const std::size_t row = i / expected.dim_v;
    const real bound = attention_bound<T>(expected, i, path);
    const real error = error_of(o[i], expected.o[i], bound);
    if (!(error <= bound))
      return testing::AssertionFailure()
             << "element " << i % expected.dim_v << " of query " << row << " is " << widen(o[i])
             << ", expected " << expected.o[i] << ": error " << error << ", bound " << bound;
  }
  return testing::AssertionSuccess();
}

/// No bound is promised for lse; it is held to that of a score, which is as good as the terms it sums.
template <class T>
testing::AssertionResult lse_within_bounds(const std::vector<tn::accumulator_t<T>>& lse,
                                           const attention_reference& expected) {
  if (lse.size() != expected.lse.size())
    return testing::AssertionFailure() << lse.size() << " lse, expected " << expected.lse.size();
  for (std::size_t row = 0; row < lse.size(); ++row) {
    const real bound = relative_bound<T>(expected.term_peak[row]);
    const real value = widen(lse[row]);
    if (value == expected.lse[row] || (std::isnan(value) && std::isnan(expected.lse[row]))) continue;
    if (!(std::abs(value - expected.lse[row]) <= bound))
      return testing::AssertionFailure() << "lse of query " << row << " is " << value << ", expected "
                                         << expected.lse[row] << ", bound " << bound;
  }
  return testing::AssertionSuccess();
}

template <class T>
testing::AssertionResult within_bounds(const attention_result<T>& result,
                                       const attention_reference& expected) {
  const auto o = o_within_bounds(result.o, expected, result.path);
  return o ? lse_within_bounds<T>(result.lse, expected) : o;
}

template <class T>
testing::AssertionResult same_bits(const attention_result<T>& a, const attention_result<T>& b) {
  const auto o = same_bits(a.o, b.o);
  return o ? same_bits(a.lse, b.lse) : o;
}

/// The largest bound of an element of o.
template <class T>
real worst_bound(const attention_reference& expected) {
  real worst = 0;
  for (std::size_t i = 0; i < expected.o.size(); ++i)
    worst = std::max(worst, attention_bound<T>(expected, i));
  return worst;
}

/// The largest error of o.
template <class T>
real worst_error(const std::vector<T>& o, const attention_reference& expected) {
  real worst = 0;
  for (std::size_t i = 0; i < o.size(); ++i) worst = std::max(worst, std::abs(widen(o[i]) - expected.o[i]));
  return worst;
}

}  // namespace tensornorm_test
