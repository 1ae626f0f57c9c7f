// The steps of a layer in long double, each with how far the library's result may be from it: what a step
// promises, and what it makes of the errors that come in. Shares no code with the library.
#pragma once

#include <tensornorm/eigen/scalar.hpp>
#include <utility>

#include "bounds.hpp"

namespace tensornorm_test {

namespace tn = tensornorm;

/// A number and how far a computed one may be from it.
struct uncertain {
  real value = 0;
  real error = 0;

  real reach() const { return std::abs(value) + error; }

  /// Rounded to T, where a layer keeps it.
  template <class T>
  uncertain stored() const {
    return is_16_bit<T> ? uncertain{value, error + ulp<T>(reach()) / 2} : *this;
  }
};

/// start + Σ weight(c) · x(c): a projection is within (2 + min(in, 64) / 4 + in / 128) eps Σ|terms|, and
/// passes on the errors of what goes into it.
template <class A, class Weight, class Input>
uncertain uncertain_projection(real start, std::ptrdiff_t in, const Weight& weight, const Input& input) {
  uncertain sum{start, 0};
  real magnitude = std::abs(start);
  for (std::ptrdiff_t c = 0; c < in; ++c) {
    const uncertain x = input(c);
    const real w = weight(c);
    sum.value += w * x.value;
    sum.error += std::abs(w) * x.error;
    magnitude += std::abs(w) * x.reach();
  }
  sum.error += projection_roundings(in) * epsilon<A>() * magnitude;
  return sum;
}

/// One query against all keys: the errors of scores move the weights by a factor, those of values the result;
/// attention itself is within 2 (4 + max|s|) eps of the largest result, here before anything cancels.
struct attended_row {
  std::vector<uncertain> moved;  // by what goes in
  real own = 0;                  // by attention itself
};

template <class A, class Score, class Value>
attended_row uncertain_attention(std::ptrdiff_t keys, std::ptrdiff_t dim, const Score& score,
                                 const Value& value) {
  std::vector<uncertain> s;
  real largest = -std::numeric_limits<real>::infinity(), peak = 0, error = 0, sum = 0;
  for (std::ptrdiff_t j = 0; j < keys; ++j) {
    s.push_back(score(j));
    if (std::isinf(s.back().value)) continue;
    largest = std::max(largest, s.back().value);
    peak = std::max(peak, std::abs(s.back().value));
    error = std::max(error, s.back().error);
  }
  for (const uncertain& x : s) sum += std::isinf(x.value) ? 0 : std::exp(x.value - largest);
  attended_row result;
  real gross_peak = 0;
  for (std::ptrdiff_t d = 0; d < dim; ++d) {
    uncertain o;
    real gross = 0;
    for (std::ptrdiff_t j = 0; j < keys; ++j) {
      if (std::isinf(s[static_cast<std::size_t>(j)].value)) continue;
      const real w = std::exp(s[static_cast<std::size_t>(j)].value - largest) / sum;
      const uncertain v = value(j, d);
      o.value += w * v.value;
      o.error += w * v.error;
      gross += w * v.reach();
    }
    o.error += std::expm1(2 * error) * gross;
    gross_peak = std::max(gross_peak, gross);
    result.moved.push_back(o);
  }
  result.own = 2 * (4 + peak) * epsilon<A>() * gross_peak;
  return result;
}

/// A norm of a row of T: within its promise, and the errors of x move both x and r = 1 / sqrt(scatter / n +
/// eps).
template <class T>
std::vector<uncertain> uncertain_norm(const formula& f, const std::vector<uncertain>& x,
                                      const std::vector<real>& weight, const std::vector<real>& bias) {
  const auto count = static_cast<real>(x.size());
  std::vector<real> values;
  real mean_error = 0;
  for (const uncertain& u : x) {
    values.push_back(u.value);
    mean_error += f.kind == norm::rms ? 0 : u.error / count;
  }
  const row_reference row = reference_row(f, values, weight, bias);
  const real divisor = f.kind == norm::rms      ? count
                       : f.kind == norm::simple ? count - 1
                                                : count - f.correction;
  real scatter_error = 0;
  for (const uncertain& u : x) {
    const real error = u.error + mean_error;
    scatter_error += (2 * std::abs(row.mean.distance_to(u.value)) + error) * error;
  }
  const real share = std::min<real>(scatter_error / divisor * square(row.rstd), real{99} / 100);
  const real r_error = row.rstd * (1 / std::sqrt(1 - share) - 1);
  std::vector<uncertain> y;
  real peak = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool centred = f.kind == norm::layer;
    const real value = centred ? row.mean.distance_to(x[i].value) : x[i].value;
    const real error = x[i].error + (centred ? mean_error : 0);
    const real w = weight.empty() ? 1 : std::abs(weight[i]);
    y.push_back({row.y[i], w * (error * (row.rstd + r_error) + std::abs(value) * r_error)});
    peak = std::max(peak, y.back().reach());
  }
  for (uncertain& u : y) u.error += forward_bound<T>(u.reach(), peak, f.kind == norm::layer);
  return y;
}

/// (a, b) turned by position · frequency. cos and sin are rounded to A, and so are a product and the result.
/// The angle is computed in double, the frequency as a power, whose exponent is rounded, too.
template <class A>
std::pair<uncertain, uncertain> uncertain_turn(const uncertain& a, const uncertain& b, real position,
                                               real frequency) {
  const real angle = position * frequency;
  const real c = std::cos(angle), s = std::sin(angle);
  const real angle_error = (2 + std::abs(std::log(frequency))) * epsilon<double>() * std::abs(angle);
  const auto sum = [&](real by_a, real by_b) {
    const real magnitude = std::abs(by_a) * a.reach() + std::abs(by_b) * b.reach();
    return uncertain{a.value * by_a + b.value * by_b, std::abs(by_a) * a.error + std::abs(by_b) * b.error +
                                                          2 * epsilon<A>() * magnitude +
                                                          angle_error * (a.reach() + b.reach())};
  };
  return {sum(c, -s), sum(s, c)};
}

}  // namespace tensornorm_test
