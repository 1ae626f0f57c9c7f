// LayerNorm with a weight and a bias that learn.
#pragma once

#include <algorithm>

#include "../eigen/layer_norm.hpp"
#include "../eigen/layer_norm_backward.hpp"
#include "norm_layer.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// What a LayerNorm is made of. dim is the number of normalized elements, all axes together.
struct layer_norm_layer_options {
  Eigen::Index dim = 0;
  axis_range axes = -1;
  double eps = 1e-5;
  Eigen::Index correction = 0;
  bool bias = true;
};

/// layer_norm with a weight and a bias that learn:  y = (x − μ) · r · weight + bias,
/// r = 1 / sqrt(Σ(x − μ)² / (N − correction) + eps).
///
/// Shapes    as layer_norm; weight: dim, beginning as ones; bias: dim, beginning as zeros, or empty
///           without bias.
/// Units     as layer_norm.
/// Types     as NormLayer, and so are Aliasing, Edges and Cost.
/// Error     that of layer_norm and layer_norm_backward.
/// Throws    std::invalid_argument: dim below 1 or not above the correction, an eps that is negative or not
///           finite; else as NormLayer.
/// Source    Ba, Kiros and Hinton 2016, arXiv:1607.06450.
template <class Scalar, class Parameter = Scalar>
class LayerNorm
    : public NormLayer<LayerNorm<Scalar, Parameter>, layer_norm_layer_options, Scalar, Parameter> {
  using base = NormLayer<LayerNorm, layer_norm_layer_options, Scalar, Parameter>;
  friend base;

 public:
  static constexpr const char* name = "LayerNorm";

  Eigen::Tensor<Parameter, 1> weight, weight_gradient;
  Eigen::Tensor<Parameter, 1> bias, bias_gradient;

  explicit LayerNorm(const layer_norm_layer_options& options) : base(options) {
    base::check_at_least("dim", options.dim, std::max<Eigen::Index>(1, 1 + options.correction));
    base::start_parameters();
  }

 private:
  using base::options_;

  template <class Self, class Visit>
  static void describe(Self& self, const Visit& visit) {
    visit({"weight", self.options_.dim, 1}, self.weight, self.weight_gradient);
    visit({"bias", self.options_.bias ? self.options_.dim : 0, 0}, self.bias, self.bias_gradient);
  }
  template <class X>
  auto normalize(const X& x, statistics<accumulator_t<Scalar>>* save) const {
    return layer_norm(
        x, weight, detail::unless_empty(bias),
        {.axes = options_.axes, .eps = options_.eps, .correction = options_.correction, .save = save});
  }
  template <class DY, class X, class... Requests>
  void differentiate(const DY& dy, const X& x, const statistics<accumulator_t<Scalar>>& saved,
                     const Requests&... requests) {
    const auto run = [&](const auto&... of_bias) {
      layer_norm_backward(dy, x, weight, saved,
                          {.axes = options_.axes, .eps = options_.eps, .correction = options_.correction},
                          grad_weight(weight_gradient, accumulate), of_bias..., requests...);
    };
    if (options_.bias)
      run(grad_bias(bias_gradient, accumulate));
    else
      run();
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI
