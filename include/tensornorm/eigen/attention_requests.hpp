// Which gradients of an attention are asked for, and into which memory.
#pragma once

#include "attention_modifiers.hpp"
#include "gradient_requests.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// What attention_backward() returns: tensors, or matrices, of the shape and layout of q, k and v.
template <class Q, class K, class V>
struct attention_gradients {
  Q q;
  K k;
  V v;
};

template <class D>
struct grad_q_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of q. `to` has the shape and scalar of q.
template <detail::destination D>
grad_q_t<D> grad_q(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class D>
struct grad_k_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of k, as grad_q.
template <detail::destination D>
grad_k_t<D> grad_k(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class D>
struct grad_v_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of v, as grad_q.
template <detail::destination D>
grad_v_t<D> grad_v(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class D>
struct grad_score_bias_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of score_bias, summed over the axes that it was broadcast over. `to` has the shape
/// of the bias, in the scalar of q or accumulator_t of it.
template <detail::destination D>
grad_score_bias_t<D> grad_score_bias(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class D>
struct grad_sinks_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradients of sinks: one for each query head, in the scalar of q or accumulator_t of it.
template <detail::destination D>
grad_sinks_t<D> grad_sinks(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

namespace detail {

template <class R>
concept attention_gradient_request = is<R, grad_q_t> || is<R, grad_k_t> || is<R, grad_v_t> ||
    is<R, grad_score_bias_t> || is<R, grad_sinks_t> || is<R, on_t>;

/// What may follow the arguments of a backward pass: modifiers and requests.
template <class M>
concept attention_backward_word = attention_modifier<M> || attention_gradient_request<M>;

template <class... M>
inline constexpr bool names_attention_gradient = (false || ... ||
                                                  (attention_gradient_request<M> && !is<M, on_t>));

template <class... M>
constexpr void check_attention_requests() {
  static_assert(times_asked<grad_q_t, M...> <= 1 && times_asked<grad_k_t, M...> <= 1 &&
                    times_asked<grad_v_t, M...> <= 1 && times_asked<grad_score_bias_t, M...> <= 1 &&
                    times_asked<grad_sinks_t, M...> <= 1 && times_asked<on_t, M...> <= 1,
                "tensornorm takes each request of a backward pass once: remove the second one");
}

/// Calls f(request) if there is one.
template <template <class> class Request, class F>
void with_request(const F&) {}
template <template <class> class Request, class F, class M, class... Rest>
void with_request(const F& f, const M& m, const Rest&... rest) {
  if constexpr (is<M, Request>)
    f(m);
  else
    with_request<Request>(f, rest...);
}

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
