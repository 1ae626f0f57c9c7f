// What a caller chooses about a norm, by name:  layer_norm(x, w, b, {.axes = 1, .eps = 1e-6}).
#pragma once

#include <unsupported/Eigen/CXX11/Tensor>

#include "../config.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// The axes a norm runs over: one axis, or a run of neighbours {first, last}, both included.
/// Negative numbers count from the last axis. Axes are logical: storage order does not matter.
struct axis_range {
  int first;
  int last;

  constexpr axis_range(int axis) : first(axis), last(axis) {}
  constexpr axis_range(int first_axis, int last_axis) : first(first_axis), last(last_axis) {}
};

/// Where the result is rounded to the scalar type of x.
enum class rounding {
  once,           ///< At the end: the most accurate.
  before_weight,  ///< x·r is rounded, and the product with the weight once more: what
                  ///< `norm(x.float()).type_as(x) * weight` gives in models of the LLaMA class.
};

/// The statistics of each row, for a backward pass or for inspection: pass `.save = &saved`.
///
/// Shapes  one entry for each row, in the storage order of x with the normalized axes taken out
///         (so `Eigen::TensorMap<Tensor<T, R - 1, Layout>>(saved.rstd.data(), ...)` has their
///         shape). Resized when they do not fit. rms_norm leaves the means empty.
/// Units   mean + mean_residual is the mean, in units of x, to twice the precision of T; rstd is
///         r of the formulas, 1 / sqrt(... + eps).
/// Types   T = accumulator_t of the scalar of x.
template <class T>
struct statistics {
  Eigen::Tensor<T, 1> mean;
  Eigen::Tensor<T, 1> mean_residual;
  Eigen::Tensor<T, 1> rstd;
};

/// Options of rms_norm and simple_norm. eps is in units of x², inside the root.
template <class T>
struct rms_norm_options {
  axis_range axes = -1;
  double eps = 1e-6;
  tensornorm::rounding rounding = tensornorm::rounding::once;
  statistics<T>* save = nullptr;
};

template <class T>
using simple_norm_options = rms_norm_options<T>;

/// Options of layer_norm. The variance divides by N − correction.
template <class T>
struct layer_norm_options {
  axis_range axes = -1;
  double eps = 1e-5;
  Eigen::Index correction = 0;
  statistics<T>* save = nullptr;
};

/// Options of group_norm.
template <class T>
struct group_norm_options {
  double eps = 1e-5;
  statistics<T>* save = nullptr;
};

/// Options of rms_norm_backward and simple_norm_backward: those of the forward pass that matter. Where its
/// statistics were saved, eps does not.
struct rms_norm_backward_options {
  axis_range axes = -1;
  double eps = 1e-6;
};

using simple_norm_backward_options = rms_norm_backward_options;

/// Options of layer_norm_backward.
struct layer_norm_backward_options {
  axis_range axes = -1;
  double eps = 1e-5;
  Eigen::Index correction = 0;
};

/// Options of group_norm_backward.
struct group_norm_backward_options {
  double eps = 1e-5;
};

}  // namespace tensornorm::inline TENSORNORM_ABI
