// SimpleNorm for Eigen tensors and matrices.
#pragma once

#include "make_norm.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// SimpleNorm over the chosen axes:  y = x · r · weight,  r = 1 / sqrt(var(x) + eps),  with the
/// unbiased variance Σ(x − μ)² / (N − 1). x itself is not centred: this is neither RMSNorm (which
/// divides by the root of the mean square) nor LayerNorm (which subtracts the mean).
///
/// Shapes    x, y any rank; weight the normalized shape, or flat with as many elements, or none.
///           Each row of a matrix; the whole of a vector. At least two normalized elements.
/// Units     eps is in units of x², inside the root. weight multiplies as stored, or as
///           unit_offset(weight).
/// Types     float, double, half, bfloat16; weight of the same type or wider. Sums in
///           accumulator_t; one rounding at the end, or as options.rounding says.
/// Aliasing  y may be x. Any other overlap throws. The expression refers to x and weight until it
///           is evaluated.
/// Edges     no rows: nothing is written. A NaN stays in its row. eps = 0: a constant row is
///           infinite, or NaN where it is zero. A large mean does not cancel.
/// Error     as rms_norm.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      x read once from memory where a row fits the cache, y written once; no allocation,
///           with the exceptions of rms_norm.
/// Source    the "SimpleNorm" of image models that came from dividing by torch.var; the variance is
///           that of torch.var(x, unbiased=True).
template <detail::norm_input X, detail::norm_parameter W>
auto simple_norm(const X& x, const W& weight,
                 const simple_norm_options<detail::accumulator_of<X>>& options = {}) {
  return detail::make_norm<kernel::simple_formula>(
      detail::plan_rows("simple_norm", detail::source(x), options.axes), x, weight, none,
      {options.eps, 1, options.rounding, options.save});
}

template <detail::norm_input X>
auto simple_norm(const X& x, const simple_norm_options<detail::accumulator_of<X>>& options = {}) {
  return simple_norm(x, none, options);
}

}  // namespace tensornorm::inline TENSORNORM_ABI
