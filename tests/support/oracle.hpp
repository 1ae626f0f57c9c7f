// The norms from their formulas alone, in long double. Shares no code with the library, and is
// written to be read rather than to be fast.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "scalar.hpp"

namespace tensornorm_test {

enum class norm { rms, simple, layer };

inline const char* name_of(norm kind) {
  return kind == norm::rms ? "rms_norm" : kind == norm::simple ? "simple_norm" : "layer_norm";
}

/// The constants of a formula. correction is that of layer_norm.
struct formula {
  norm kind = norm::rms;
  double eps = 1e-6;
  int correction = 0;
};

/// A mean in two words: where a row of doubles lies a million deviations from zero, the rounding of a
/// single long double would be the largest error of the reference.
struct exact_mean {
  real high = 0;
  real low = 0;

  real distance_to(real value) const { return (value - high) - low; }
};

/// A normalized row, before any rounding. mean is zero for rms_norm.
struct row_reference {
  std::vector<real> y;
  exact_mean mean;
  real rstd = 0;
};

/// Neumaier's sum, so that a reference is good where long double is no wider than double, too.
class exact_sum {
 public:
  void add(real term) {
    const real next = sum_ + term;
    lost_ += std::abs(sum_) >= std::abs(term) ? (sum_ - next) + term : (term - next) + sum_;
    sum_ = next;
  }
  real value() const { return std::isfinite(sum_) ? sum_ + lost_ : sum_; }

 private:
  real sum_ = 0;
  real lost_ = 0;
};

template <class Terms>
real sum_over(std::size_t count, const Terms& term) {
  exact_sum sum;
  for (std::size_t i = 0; i < count; ++i) sum.add(term(i));
  return sum.value();
}

inline real square(real value) { return value * value; }

/// y = x r w, or (x - mean) r w + b. An empty weight is ones, an empty bias zeros.
inline row_reference reference_row(const formula& f, const std::vector<real>& x,
                                   const std::vector<real>& weight, const std::vector<real>& bias) {
  const std::size_t n = x.size();
  const real count = static_cast<real>(n);
  row_reference row;
  real scatter = 0;
  real divisor = count;
  if (f.kind == norm::rms) {
    scatter = sum_over(n, [&](std::size_t i) { return x[i] * x[i]; });
  } else {
    row.mean.high = sum_over(n, [&](std::size_t i) { return x[i]; }) / count;
    row.mean.low = sum_over(n, [&](std::size_t i) { return x[i] - row.mean.high; }) / count;
    scatter = sum_over(n, [&](std::size_t i) { return square(row.mean.distance_to(x[i])); });
    divisor = f.kind == norm::simple ? count - 1 : count - f.correction;
  }
  row.rstd = 1 / std::sqrt(scatter / divisor + static_cast<real>(f.eps));
  for (std::size_t i = 0; i < n; ++i) {
    const real centred = f.kind == norm::layer ? row.mean.distance_to(x[i]) : x[i];
    const real scaled = centred * row.rstd * (weight.empty() ? 1 : weight[i]);
    row.y.push_back(scaled + (bias.empty() ? 0 : bias[i]));
  }
  return row;
}

/// Which row each element of a tensor belongs to, and which parameter goes with it. Elements are in
/// logical order: the last axis changes fastest, whatever the storage.
struct row_map {
  std::vector<std::size_t> row;
  std::vector<std::size_t> parameter;
  std::size_t rows = 0;
};

using extents = std::vector<std::ptrdiff_t>;

inline std::size_t count_of(const extents& size) {
  std::size_t count = 1;
  for (const std::ptrdiff_t n : size) count *= static_cast<std::size_t>(n);
  return count;
}

/// Moves a logical index on by one element.
inline void advance(extents& index, const extents& size) {
  for (std::size_t axis = size.size(); axis-- > 0;) {
    if (++index[axis] < size[axis]) return;
    index[axis] = 0;
  }
}

/// The rows of a norm over the axes first to last (counted from 0, both included).
inline row_map rows_over_axes(const extents& size, std::size_t first, std::size_t last) {
  row_map map;
  extents index(size.size(), 0);
  for (std::size_t element = 0; element < count_of(size); ++element, advance(index, size)) {
    std::size_t row = 0;
    std::size_t parameter = 0;
    for (std::size_t axis = 0; axis < size.size(); ++axis) {
      std::size_t& number = axis >= first && axis <= last ? parameter : row;
      number = number * static_cast<std::size_t>(size[axis]) + static_cast<std::size_t>(index[axis]);
    }
    map.row.push_back(row);
    map.parameter.push_back(parameter);
    map.rows = std::max(map.rows, row + 1);
  }
  return map;
}

/// The rows of group_norm: sample n and group c / (channels / groups); parameters go by channel c.
inline row_map rows_over_groups(const extents& size, std::ptrdiff_t groups) {
  row_map map;
  extents index(size.size(), 0);
  for (std::size_t element = 0; element < count_of(size); ++element, advance(index, size)) {
    const std::ptrdiff_t group = index[1] / (size[1] / groups);
    map.row.push_back(static_cast<std::size_t>(index[0] * groups + group));
    map.parameter.push_back(static_cast<std::size_t>(index[1]));
    map.rows = std::max(map.rows, map.row.back() + 1);
  }
  return map;
}

/// A normalized tensor in logical order, with what its error bound depends on.
struct reference {
  std::vector<real> y;
  std::vector<real> row_peak;    // the largest |y| of the element's row
  bool centred = false;          // whether y is a difference or a sum, which may cancel
  std::vector<exact_mean> mean;  // of each row, in logical order
  std::vector<real> rstd;
};

/// Normalizes x, in logical order, with parameters in logical order.
inline reference reference_norm(const formula& f, const row_map& map, const std::vector<real>& x,
                                const std::vector<real>& weight = {}, const std::vector<real>& bias = {}) {
  std::vector<std::vector<std::size_t>> members(map.rows);
  for (std::size_t element = 0; element < x.size(); ++element) members[map.row[element]].push_back(element);
  reference result;
  result.centred = f.kind == norm::layer;
  result.y.resize(x.size());
  result.row_peak.resize(x.size());
  for (const std::vector<std::size_t>& elements : members) {
    std::vector<real> row_x, row_weight, row_bias;
    for (const std::size_t element : elements) {
      row_x.push_back(x[element]);
      if (!weight.empty()) row_weight.push_back(weight[map.parameter[element]]);
      if (!bias.empty()) row_bias.push_back(bias[map.parameter[element]]);
    }
    const row_reference row = reference_row(f, row_x, row_weight, row_bias);
    real peak = 0;
    for (const real value : row.y) peak = std::max(peak, std::abs(value));
    for (std::size_t i = 0; i < elements.size(); ++i) {
      result.y[elements[i]] = row.y[i];
      result.row_peak[elements[i]] = peak;
    }
    result.mean.push_back(row.mean);
    result.rstd.push_back(row.rstd);
  }
  return result;
}

}  // namespace tensornorm_test
