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
constexpr void check_parameter_types() {
  using x = scalar_of<X>;
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

/// A norm over the rows of a plan.
template <class Formula, class X, class W, class B>
auto make_norm(const row_plan<X>& plan, const X& x, const W& weight, const B& bias,
               const norm_constants<accumulator_t<scalar_of<X>>>& constants) {
  check_parameter_types<X, W, B>();
  const call_site site = plan.site();
  check_formula(site, plan.rows, constants.eps, constants.correction);
  using Call = norm_call<Formula, X, parameter_scalar<W, X>, parameter_scalar<B, X>>;
  return wrap(Call{plan.function, plan.shape, plan.axes, plan.rows, plan.strides(plan.shape.stride),
                   plan.parameters, read_parameter<X>(site, "weight", plan.normalized(), weight),
                   read_parameter<X>(site, "bias", plan.normalized(), bias), constants.eps,
                   constants.correction, constants.rounding, constants.save},
              x);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
