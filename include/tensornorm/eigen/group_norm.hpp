// GroupNorm for Eigen tensors; with as many groups as channels it is instance norm.
#pragma once

#include "make_norm.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// GroupNorm: the channels (axis 1) are split into groups of neighbours, and each group of each
/// sample is normalized as by layer_norm over its channels and all further axes; weight and bias
/// have one entry for each channel.
///
/// Shapes    x, y: batch x channels x any further axes (N,C; N,C,L; N,C,H,W; ...); weight and bias:
///           channels, or none. groups divides channels; groups = channels is instance norm.
/// Units     eps is in units of x², inside the root. The variance divides by N.
/// Types     float, double, half, bfloat16; weight and bias of the same type or wider.
/// Aliasing  y may be x. Any other overlap throws. The expression refers to its arguments until it
///           is evaluated.
/// Edges     as layer_norm, for each group.
/// Error     as layer_norm.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      as layer_norm.
/// Source    Wu and He 2018, arXiv:1803.08494.
template <detail::norm_input X, detail::norm_parameter W, detail::norm_parameter B>
auto group_norm(const X& x, Eigen::Index groups, const W& weight, const B& bias,
                const group_norm_options<detail::accumulator_of<X>>& options = {}) {
  return detail::make_norm<kernel::layer_formula>(
      detail::plan_groups("group_norm", detail::source(x), groups), x, weight, bias,
      {options.eps, 0, rounding::once, options.save});
}

template <detail::norm_input X, detail::norm_parameter W>
auto group_norm(const X& x, Eigen::Index groups, const W& weight,
                const group_norm_options<detail::accumulator_of<X>>& options = {}) {
  return group_norm(x, groups, weight, none, options);
}

template <detail::norm_input X>
auto group_norm(const X& x, Eigen::Index groups,
                const group_norm_options<detail::accumulator_of<X>>& options = {}) {
  return group_norm(x, groups, none, none, options);
}

}  // namespace tensornorm::inline TENSORNORM_ABI
