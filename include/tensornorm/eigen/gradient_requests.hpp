// What a backward pass is asked for: which gradients, into which memory, on which device.
#pragma once

#include <functional>

#include "argument.hpp"
#include "parameter.hpp"
#include "workspace.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// Whether a gradient replaces what is there, or is added to it and rounded once.
enum class update { overwrite, accumulate };
inline constexpr update overwrite = update::overwrite;
inline constexpr update accumulate = update::accumulate;

namespace detail {

/// A caller's memory for results: a tensor or map, or a matrix expression with memory, temporaries included.
template <class D>
concept destination = plain_parameter<std::remove_cvref_t<D>>;

/// An Eigen object, by value where it is a temporary such as a map or a block, which are handles: what they
/// show can be written through a const request.
template <class D>
class held {
 public:
  explicit held(D&& object) : object_(std::forward<D>(object)) {}
  std::remove_reference_t<D>& get() const { return object_; }

 private:
  mutable std::conditional_t<std::is_lvalue_reference_v<D>,
                             std::reference_wrapper<std::remove_reference_t<D>>, std::remove_cvref_t<D>>
      object_;
};

}  // namespace detail

template <class D>
struct grad_x_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of x. `to` has the shape and scalar of x; it may be x or dy exactly.
template <detail::destination D>
grad_x_t<D> grad_x(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class D>
struct grad_weight_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of weight. `to` has the normalized shape, or is flat, in the scalar of weight or a
/// wider one.
template <detail::destination D>
grad_weight_t<D> grad_weight(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class D>
struct grad_bias_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of bias, as grad_weight.
template <detail::destination D>
grad_bias_t<D> grad_bias(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class A>
struct plus_gradient_t {
  detail::held<A> gradient;
};
/// Adds what reaches x on another way to its gradient, before that is rounded: that of s in
/// s = branch · alpha + skip, y = norm(s). The shape and scalar of x.
template <detail::destination A>
plus_gradient_t<A> plus_gradient(A&& gradient) {
  return {detail::held<A>(std::forward<A>(gradient))};
}

template <class D>
struct grad_branch_t {
  detail::held<D> to;
  double alpha;
};
/// Asks for alpha times the gradient of x as well: that of the branch in s = branch · alpha + skip.
template <detail::destination D>
grad_branch_t<D> grad_branch(D&& to, double alpha) {
  return {detail::held<D>(std::forward<D>(to)), alpha};
}

template <class Device>
struct on_t {
  const Device& device;
};
/// Runs on this device.
template <class Device>
on_t<Device> on(const Device& device) {
  return {device};
}

namespace detail {

template <class R, template <class> class Request>
inline constexpr bool is = false;
template <class D, template <class> class Request>
inline constexpr bool is<Request<D>, Request> = true;

template <class R>
concept gradient_request = is<R, grad_x_t> || is<R, grad_weight_t> || is<R, grad_bias_t> ||
    is<R, plus_gradient_t> || is<R, grad_branch_t> || is<R, on_t> || std::is_same_v<R, use_workspace_t>;

template <template <class> class Request, class... R>
inline constexpr int times_asked = (0 + ... + int{is<R, Request>});

template <class... R>
inline constexpr bool names_destination =
    times_asked<grad_x_t, R...> + times_asked<grad_weight_t, R...> + times_asked<grad_bias_t, R...> +
        times_asked<grad_branch_t, R...> >
    0;

template <class... R>
constexpr void check_requests() {
  static_assert(times_asked<grad_x_t, R...> <= 1 && times_asked<grad_weight_t, R...> <= 1 &&
                    times_asked<grad_bias_t, R...> <= 1 && times_asked<plus_gradient_t, R...> <= 1 &&
                    times_asked<grad_branch_t, R...> <= 1 && times_asked<on_t, R...> <= 1,
                "tensornorm takes each request of a backward pass once: remove the second one");
}

/// The device among the requests, or Eigen's default.
inline Eigen::DefaultDevice device_of() { return {}; }
template <class R, class... Rest>
decltype(auto) device_of(const R& request, const Rest&... rest) {
  if constexpr (is<R, on_t>)
    return (request.device);
  else
    return device_of(rest...);
}

/// The workspace among the requests, or null.
inline workspace* workspace_of() { return nullptr; }
template <class R, class... Rest>
workspace* workspace_of(const R& request, const Rest&... rest) {
  if constexpr (std::is_same_v<R, use_workspace_t>)
    return &request.workspace;
  else
    return workspace_of(rest...);
}

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
