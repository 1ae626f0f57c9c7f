// What may be fused with a norm, three times: fused; step by step, where the norm is this library's and the
// rest Eigen's; and by Eigen alone, row by row, so that what one step writes is in the cache for the next.
#pragma once

#include <cmath>
#include <unsupported/Eigen/SpecialFunctions>

#include "views.hpp"

namespace bench {

template <class Scalar>
using rows_map = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

/// Everything that a benchmark of fusion works on: rows of the same shape, and what goes with them.
template <class Scalar>
struct fused_memory {
  using tensor = Eigen::TensorMap<Eigen::Tensor<Scalar, 2, Eigen::RowMajor>>;
  using quantized = Eigen::Tensor<signed char, 2, Eigen::RowMajor>;

  fused_memory(Scalar* x_data, Scalar* skip_data, Scalar* sum_data, Scalar* y_data, const extents& e,
               const std::vector<Scalar>& w, const std::vector<Scalar>& b)
      : x(x_data, e.outer, e.size),
        skip(skip_data, e.outer, e.size),
        sum(sum_data, e.outer, e.size),
        y(y_data, e.outer, e.size),
        weight(tensor_view<Scalar, 2, Eigen::RowMajor>::copy_of(w)),
        bias(tensor_view<Scalar, 2, Eigen::RowMajor>::copy_of(b)),
        eigen_weight(wide_array_of(w)),
        eigen_bias(wide_array_of(b)) {}

  void add_quantized() {
    q.resize(x.dimensions());
    q.setZero();
    scales.resize(x.dimension(0));
    scales.setZero();
  }

  rows_map<Scalar> rows(tensor& t) { return {t.data(), t.dimension(0), t.dimension(1)}; }
  Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>> all(tensor& t) { return {t.data(), t.size()}; }

  tensor x, skip, sum, y;
  Eigen::Tensor<Scalar, 1, Eigen::RowMajor> weight, bias;
  wide_array<Scalar> eigen_weight, eigen_bias;
  quantized q;
  Eigen::Tensor<wide_t<Scalar>, 1> scales;
};

/// RMSNorm of one row, for Eigen alone.
template <class X, class P, class Y>
void eigen_rms_row(const X& x, const P& weight, Y&& y) {
  using scalar = typename P::Scalar;
  y = x * (1 / std::sqrt(x.square().mean() + scalar(1e-6))) * weight.transpose();
}

template <class X, class P, class Y>
void eigen_layer_row(const X& x, const P& weight, const P& bias, Y&& y) {
  using scalar = typename P::Scalar;
  const scalar mean = x.mean();
  const scalar r = 1 / std::sqrt((x - mean).square().mean() + scalar(1e-5));
  y = (x - mean) * r * weight.transpose() + bias.transpose();
}

/// s = x + skip, y = rms_norm(s). Reads two arrays and writes two.
struct residual_rms_norm {
  static constexpr const char* name = "residual_rms_norm";
  static constexpr double reads = 2, writes = 2;
  static constexpr bool quantizes = false;

  template <class Memory>
  static void fused(Memory& m) {
    m.y = tn::rms_norm(tn::residual(m.x, m.skip, m.sum), m.weight);
  }
  template <class Memory>
  static void unfused(Memory& m) {
    m.sum = m.x + m.skip;
    m.y = tn::rms_norm(m.sum, m.weight);
  }
  template <class Memory>
  static void eigen(Memory& m) {
    auto x = m.rows(m.x), skip = m.rows(m.skip), sum = m.rows(m.sum), y = m.rows(m.y);
    for (index row = 0; row < x.rows(); ++row) {
      sum.row(row) = x.row(row) + skip.row(row);
      eigen_rms_row(sum.row(row), m.eigen_weight, y.row(row));
    }
  }
};

/// q = round(y / scale) with scale = max|y| / 127 of each row of y = rms_norm(x).
struct rms_norm_quantize {
  static constexpr const char* name = "rms_norm_quantize";
  static constexpr double reads = 1, writes = 0;  // and a byte
  static constexpr bool quantizes = true;

  template <class Memory>
  static void fused(Memory& m) {
    tn::quantize(tn::rms_norm(m.x, m.weight), m.q, m.scales);
  }
  template <class Memory>
  static void unfused(Memory& m) {
    m.y = tn::rms_norm(m.x, m.weight);
    auto y = m.rows(m.y);
    for (index row = 0; row < y.rows(); ++row) quantize_row(y.row(row), row, m);
  }
  template <class Memory>
  static void eigen(Memory& m) {
    auto x = m.rows(m.x);
    Eigen::Array<typename Memory::tensor::Scalar, 1, Eigen::Dynamic> y(x.cols());
    for (index row = 0; row < x.rows(); ++row) {
      eigen_rms_row(x.row(row), m.eigen_weight, y);
      quantize_row(y, row, m);
    }
  }

 private:
  template <class Y, class Memory>
  static void quantize_row(const Y& y, index row, Memory& m) {
    using scalar = typename Y::Scalar;
    const scalar scale = y.abs().maxCoeff() / 127;
    m.scales(row) = scale;
    const scalar inverse = scale > 0 ? 1 / scale : 0;
    rows_map<signed char> q(m.q.data(), m.q.dimension(0), m.q.dimension(1));
    q.row(row) = (y * inverse).rint().template cast<signed char>();
  }
};

/// y = f(layer_norm(x)).
template <class Function>
struct layer_norm_then {
  static constexpr const char* name = Function::name;
  static constexpr double reads = 1, writes = 1;
  static constexpr bool quantizes = false;

  template <class Memory>
  static void fused(Memory& m) {
    m.y = Function::fused(tn::layer_norm(m.x, m.weight, m.bias));
  }
  template <class Memory>
  static void unfused(Memory& m) {
    m.y = tn::layer_norm(m.x, m.weight, m.bias);
    auto y = m.all(m.y);
    y = Function::eigen(y);
  }
  template <class Memory>
  static void eigen(Memory& m) {
    auto x = m.rows(m.x), y = m.rows(m.y);
    for (index row = 0; row < x.rows(); ++row) {
      eigen_layer_row(x.row(row), m.eigen_weight, m.eigen_bias, y.row(row));
      y.row(row) = Function::eigen(y.row(row));
    }
  }
};

struct gelu_function {
  static constexpr const char* name = "layer_norm_gelu";
  template <class Norm>
  static auto fused(const Norm& norm) {
    return tn::gelu(norm);
  }
  template <class Y>
  static auto eigen(const Y& y) {
    using scalar = typename Y::Scalar;
    return scalar(0.5) * y * (scalar(1) + (y * scalar(0.70710678118654752)).erf());
  }
};

struct silu_function {
  static constexpr const char* name = "layer_norm_silu";
  template <class Norm>
  static auto fused(const Norm& norm) {
    return tn::silu(norm);
  }
  template <class Y>
  static auto eigen(const Y& y) {
    return y * y.logistic();
  }
};

}  // namespace bench
