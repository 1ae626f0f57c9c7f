// What the tests of norm layers share: one of each kind with parameters that are not where they begin, the
// function that each stands for, and derivatives by differences.
#pragma once

#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <tensornorm/tensornorm.hpp>
#include <tuple>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {

using index_nn = Eigen::Index;

/// The data and parameters of a typed test.
template <class Scalar, class Parameter>
struct layer_scalars {
  using scalar = Scalar;
  using parameter = Parameter;
};
struct layer_scalar_names {
  template <class T>
  static std::string GetName(int i) {
    const auto scalar = scalar_names::GetName<typename T::scalar>(i);
    const auto parameter = scalar_names::GetName<typename T::parameter>(i);
    return scalar == parameter ? scalar : scalar + "_with_" + parameter;
  }
};

/// A layer whose parameters are near, but not at, where they begin.
template <class Layer>
Layer with_learned_parameters(Layer layer) {
  std::uint32_t seed = 501;
  for (auto& p : layer.parameters()) {
    normal_source source(seed++);
    for (index_nn i = 0; i < p.value.size(); ++i)
      p.value(i) = narrow<typename Layer::parameter_type::Scalar>(static_cast<double>(widen(p.value(i))) +
                                                                  source(0, 0.25));
  }
  return layer;
}

/// Calls visit(layer, x) for each kind of layer and data of its shape. eps is large, so that it shows.
template <class Scalar, class Parameter, class Visit>
void for_each_layer(const Visit& visit) {
  const auto x3 = normal_tensor<row_major_tensor<Scalar, 3>>({4, 6, 5}, 502, 0.5, 1.5);
  const auto columns = normal_tensor<col_major_tensor<Scalar, 3>>({4, 6, 5}, 503, -0.5, 1.5);
  const auto call = [&](auto layer, const auto& x) {
    std::ostringstream text;
    text << layer.name << " on " << (x.Layout == int(Eigen::RowMajor) ? "rows" : "columns");
    const testing::ScopedTrace trace(__FILE__, __LINE__, text.str());
    visit(with_learned_parameters(std::move(layer)), x);
  };
  call(tn::RmsNorm<Scalar, Parameter>({.dim = 5, .eps = 0.3}), x3);
  call(tn::RmsNorm<Scalar, Parameter>({.dim = 30, .axes = {1, 2}, .eps = 0.3}), columns);
  call(tn::SimpleNorm<Scalar, Parameter>({.dim = 5, .eps = 0.3}), x3);
  call(tn::SimpleNorm<Scalar, Parameter>({.dim = 6, .axes = 1, .eps = 0.3}), x3);
  call(tn::LayerNorm<Scalar, Parameter>({.dim = 5, .eps = 0.3}), x3);
  call(tn::LayerNorm<Scalar, Parameter>({.dim = 6, .axes = 1, .eps = 0.3, .correction = 1}), x3);
  call(tn::LayerNorm<Scalar, Parameter>({.dim = 4, .axes = 0, .eps = 0.3, .bias = false}), columns);
  call(tn::GroupNorm<Scalar, Parameter>({.groups = 2, .channels = 6, .eps = 0.3}), x3);
  call(tn::GroupNorm<Scalar, Parameter>({.groups = 3, .channels = 6, .eps = 0.3, .bias = false}), columns);
  call(tn::TanhNorm<Scalar, Parameter>({.eps = 0.3, .alpha = 0.75}), x3);
  call(tn::TanhNorm<Scalar, Parameter>({.axes = 1, .eps = 0.3, .correction = 1, .alpha = 1.25}), x3);
}

