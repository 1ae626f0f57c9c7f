// The gradients of SimpleNorm.
#pragma once

#include "make_backward.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// The gradients of simple_norm:  dx = r·g − (r³/(N−1))·(x−μ)·Σ(g·x),  g = dy·weight,
/// dweight = Σ over rows of dy·x·r. In y x is not centred, in r it is: the sum is that of rms_norm, the
/// direction that of layer_norm.
///
/// Shapes    dy and dx as x; grad_weight the normalized shape, or flat. Without a
///           destination among the requests a struct of all gradients is returned, in the types and
///           shapes of x and weight.
/// Requests  grad_x(dx), grad_weight(dw), each alone or together, each to overwrite
///           or to accumulate; plus_gradient(ds) and grad_branch(db, alpha) for a residual
///           connection; on(device); use_workspace(ws). In any order.
/// Types     those of simple_norm; dy and dx have the scalar of x. Sums in accumulator_t; one rounding.
/// Aliasing  dx may be dy or x, exactly. Any other overlap of results with arguments throws.
/// Edges     no rows: gradients of parameters are zeros. A NaN stays in its row of dx.
/// Bits      the same with saved statistics or without, in any layout, on any number of threads, with
///           AVX2 or AVX-512; those of dx also in any batch.
/// Error     dx: 32 eps(T) · max|dx of the row|, or 4 eps(T) of the largest of the terms that cancel;
///           parameters: 8 eps(T) · Σ|terms|, however many rows.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      x and dy read once from memory, dx written once; statistics that are not given cost what
///           they cost in the forward pass. Rows that lie across memory are copied, 16 at a time. Memory
///           for gradients of parameters: at most 64 times their number, allocated unless
///           use_workspace() brings it.
template <detail::eigen_argument DY, detail::eigen_argument X, detail::norm_parameter W,
          detail::gradient_request... R>
auto simple_norm_backward(const DY& dy, const X& x, const W& weight,
                          const statistics<accumulator_t<detail::scalar_of<X>>>& saved,
                          const simple_norm_backward_options& options, const R&... requests) {
  return detail::make_backward<kernel::simple_formula>(
      detail::plan_rows("simple_norm_backward", x, options.axes), dy, x, weight, &saved, {options.eps, 1},
      requests...);
}

template <detail::eigen_argument DY, detail::eigen_argument X, detail::norm_parameter W,
          detail::gradient_request... R>
auto simple_norm_backward(const DY& dy, const X& x, const W& weight,
                          const statistics<accumulator_t<detail::scalar_of<X>>>& saved,
                          const R&... requests) {
  return simple_norm_backward(dy, x, weight, saved, simple_norm_backward_options{}, requests...);
}

template <detail::eigen_argument DY, detail::eigen_argument X, detail::norm_parameter W,
          detail::gradient_request... R>
auto simple_norm_backward(const DY& dy, const X& x, const W& weight,
                          const simple_norm_backward_options& options, const R&... requests) {
  return detail::make_backward<kernel::simple_formula>(
      detail::plan_rows("simple_norm_backward", x, options.axes), dy, x, weight, nullptr, {options.eps, 1},
      requests...);
}

template <detail::eigen_argument DY, detail::eigen_argument X, detail::norm_parameter W,
          detail::gradient_request... R>
auto simple_norm_backward(const DY& dy, const X& x, const W& weight, const R&... requests) {
  return simple_norm_backward(dy, x, weight, simple_norm_backward_options{}, requests...);
}

}  // namespace tensornorm::inline TENSORNORM_ABI
