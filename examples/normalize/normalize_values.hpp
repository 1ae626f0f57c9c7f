// The call of the library, for each scalar and storage order.
#pragma once

#include <cmath>

#include "normalize.hpp"

namespace tn = tensornorm;

/// `correction` of a mean is kept beside it, to twice its precision.
template <class Scalar>
spread spread_of(const Eigen::Tensor<Scalar, 1>& values,
                 const Eigen::Tensor<Scalar, 1>* correction = nullptr) {
  spread result;
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    const double value =
        static_cast<double>(values(i)) + (correction ? static_cast<double>((*correction)(i)) : 0.0);
    if (!std::isfinite(value)) continue;
    result.lowest = result.finite ? std::min(result.lowest, value) : value;
    result.highest = result.finite ? std::max(result.highest, value) : value;
    ++result.finite;
    result.average += (value - result.average) / static_cast<double>(result.finite);
  }
  return result;
}

template <int Layout, class Scalar, class Number>
void normalize_tensor(Scalar* data, const three_axes& axes, const norm_request& request,
                      const std::vector<Number>& weight, const std::vector<Number>& bias,
                      tn::statistics<Number>& saved) {
  using parameter = Eigen::TensorMap<const Eigen::Tensor<Number, 1>>;
  Eigen::TensorMap<Eigen::Tensor<Scalar, 3, Layout>> x(data, axes.before, axes.normalized, axes.after);
  const parameter w(weight.data(), axes.normalized), b(bias.data(), axes.normalized);
  const double eps = request.eps;
  switch (request.kind) {
    case norm::rms:
      x = tn::rms_norm(x, w, {.axes = 1, .eps = eps, .rounding = request.rounding, .save = &saved});
      break;
    case norm::simple:
      x = tn::simple_norm(x, w, {.axes = 1, .eps = eps, .rounding = request.rounding, .save = &saved});
      break;
    case norm::layer:
      x = tn::layer_norm(x, w, b, {.axes = 1, .eps = eps, .correction = request.correction, .save = &saved});
      break;
    case norm::group:
      x = tn::group_norm(x, request.groups, w, b, {.eps = eps, .save = &saved});
  }
}

template <class Scalar>
norm_report normalize_values(std::vector<Scalar>& x, bool fortran_order, const three_axes& axes,
                             const norm_request& request,
                             const std::vector<tn::accumulator_t<Scalar>>& weight,
                             const std::vector<tn::accumulator_t<Scalar>>& bias) {
  tn::statistics<tn::accumulator_t<Scalar>> saved;
  if (fortran_order)
    normalize_tensor<Eigen::ColMajor>(x.data(), axes, request, weight, bias, saved);
  else
    normalize_tensor<Eigen::RowMajor>(x.data(), axes, request, weight, bias, saved);

  norm_report report;
  report.rstd = spread_of(saved.rstd);
  if (request.kind != norm::rms) report.mean = spread_of(saved.mean, &saved.mean_residual);
  return report;
}