/// y of the function that a layer stands for.
template <class S, class P, class X>
X function_of(const tn::RmsNorm<S, P>& l, const X& x) {
  return tn::rms_norm(x, l.weight, {.axes = l.options().axes, .eps = l.options().eps});
}
template <class S, class P, class X>
X function_of(const tn::SimpleNorm<S, P>& l, const X& x) {
  return tn::simple_norm(x, l.weight, {.axes = l.options().axes, .eps = l.options().eps});
}
template <class S, class P, class X>
X function_of(const tn::LayerNorm<S, P>& l, const X& x) {
  const auto& o = l.options();
  if (!o.bias) return tn::layer_norm(x, l.weight, {.axes = o.axes, .eps = o.eps, .correction = o.correction});
  return tn::layer_norm(x, l.weight, l.bias, {.axes = o.axes, .eps = o.eps, .correction = o.correction});
}
template <class S, class P, class X>
X function_of(const tn::GroupNorm<S, P>& l, const X& x) {
  if (!l.options().bias) return tn::group_norm(x, l.options().groups, l.weight, {.eps = l.options().eps});
  return tn::group_norm(x, l.options().groups, l.weight, l.bias, {.eps = l.options().eps});
}
template <class S, class P, class X>
X function_of(const tn::TanhNorm<S, P>& l, const X& x) {
  const auto& o = l.options();
  return tn::tanh(tn::layer_norm(x, {.axes = o.axes, .eps = o.eps, .correction = o.correction}),
                  static_cast<double>(l.alpha(0)));
}

/// Σ dy · y in long double: a loss whose gradient at y is dy.
template <class Layer, class X>
real loss_of(const Layer& layer, const X& x, const X& dy) {
  const X y = layer(x);
  const auto a = elements_of(y), b = elements_of(dy);
  real sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += widen(a[i]) * widen(b[i]);
  return sum;
}

/// How far the gradient is at most from the derivative of loss() for each of these numbers, taken by central
/// differences, relative to the largest.
template <class Values, class Gradient, class Loss>
real worst_difference(Values& values, const Gradient& gradient, double h, const Loss& loss) {
  real worst = 0, largest = 0;
  for (index_nn i = 0; i < values.size(); ++i) {
    auto& value = values.data()[i];
    const auto before = value;
    value = before + h;
    const real up = loss(), width_up = value;
    value = before - h;
    const real difference = (up - loss()) / (width_up - value);
    value = before;
    const real error = std::abs(gradient.data()[i] - difference);
    if (!(error <= worst)) worst = error;  // a NaN stays
    largest = std::max(largest, std::abs(difference));
  }
  return worst / largest;
}

/// The same layer in double.
template <template <class, class> class Layer, class S, class P>
Layer<double, double> widened(Layer<S, P>& layer) {
  Layer<double, double> wide(layer.options());
  auto to = wide.parameters();
  const auto from = layer.parameters();
  for (std::size_t i = 0; i < from.size(); ++i)
    for (index_nn j = 0; j < from[i].value.size(); ++j)
      to[i].value(j) = static_cast<double>(widen(from[i].value(j)));
  return wide;
}
template <class S, int Rank, int Layout>
Eigen::Tensor<double, Rank, Layout> widened(const Eigen::Tensor<S, Rank, Layout>& x) {
  Eigen::Tensor<double, Rank, Layout> wide(x.dimensions());
  for (index_nn i = 0; i < x.size(); ++i) wide.data()[i] = static_cast<double>(widen(x.data()[i]));
  return wide;
}

template <class T>
real largest_of(const std::vector<T>& values) {
  real largest = 0;
  for (const T& value : values) largest = std::max(largest, std::abs(widen(value)));
  return largest;
}

/// All numbers that backward() adds to, one list after another.
template <class Layer>
auto gradients_of(Layer layer) {
  std::vector<typename Layer::parameter_type::Scalar> all;
  for (const auto& p : layer.parameters())
    all.insert(all.end(), p.gradient.data(), p.gradient.data() + p.gradient.size());
  return all;
}

/// The call throws exactly this text.
template <class Call>
void expect_error(const std::string& text, const Call& call) {
  EXPECT_THAT(call, testing::ThrowsMessage<std::invalid_argument>(testing::StrEq(text)));
}

}  // namespace tensornorm_test
