// LayerNorm for Eigen tensors and matrices.
#pragma once

#include "make_norm.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// LayerNorm over the chosen axes:  y = (x − μ) · r · weight + bias,
/// r = 1 / sqrt(Σ(x − μ)² / (N − correction) + eps).
///
/// Shapes    x, y any rank; weight and bias the normalized shape, or flat with as many elements, or
///           none, each without the other. Each row of a matrix; the whole of a vector.
/// Units     eps is in units of x², inside the root. correction 0 is the population variance,
///           1 the unbiased one.
/// Types     float, double, half, bfloat16; weight and bias of the same type or wider. Sums in
///           accumulator_t; one rounding at the end.
/// Aliasing  y may be x, which loses the x that a backward pass needs. Any other overlap throws.
///           The expression refers to its arguments until it is evaluated.
/// Edges     no rows: nothing is written. A NaN stays in its row. One element, or a constant row:
///           y is exactly bias. eps = 0: a constant row is NaN.
/// Error     at most 8 eps(T) · max(1, max|y| of the row) in float, also where the mean is a
///           million times the deviation; 1 ulp in half and bfloat16; 16 eps(T) · max|y| in double.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      x read once from memory where a row fits the cache, y written once; no allocation,
///           with the exceptions of rms_norm.
/// Source    Ba, Kiros and Hinton 2016, arXiv:1607.06450; the corrected two-pass variance is that of
///           Chan, Golub and LeVeque 1983, doi:10.1080/00031305.1983.10483115.
template <detail::norm_input X, detail::norm_parameter W, detail::norm_parameter B>
auto layer_norm(const X& x, const W& weight, const B& bias,
                const layer_norm_options<detail::accumulator_of<X>>& options = {}) {
  return detail::make_norm<kernel::layer_formula>(
      detail::plan_rows("layer_norm", detail::source(x), options.axes), x, weight, bias,
      {options.eps, options.correction, rounding::once, options.save});
}

template <detail::norm_input X, detail::norm_parameter W>
auto layer_norm(const X& x, const W& weight,
                const layer_norm_options<detail::accumulator_of<X>>& options = {}) {
  return layer_norm(x, weight, none, options);
}

template <detail::norm_input X>
auto layer_norm(const X& x, const layer_norm_options<detail::accumulator_of<X>>& options = {}) {
  return layer_norm(x, none, none, options);
}

}  // namespace tensornorm::inline TENSORNORM_ABI
