// RMSNorm for Eigen tensors and matrices.
#pragma once

#include "make_norm.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// RMSNorm over the chosen axes:  y = x · r · weight,  r = 1 / sqrt(mean(x²) + eps).
///
/// Shapes    x, y any rank; weight the normalized shape, or flat with as many elements, or none.
///           Each row of a matrix; the whole of a vector.
/// Units     eps is in units of x², inside the root. weight multiplies as stored: for a
///           checkpoint that keeps weight − 1 pass unit_offset(weight).
/// Types     float, double, half, bfloat16; weight of the same type or wider. Sums in
///           accumulator_t; one rounding at the end, or as options.rounding says.
/// Aliasing  y may be x, which loses the x that a backward pass needs. Any other overlap throws.
///           The expression refers to x and weight until it is evaluated.
/// Edges     no rows: nothing is written. A NaN stays in its row. eps = 0: a zero row is NaN.
///           1e20, 3e38 and 1e-25 are normalized like any other number.
/// Error     at most 8 eps(T) · max(1, max|y| of the row) in float, 1 ulp in half and bfloat16,
///           16 eps(T) · max|y| in double.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      x read once from memory, y written once; no allocation, unless x or weight is an
///           expression, or weight lies in memory in another order than x.
/// Source    Zhang and Sennrich 2019, arXiv:1910.07467.
template <detail::norm_input X, detail::norm_parameter W>
auto rms_norm(const X& x, const W& weight, const rms_norm_options<detail::accumulator_of<X>>& options = {}) {
  return detail::make_norm<kernel::rms_formula>(
      detail::plan_rows("rms_norm", detail::source(x), options.axes), x, weight, none,
      {options.eps, 0, options.rounding, options.save});
}

template <detail::norm_input X>
auto rms_norm(const X& x, const rms_norm_options<detail::accumulator_of<X>>& options = {}) {
  return rms_norm(x, none, options);
}

}  // namespace tensornorm::inline TENSORNORM_ABI
