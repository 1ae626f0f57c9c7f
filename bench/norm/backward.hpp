// The backward pass of each norm twice: by this library, and row by row as a good Eigen user would write it.
// Both are handed the statistics that the forward pass saved.
#pragma once

#include <cmath>

#include "views.hpp"

namespace bench {

/// What the forward passes save, by their formulas. Rows of the array are the members of `extents`.
template <class Scalar>
void save_statistics(const Scalar* data, const extents& e, bool with_mean, bool centred, index correction,
                     double eps, tn::statistics<wide_t<Scalar>>& saved) {
  using block = Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using wide = wide_t<Scalar>;
  const index rows = e.outer * e.inner;
  saved.rstd.resize(rows);
  if (with_mean) {
    saved.mean.resize(rows);
    saved.mean_residual.resize(rows);
    saved.mean_residual.setZero();
  }
  for (index row = 0; row < rows; ++row) {
    const Eigen::Map<const block> all(data + row / e.inner * e.size * e.inner, e.size, e.inner);
    const auto x = all.col(row % e.inner).template cast<wide>();
    const wide mean = x.mean();
    const wide squares = centred ? (x - mean).square().sum() : x.square().sum();
    saved.rstd(row) = 1 / std::sqrt(squares / wide(e.size - correction) + wide(eps));
    if (with_mean) saved.mean(row) = mean;
  }
}

/// Where the gradients go.
template <class Scalar>
struct gradient_destinations {
  Eigen::Tensor<Scalar, 1> weight;
  Eigen::Tensor<Scalar, 1> bias;
  tn::workspace workspace;
};

struct rms_norm_backward {
  static constexpr const char* name = "rms_norm_backward";

  template <class Scalar>
  static void save(const Scalar* x, const extents& e, tn::statistics<wide_t<Scalar>>& saved) {
    save_statistics(x, e, false, false, 0, 1e-6, saved);
  }

  template <class X, class Y, class P, class Saved, class To, class Device>
  static void tensornorm(const X& dy, const X& x, const P& weight, const Saved& saved, int axis, Y& dx,
                         To& to, const Device& device) {
    tn::rms_norm_backward(dy, x, weight, saved, {.axes = axis}, tn::grad_x(dx), tn::grad_weight(to.weight),
                          tn::on(device), tn::use_workspace(to.workspace));
  }

  /// One row. dweight and dbias gather what all rows add.
  template <class X, class P, class DX, class T>
  static void eigen_row(const X& dy, const X& x, const P& weight, T, T r, DX&& dx, P& dweight, P&) {
    const auto g = dy * weight.transpose();
    const T pull = r * r * r / T(x.size()) * (g * x).sum();
    dx = r * g - pull * x;
    dweight += (dy * x * r).transpose();
  }
};

struct simple_norm_backward {
  static constexpr const char* name = "simple_norm_backward";

  template <class Scalar>
  static void save(const Scalar* x, const extents& e, tn::statistics<wide_t<Scalar>>& saved) {
    save_statistics(x, e, true, true, 1, 1e-6, saved);
  }

  template <class X, class Y, class P, class Saved, class To, class Device>
  static void tensornorm(const X& dy, const X& x, const P& weight, const Saved& saved, int axis, Y& dx,
                         To& to, const Device& device) {
    tn::simple_norm_backward(dy, x, weight, saved, {.axes = axis}, tn::grad_x(dx), tn::grad_weight(to.weight),
                             tn::on(device), tn::use_workspace(to.workspace));
  }

  template <class X, class P, class DX, class T>
  static void eigen_row(const X& dy, const X& x, const P& weight, T mean, T r, DX&& dx, P& dweight, P&) {
    const auto g = dy * weight.transpose();
    const T pull = r * r * r / T(x.size() - 1) * (g * x).sum();
    dx = r * g - pull * (x - mean);
    dweight += (dy * x * r).transpose();
  }
};

struct layer_norm_backward {
  static constexpr const char* name = "layer_norm_backward";

  template <class Scalar>
  static void save(const Scalar* x, const extents& e, tn::statistics<wide_t<Scalar>>& saved) {
    save_statistics(x, e, true, true, 0, 1e-5, saved);
  }

  template <class X, class Y, class P, class Saved, class To, class Device>
  static void tensornorm(const X& dy, const X& x, const P& weight, const Saved& saved, int axis, Y& dx,
                         To& to, const Device& device) {
    tn::layer_norm_backward(dy, x, weight, saved, {.axes = axis}, tn::grad_x(dx), tn::grad_weight(to.weight),
                            tn::grad_bias(to.bias), tn::on(device), tn::use_workspace(to.workspace));
  }

  template <class X, class P, class DX, class T>
  static void eigen_row(const X& dy, const X& x, const P& weight, T mean, T r, DX&& dx, P& dweight,
                        P& dbias) {
    const auto g = dy * weight.transpose();
    const auto normalized = (x - mean) * r;
    const T mean_g = g.mean();
    const T mean_product = (g * normalized).mean();
    dx = r * (g - mean_g - normalized * mean_product);
    dweight += (dy * normalized).transpose();
    dbias += dy.transpose();
  }
};

}  // namespace bench
