// GroupNorm with a weight and a bias that learn.
#pragma once

#include "../eigen/group_norm.hpp"
#include "../eigen/group_norm_backward.hpp"
#include "norm_layer.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// What a GroupNorm is made of. groups = channels is instance norm.
struct group_norm_layer_options {
  Eigen::Index groups = 1;
  Eigen::Index channels = 0;
  double eps = 1e-5;
  bool bias = true;
};

/// group_norm with a weight and a bias that learn, one of each for each channel.
///
/// Shapes    as group_norm; weight: channels, beginning as ones; bias: channels, beginning as zeros, or empty
///           without bias.
/// Units     as group_norm.
/// Types     as NormLayer, and so are Aliasing, Edges and Cost.
/// Error     that of group_norm and group_norm_backward.
/// Throws    std::invalid_argument: groups or channels below 1, groups that do not divide channels, an eps
///           that is negative or not finite; else as NormLayer.
/// Source    Wu and He 2018, arXiv:1803.08494.
template <class Scalar, class Parameter = Scalar>
class GroupNorm
    : public NormLayer<GroupNorm<Scalar, Parameter>, group_norm_layer_options, Scalar, Parameter> {
  using base = NormLayer<GroupNorm, group_norm_layer_options, Scalar, Parameter>;
  friend base;

 public:
  static constexpr const char* name = "GroupNorm";

  Eigen::Tensor<Parameter, 1> weight, weight_gradient;
  Eigen::Tensor<Parameter, 1> bias, bias_gradient;

  explicit GroupNorm(const group_norm_layer_options& options) : base(options) {
    base::check_at_least("groups", options.groups, 1);
    base::check_at_least("channels", options.channels, 1);
    if (options.channels % options.groups != 0)
      detail::fail(name, "groups is ", options.groups, ", expected a divisor of the ", options.channels,
                   " channels");
    base::start_parameters();
  }

 private:
  using base::options_;

  template <class Self, class Visit>
  static void describe(Self& self, const Visit& visit) {
    visit({"weight", self.options_.channels, 1}, self.weight, self.weight_gradient);
    visit({"bias", self.options_.bias ? self.options_.channels : 0, 0}, self.bias, self.bias_gradient);
  }
  detail::row_counts rows(detail::size_span size) const {
    if (size.size() < 2 || size[1] != options_.channels)
      detail::fail(name, "x has shape ", detail::shape_text(size), ", expected ", options_.channels,
                   " channels in axis 1");
    const Eigen::Index rows = size[0] * options_.groups;
    return {rows, rows == 0 ? 0 : detail::count_of(size) / rows};
  }
  template <class X>
  auto normalize(const X& x, statistics<accumulator_t<Scalar>>* save) const {
    return group_norm(x, options_.groups, weight, detail::unless_empty(bias),
                      {.eps = options_.eps, .save = save});
  }
  template <class DY, class X, class... Requests>
  void differentiate(const DY& dy, const X& x, const statistics<accumulator_t<Scalar>>& saved,
                     const Requests&... requests) {
    const auto run = [&](const auto&... of_bias) {
      group_norm_backward(dy, x, options_.groups, weight, saved, {.eps = options_.eps},
                          grad_weight(weight_gradient, accumulate), of_bias..., requests...);
    };
    if (options_.bias)
      run(grad_bias(bias_gradient, accumulate));
    else
      run();
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI
