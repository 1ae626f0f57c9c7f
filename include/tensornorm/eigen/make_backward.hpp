// The backward pass of a norm, from the arguments of a public function to its results.
#pragma once

#include "backward_run.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// The gradients of a norm with a weight alone. weight has the type and shape of the weight; it is empty
/// where there is none.
template <class X, class W>
struct norm_gradients {
  X x;
  W weight;
};

/// The gradients of a norm with weight and bias; both have the type and shape of the weight.
template <class X, class W>
struct affine_norm_gradients {
  X x;
  W weight;
  W bias;
};

namespace detail {

/// The destination that a request of this kind names; none if there is no such request.
struct no_destination {
  extent memory() const { return {nullptr, nullptr}; }
  template <class T>
  void write(const T*) const {}
};
template <template <class> class Request, class X>
no_destination destination_of(const row_plan<X>&, const char*) {
  return {};
}
template <template <class> class Request, class X, class R, class... Rest>
auto destination_of(const row_plan<X>& plan, const char* name, const R& request, const Rest&... rest) {
  if constexpr (is<R, Request>)
    return parameter_destination<X, std::remove_reference_t<decltype((request.to.get()))>>(
        plan, name, request.to.get(), request.mode);
  else
    return destination_of<Request>(plan, name, rest...);
}

/// Computes what the requests name.
template <class Formula, class DY, class X, class W, class... R>
void run_backward(const row_plan<X>& plan, const DY& dy, const X& x, const W& w,
                  const statistics<accumulator_t<scalar_of<X>>>* saved, const backward_constants& constants,
                  const R&... requests) {
  check_requests<R...>();
  check_parameter_types<X, W, none_t>();
  check_formula(plan.site(), plan.rows, constants.eps, constants.correction);
  const auto& device = device_of(requests...);
  const auto weight = read_parameter<X>(plan.site(), "weight", plan.normalized(), w);
  with_memory(x, device, [&](const auto& x_value) {
    const auto x_view = view_array(plan, "x", x_value);
    with_memory(dy, device, [&](const auto& dy_value) {
      const auto dy_view = view_array(plan, "dy", dy_value);
      backward_run<Formula, X, W> run(plan, x_view, dy_view, weight, saved, constants);
      (run.take(requests), ...);
      run.check_apart();
      const auto dweight = destination_of<grad_weight_t>(plan, "the gradient of weight", requests...);
      const auto dbias = destination_of<grad_bias_t>(plan, "the gradient of bias", requests...);
      run.check_parameter("the gradient of weight", dweight.memory());
      run.check_parameter("the gradient of bias", dbias.memory());
      if (dweight.memory().overlaps(dbias.memory()))
        fail(plan.function, "the gradient of weight overlaps the gradient of bias");
      workspace for_this_call;
      workspace* const given = workspace_of(requests...);
      run.run(device, given ? *given : for_this_call, [&](const auto* weight_sums, const auto* bias_sums) {
        dweight.write(weight_sums);
        dbias.write(bias_sums);
      });
    });
  });
}

/// run_backward, or where no destination is named all gradients that there are, in new memory.
template <class Formula, class DY, class X, class W, class... R>
auto make_backward(const row_plan<X>& plan, const DY& dy, const X& x, const W& w,
                   const statistics<accumulator_t<scalar_of<X>>>* saved, const backward_constants& constants,
                   const R&... requests) {
  if constexpr (names_destination<R...>) {
    run_backward<Formula>(plan, dy, x, w, saved, constants, requests...);
  } else if constexpr (std::is_same_v<W, none_t>) {
    using none = Eigen::Tensor<scalar_of<X>, 1>;
    std::conditional_t<Formula::has_bias, affine_norm_gradients<owned_t<X>, none>,
                       norm_gradients<owned_t<X>, none>>
        result;
    result.x = like(x);
    run_backward<Formula>(plan, dy, x, w, saved, constants, grad_x(result.x), requests...);
    return result;
  } else if constexpr (Formula::has_bias) {
    affine_norm_gradients<owned_t<X>, owned_t<W>> result{like(x), like(w), like(w)};
    run_backward<Formula>(plan, dy, x, w, saved, constants, grad_x(result.x), grad_weight(result.weight),
                          grad_bias(result.bias), requests...);
    return result;
  } else {
    norm_gradients<owned_t<X>, owned_t<W>> result{like(x), like(w)};
    run_backward<Formula>(plan, dy, x, w, saved, constants, grad_x(result.x), grad_weight(result.weight),
                          requests...);
    return result;
  }
}

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
