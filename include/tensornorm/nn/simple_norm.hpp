// SimpleNorm with a weight that learns.
#pragma once

#include "../eigen/simple_norm.hpp"
#include "../eigen/simple_norm_backward.hpp"
#include "norm_layer.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// What a SimpleNorm is made of. dim is the number of normalized elements, all axes together.
struct simple_norm_layer_options {
  Eigen::Index dim = 0;
  axis_range axes = -1;
  double eps = 1e-6;
};

/// simple_norm with a weight that learns:  y = x · r · weight,  r = 1 / sqrt(var(x) + eps), the variance
/// unbiased, x not centred.
///
/// Shapes    as simple_norm; weight: dim. It begins as ones.
/// Units     as simple_norm.
/// Types     as NormLayer, and so are Aliasing, Edges and Cost.
/// Error     that of simple_norm and simple_norm_backward.
/// Throws    std::invalid_argument: dim below 2, an eps that is negative or not finite; else as NormLayer.
/// Source    that of simple_norm.
template <class Scalar, class Parameter = Scalar>
class SimpleNorm
    : public NormLayer<SimpleNorm<Scalar, Parameter>, simple_norm_layer_options, Scalar, Parameter> {
  using base = NormLayer<SimpleNorm, simple_norm_layer_options, Scalar, Parameter>;
  friend base;

 public:
  static constexpr const char* name = "SimpleNorm";

  Eigen::Tensor<Parameter, 1> weight, weight_gradient;

  explicit SimpleNorm(const simple_norm_layer_options& options) : base(options) {
    base::check_at_least("dim", options.dim, 2);
    base::start_parameters();
  }

 private:
  using base::options_;

  template <class Self, class Visit>
  static void describe(Self& self, const Visit& visit) {
    visit({"weight", self.options_.dim, 1}, self.weight, self.weight_gradient);
  }
  template <class X>
  auto normalize(const X& x, statistics<accumulator_t<Scalar>>* save) const {
    return simple_norm(x, weight, {.axes = options_.axes, .eps = options_.eps, .save = save});
  }
  template <class DY, class X, class... Requests>
  void differentiate(const DY& dy, const X& x, const statistics<accumulator_t<Scalar>>& saved,
                     const Requests&... requests) {
    simple_norm_backward(dy, x, weight, saved, {.axes = options_.axes, .eps = options_.eps},
                         grad_weight(weight_gradient, accumulate), requests...);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI
