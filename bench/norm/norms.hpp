// Each norm three times: by this library, and as the two expressions that a good Eigen user would write.
#pragma once

#include <cmath>

#include "views.hpp"

namespace bench {

template <class X>
auto widen(const X& x) {
  using scalar = typename X::Scalar;
  if constexpr (sizeof(scalar) == 2)
    return x.template cast<float>();
  else
    return x;
}

/// The shapes of broadcasting along one axis of a tensor: a statistic has 1 there, a parameter 1 elsewhere.
template <class X>
struct broadcasting {
  using sizes = Eigen::DSizes<Eigen::Index, X::NumDimensions>;

  broadcasting(const X& x, int axis) : axes{axis}, statistic(x.dimensions()), parameter(x.dimensions()) {
    for (int i = 0; i < X::NumDimensions; ++i) {
      const auto d = static_cast<std::size_t>(i);
      (i == axis ? statistic : parameter)[d] = 1;
      statistic_times[d] = i == axis ? x.dimensions()[d] : 1;
      parameter_times[d] = i == axis ? 1 : x.dimensions()[d];
    }
  }

  Eigen::array<int, 1> axes;
  sizes statistic;
  sizes parameter;
  sizes statistic_times;
  sizes parameter_times;
};

/// A statistic, evaluated: a lazy one would be computed again for each element.
template <class X>
using statistic_of = Eigen::Tensor<wide_t<typename X::Scalar>, X::NumDimensions, X::Layout>;

/// y = x · r · weight over a whole tensor.
template <class X, class R, class P, class Y, class By, class Device>
void scale_tensor(const X& x, const R& r, const P& weight, Y& y, const By& by, const Device& device) {
  y.device(device) =
      (x * r.broadcast(by.statistic_times) * weight.reshape(by.parameter).broadcast(by.parameter_times))
          .template cast<typename Y::Scalar>();
}

struct rms_norm {
  static constexpr const char* name = "rms_norm";

  template <class X, class P>
  static auto tensornorm(const X& x, const P& weight, const P&, int axis) {
    return tn::rms_norm(x, weight, {.axes = axis});
  }

  /// One row. All three are float or double.
  template <class X, class P, class Y>
  static void eigen_row(const X& x, const P& weight, const P&, Y&& y) {
    using scalar = typename P::Scalar;
    y = x * (1 / std::sqrt(x.square().mean() + scalar(1e-6))) * weight.transpose();
  }

  /// Many columns at once, each normalized from top to bottom.
  template <class X, class P, class Y>
  static void eigen_columns(const X& x, const P& weight, const P&, Y&& y) {
    using scalar = typename P::Scalar;
    const auto r = (x.square().colwise().mean() + scalar(1e-6)).rsqrt().eval();
    y = (x.rowwise() * r).colwise() * weight;
  }

  /// A whole tensor, over one axis.
  template <class X, class P, class Y, class Device>
  static void eigen_tensor(const X& data, const P& weight, const P&, Y& y, int axis, const Device& device) {
    using scalar = wide_t<typename X::Scalar>;
    const broadcasting<X> by(data, axis);
    const auto x = widen(data);
    statistic_of<X> r(by.statistic);
    r.device(device) = (x.square().mean(by.axes) + scalar(1e-6)).rsqrt().reshape(by.statistic);
    scale_tensor(x, r, weight, y, by, device);
  }
};

struct simple_norm {
  static constexpr const char* name = "simple_norm";

  template <class X, class P>
  static auto tensornorm(const X& x, const P& weight, const P&, int axis) {
    return tn::simple_norm(x, weight, {.axes = axis});
  }

  template <class X, class P, class Y>
  static void eigen_row(const X& x, const P& weight, const P&, Y&& y) {
    using scalar = typename P::Scalar;
    const scalar variance = (x - x.mean()).square().sum() / scalar(x.size() - 1);
    y = x * (1 / std::sqrt(variance + scalar(1e-6))) * weight.transpose();
  }

  template <class X, class P, class Y>
  static void eigen_columns(const X& x, const P& weight, const P&, Y&& y) {
    using scalar = typename P::Scalar;
    const auto mean = x.colwise().mean().eval();
    const auto squares = (x.rowwise() - mean).square().colwise().sum();
    const auto r = (squares / scalar(x.rows() - 1) + scalar(1e-6)).rsqrt().eval();
    y = (x.rowwise() * r).colwise() * weight;
  }

  template <class X, class P, class Y, class Device>
  static void eigen_tensor(const X& data, const P& weight, const P&, Y& y, int axis, const Device& device) {
    using scalar = wide_t<typename X::Scalar>;
    const broadcasting<X> by(data, axis);
    const auto x = widen(data);
    statistic_of<X> mean(by.statistic), r(by.statistic);
    mean.device(device) = x.mean(by.axes).reshape(by.statistic);
    r.device(device) =
        ((x - mean.broadcast(by.statistic_times)).square().sum(by.axes) / scalar(data.dimension(axis) - 1) +
         scalar(1e-6))
            .rsqrt()
            .reshape(by.statistic);
    scale_tensor(x, r, weight, y, by, device);
  }
};

struct layer_norm {
  static constexpr const char* name = "layer_norm";

  template <class X, class P>
  static auto tensornorm(const X& x, const P& weight, const P& bias, int axis) {
    return tn::layer_norm(x, weight, bias, {.axes = axis});
  }

  template <class X, class P, class Y>
  static void eigen_row(const X& x, const P& weight, const P& bias, Y&& y) {
    using scalar = typename P::Scalar;
    const scalar mean = x.mean();
    const scalar r = 1 / std::sqrt((x - mean).square().mean() + scalar(1e-5));
    y = (x - mean) * r * weight.transpose() + bias.transpose();
  }

  template <class X, class P, class Y>
  static void eigen_columns(const X& x, const P& weight, const P& bias, Y&& y) {
    using scalar = typename P::Scalar;
    const auto mean = x.colwise().mean().eval();
    const auto r = ((x.rowwise() - mean).square().colwise().mean() + scalar(1e-5)).rsqrt().eval();
    y = (((x.rowwise() - mean).rowwise() * r).colwise() * weight).colwise() + bias;
  }

  template <class X, class P, class Y, class Device>
  static void eigen_tensor(const X& data, const P& weight, const P& bias, Y& y, int axis,
                           const Device& device) {
    using scalar = wide_t<typename X::Scalar>;
    const broadcasting<X> by(data, axis);
    const auto x = widen(data);
    statistic_of<X> mean(by.statistic), r(by.statistic);
    mean.device(device) = x.mean(by.axes).reshape(by.statistic);
    const auto centred = x - mean.broadcast(by.statistic_times);
    r.device(device) = (centred.square().mean(by.axes) + scalar(1e-5)).rsqrt().reshape(by.statistic);
    y.device(device) = (centred * r.broadcast(by.statistic_times) *
                            weight.reshape(by.parameter).broadcast(by.parameter_times) +
                        bias.reshape(by.parameter).broadcast(by.parameter_times))
                           .template cast<typename Y::Scalar>();
  }
};

}  // namespace bench
