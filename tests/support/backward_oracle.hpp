// The gradients of the norms from their formulas alone, in long double. Shares no code with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "oracle.hpp"

namespace tensornorm_test {

/// The gradient of one row, and its normalized elements (x - mean) r or x r, which the weight multiplied.
struct row_gradient {
  std::vector<real> dx;
  std::vector<real> normalized;
  real terms = 0;  // the largest of the row's elements of dx, had none of their terms cancelled
};

/// From y = v r w with v = x or x - mean, and dr/dx = -r^3 (x - mean) / divisor (rms_norm: no mean): with g =
/// dy w,
///
///   dx = r g - r^3 / divisor (x - mean) sum(g v),    in layer_norm less its mean.
///
/// dx is written with r (x - mean) and r v, which stay in range where r^3 does not.
inline row_gradient reference_row_gradient(const formula& f, const std::vector<real>& dy,
                                           const std::vector<real>& x, const std::vector<real>& weight) {
  const std::size_t n = x.size();
  const real count = static_cast<real>(n);
  const row_reference forward = reference_row(f, x, {}, {});
  const real r = forward.rstd;
  const real divisor = f.kind == norm::rms ? count : count - (f.kind == norm::simple ? 1 : f.correction);
  std::vector<real> g(n), centred(n);
  for (std::size_t i = 0; i < n; ++i) {
    g[i] = dy[i] * (weight.empty() ? 1 : weight[i]);
    centred[i] = r * forward.mean.distance_to(x[i]);
  }
  row_gradient row;
  for (std::size_t i = 0; i < n; ++i) row.normalized.push_back(f.kind == norm::layer ? centred[i] : r * x[i]);
  const auto term = [&](std::size_t i) { return g[i] * row.normalized[i]; };
  const real dot = sum_over(n, term) / divisor;
  const real mean_g = f.kind == norm::layer ? sum_over(n, [&](std::size_t i) { return g[i]; }) / count : 0;
  // A sum as large as its terms make it when their signs are random.
  const real dot_size = std::sqrt(sum_over(n, [&](std::size_t i) { return square(term(i)); })) / divisor;
  const real mean_size =
      f.kind == norm::layer ? std::sqrt(sum_over(n, [&](std::size_t i) { return square(g[i]); })) / count : 0;
  for (std::size_t i = 0; i < n; ++i) {
    row.dx.push_back(r * ((g[i] - mean_g) - centred[i] * dot));
    row.terms = std::max(row.terms, r * (std::abs(g[i]) + mean_size + std::abs(centred[i]) * dot_size));
  }
  return row;
}

/// Sums over rows, one for each parameter, and the sums of the magnitudes of their terms.
struct parameter_sums {
  std::vector<real> value;
  std::vector<real> terms;

  explicit parameter_sums(std::size_t count = 0) : value(count), terms(count), sums_(count) {}
  void add(std::size_t parameter, real term) {
    sums_[parameter].add(term);
    value[parameter] = sums_[parameter].value();
    terms[parameter] += std::abs(term);
  }

 private:
  std::vector<exact_sum> sums_;
};

/// The gradients of a tensor, in logical order, with what their error bounds depend on.
struct gradient_reference {
  std::vector<real> x;
  std::vector<real> row_peak;   // the largest |dx| of the element's row
  std::vector<real> row_terms;  // the largest its terms could make it
  parameter_sums weight;
  parameter_sums bias;
  bool centred = false;  // whether the elements that a weight multiplies are differences
};

/// Gradients of sum(dy y), all in logical order. plus is added to that of x.
inline gradient_reference reference_backward(const formula& f, const row_map& map,
                                             const std::vector<real>& dy, const std::vector<real>& x,
                                             const std::vector<real>& weight = {},
                                             const std::vector<real>& plus = {}) {
  std::vector<std::vector<std::size_t>> members(map.rows);
  std::size_t parameters = 0;
  for (std::size_t element = 0; element < x.size(); ++element) {
    members[map.row[element]].push_back(element);
    parameters = std::max(parameters, map.parameter[element] + 1);
  }
  gradient_reference result;
  result.weight = result.bias = parameter_sums(parameters);
  result.centred = f.kind == norm::layer;
  for (auto* values : {&result.x, &result.row_peak, &result.row_terms}) values->resize(x.size());
  for (const std::vector<std::size_t>& elements : members) {
    std::vector<real> row_dy, row_x, row_weight;
    for (const std::size_t element : elements) {
      row_dy.push_back(dy[element]);
      row_x.push_back(x[element]);
      if (!weight.empty()) row_weight.push_back(weight[map.parameter[element]]);
    }
    const row_gradient row = reference_row_gradient(f, row_dy, row_x, row_weight);
    real peak = 0;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const std::size_t element = elements[i];
      result.weight.add(map.parameter[element], row_dy[i] * row.normalized[i]);
      result.bias.add(map.parameter[element], row_dy[i]);
      result.x[element] = row.dx[i] + (plus.empty() ? 0 : plus[element]);
      peak = std::max({peak, std::abs(row.dx[i]), std::abs(result.x[element])});
    }
    for (const std::size_t element : elements) {
      result.row_peak[element] = peak;
      result.row_terms[element] = row.terms;
    }
  }
  return result;
}

}  // namespace tensornorm_test
