// From the arguments of a public function to a checked call, and to the expression around it.
#pragma once

#include "expression.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// The constants of a call, gathered from the options of its function.
template <class T>
struct norm_constants {
  double eps;
  index correction = 0;
  tensornorm::rounding rounding = tensornorm::rounding::once;
  statistics<T>* save = nullptr;
};

template <class X, class W, class B>
constexpr void check_types() {
  using x = scalar_of<X>;
  static_assert(
      supported_scalar<x>,
      "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: cast x to one of these");
  static_assert(rank_of<X> > 0, "tensornorm normalizes over axes, and a scalar tensor has none: reshape x");
  static_assert(
      parameter_fits<parameter_scalar<W, X>, x> && parameter_fits<parameter_scalar<B, X>, x>,
      "weight and bias must have the scalar type of x or a wider one (float for half and bfloat16, double "
      "for all but double): cast them");
}

template <class Call, class X>
auto wrap(Call call, const X& x) {
  if constexpr (any_tensor<X>)
    return x.customOp(tensor_norm<Call>{std::move(call)});
  else
    return matrix_norm<Call, X>(std::move(call), x);
}

/// A norm over a run of axes, with a parameter for each normalized element.
template <class Formula, class X, class W, class B>
auto make_norm(const char* function, const X& x, const W& weight, const B& bias, axis_range range,
               const norm_constants<accumulator_t<scalar_of<X>>>& constants) {
  check_types<X, W, B>();
  const auto s = shape_of(x);
  check_sizes(function, s.size, sizeof(scalar_of<X>));
  const axis_run axes = checked_axes(function, range, s.size);
  const call_site site{function, s.size, axes.first, axes.last};
  const kernel::rows_shape rows = rows_of(s.size, axes, row_major<X>);
  check_formula(site, rows, constants.eps, constants.correction);
  const size_span normalized = size_span(s.size).subspan(axes.first, axes.last - axes.first + 1);
  using Call = norm_call<Formula, X, parameter_scalar<W, X>, parameter_scalar<B, X>>;
  return wrap(Call{function,
                   s,
                   axes,
                   rows,
                   strides_of(s.stride, axes, row_major<X>),
                   {},
                   read_parameter<X>(site, "weight", normalized, weight),
                   read_parameter<X>(site, "bias", normalized, bias),
                   constants.eps,
                   constants.correction,
                   constants.rounding,
                   constants.save},
              x);
}

/// A layer norm over groups of channels, with a parameter for each channel.
template <class X, class W, class B>
auto make_group_norm(const X& x, index groups, const W& weight, const B& bias,
                     const norm_constants<accumulator_t<scalar_of<X>>>& constants) {
  static_assert(any_tensor<X>,
                "group_norm takes a tensor of batch, channels and any further axes: wrap a matrix in a "
                "TensorMap");
  check_types<X, W, B>();
  static_assert(rank_of<X> > 1, "group_norm needs a batch axis and a channel axis: reshape x");
  const auto s = shape_of(x);
  check_sizes("group_norm", s.size, sizeof(scalar_of<X>));
  const call_site site{"group_norm", s.size, 1, 1};
  if (groups <= 0 || s.size[1] % groups != 0)
    fail("group_norm", "groups is ", groups, ", expected a divisor of the ", s.size[1], " channels", site);
  const index channels = s.size[1] / groups;
  const index positions = count_of(size_span(s.size).subspan(2));
  const index batch = s.size[0];
  const kernel::rows_shape rows{row_major<X> ? batch * groups : groups, row_major<X> ? 1 : batch, channels,
                                positions};
  const kernel::rows_strides strides{channels * s.stride[1], row_major<X> ? 0 : 1, s.stride[1],
                                     row_major<X> ? 1 : batch * s.size[1]};
  check_formula(site, rows, constants.eps, constants.correction);
  using Call = norm_call<kernel::layer_formula, X, parameter_scalar<W, X>, parameter_scalar<B, X>>;
  const size_span normalized(&s.size[1], 1);
  return wrap(Call{"group_norm",
                   s,
                   {1, s.size.size() - 1},
                   rows,
                   strides,
                   {true, groups},
                   read_parameter<X>(site, "weight", normalized, weight),
                   read_parameter<X>(site, "bias", normalized, bias),
                   constants.eps,
                   constants.correction,
                   constants.rounding,
                   constants.save},
              x);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
