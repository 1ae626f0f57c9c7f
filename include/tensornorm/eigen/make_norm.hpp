// From the arguments of a public function to a checked call, and to the expression around it.
#pragma once

#include "fused_call.hpp"

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

/// The expression of a call on x.
template <class Call, class X>
auto wrap(Call call, const X& x) {
  if constexpr (any_tensor<X>)
    return x.customOp(tensor_norm<Call>{std::move(call)});
  else
    return matrix_norm<Call, X>(std::move(call), x);
}

/// A norm over the rows of a plan.
template <class Formula, class X, class W, class B>
auto make_call(const row_plan<X>& plan, const W& weight, const B& bias,
               const norm_constants<accumulator_t<scalar_of<X>>>& constants) {
  check_parameter_types<X, W, B>();
  const call_site site = plan.site();
  check_formula(site, plan.rows, constants.eps, constants.correction);
  return norm_call<Formula, X, parameter_scalar<W, X>, parameter_scalar<B, X>>{
      plan,
      read_parameter<X>(site, "weight", plan.normalized(), weight),
      read_parameter<X>(site, "bias", plan.normalized(), bias),
      constants.eps,
      constants.correction,
      constants.rounding,
      constants.save};
}

/// The same of x, or of a residual over x.
template <class Formula, class X, class Source, class W, class B>
auto make_norm(const row_plan<X>& plan, const Source& x, const W& weight, const B& bias,
               const norm_constants<accumulator_t<scalar_of<X>>>& constants) {
  auto call = make_call<Formula>(plan, weight, bias, constants);
  if constexpr (std::is_same_v<X, Source>) {
    return wrap(std::move(call), x);
  } else {
    const auto sum = read_residual(plan, x);
    call.check_parameters("s", sum.s.memory);
    return wrap(fused_call<decltype(call), residual_sum<X>, nothing_after>{std::move(call), sum, {}}, x.x);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
