// tanh of a scaled norm, with a scale that learns.
#pragma once

#include "../eigen/functions.hpp"
#include "../eigen/layer_norm.hpp"
#include "../eigen/layer_norm_backward.hpp"
#include "norm_layer.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// What a TanhNorm is made of. alpha is where the scale begins.
struct tanh_norm_options {
  axis_range axes = -1;
  double eps = 1e-5;
  Eigen::Index correction = 0;
  double alpha = 1;
};

/// y = tanh(alpha · x̂),  x̂ = layer_norm(x), with one number alpha that learns.
///
/// Shapes    as layer_norm without parameters; alpha: 1.
/// Units     as layer_norm.
/// Types     as NormLayer, and so are Aliasing and Edges.
/// Error     that of tanh(layer_norm(x), alpha). dx is that of layer_norm_backward on dt = dy · (1 − y²), where
///           y is computed again in accumulator_t and dt rounded to Scalar. alpha_gradient is Σ dt · x̂, added
///           up over rows as gradients of weights are, then over elements in double.
/// Throws    std::invalid_argument: an eps that is negative or not finite; else as NormLayer.
/// Cost      forward that of layer_norm. backward that of both directions and a pass over dy and y, for which
///           it allocates memory, and two rows.
/// Source    the chain rule. tanh(alpha · x) in place of a norm is Zhu et al. 2025, arXiv:2503.10622.
template <class Scalar, class Parameter = Scalar>
class TanhNorm : public NormLayer<TanhNorm<Scalar, Parameter>, tanh_norm_options, Scalar, Parameter> {
  using base = NormLayer<TanhNorm, tanh_norm_options, Scalar, Parameter>;
  using typename base::accumulator;
  friend base;

 public:
  static constexpr const char* name = "TanhNorm";

  Eigen::Tensor<Parameter, 1> alpha, alpha_gradient;

  explicit TanhNorm(const tanh_norm_options& options = {}) : base(options) { base::start_parameters(); }

 private:
  using base::options_;

  template <class Self, class Visit>
  static void describe(Self& self, const Visit& visit) {
    visit({"alpha", 1, self.options_.alpha}, self.alpha, self.alpha_gradient);
  }
  template <class X>
  auto normalize(const X& x, statistics<accumulator>* save) const {
    return tensornorm::tanh(layer_norm(x, norm_options(save)), number(alpha(0)));
  }
  layer_norm_options<accumulator> norm_options(statistics<accumulator>* save) const {
    return {.axes = options_.axes, .eps = options_.eps, .correction = options_.correction, .save = save};
  }
  /// t = alpha · x̂ and y = tanh(t):  dt = dy · (1 − y²) goes back through a norm whose weights are all alpha,
  /// and their gradients add up to that of alpha.
  template <class DY, class X, class... Requests>
  void differentiate(const DY& dy, const X& x, const statistics<accumulator>& saved,
                     const Requests&... requests) {
    const auto& device = detail::device_of(requests...);
    auto y = detail::like(
        x.template cast<accumulator>());  // not Scalar: 16 bits of a y near 1 say nothing of 1 − y²
    assign(y, x.template cast<accumulator>(), device);
    assign(y, tensornorm::tanh(layer_norm(y, norm_options(nullptr)), number(alpha(0))), device);
    auto dt = detail::like(x);
    assign(dt, dy, device);
    // No product goes into a sum, so that nothing can be contracted and the bits are the same everywhere.
    const auto one = accumulator(1);
    flat(dt).device(device) =
        (flat(dt).template cast<accumulator>() * ((one - flat(y)) * (flat(y) + one))).template cast<Scalar>();

    const Eigen::Index elements = base::rows(detail::shape_of(x).size).elements;
    Eigen::Tensor<accumulator, 1> weight(elements);
    weight.setConstant(number(alpha(0)));
    Eigen::Tensor<double, 1> terms(elements);
    layer_norm_backward(dt, x, weight, saved,
                        {.axes = options_.axes, .eps = options_.eps, .correction = options_.correction},
                        grad_weight(terms), requests...);
    double sum = static_cast<double>(alpha_gradient(0));
    for (Eigen::Index i = 0; i < elements; ++i) sum += terms(i);
    alpha_gradient(0) = static_cast<Parameter>(static_cast<accumulator_t<Parameter>>(sum));
  }

  static accumulator number(Parameter p) { return static_cast<accumulator>(p); }

  template <class Y, class V, class Device>
  static void assign(Y& y, const V& value, const Device& device) {
    if constexpr (detail::any_tensor<Y>)
      y.device(device) = value;
    else
      y = value;
  }
  template <class Y>
  static auto flat(Y& y) {
    return Eigen::TensorMap<Eigen::Tensor<detail::scalar_of<Y>, 1>>(y.data(), y.size());
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI
