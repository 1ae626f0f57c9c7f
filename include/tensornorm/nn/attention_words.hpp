// What may be said to an attention layer beside its x.
#pragma once

#include "../eigen/attention_requests.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

template <class Scalar>
class KeyValueCache;

template <class C>
struct context_t {
  const C& tokens;
};
/// Keys and values come from these tokens, batch x tokens x dim_context, and not from x.
template <detail::any_tensor C>
context_t<C> context(const C& tokens) {
  return {tokens};
}

template <class D>
struct grad_context_t {
  detail::held<D> to;
  update mode;
};
/// Asks for the gradient of the context. `to` has its shape and scalar.
template <detail::destination D>
grad_context_t<D> grad_context(D&& to, update mode = overwrite) {
  return {detail::held<D>(std::forward<D>(to)), mode};
}

template <class Scalar>
struct use_cache_t {
  KeyValueCache<Scalar>& cache;
};
/// The keys and values of x are appended to the cache, and queries see all of it. With causal or a window say
/// align::bottom_right: the last token of x is the last of the cache.
template <class Scalar>
use_cache_t<Scalar> use_cache(KeyValueCache<Scalar>& cache) {
  return {cache};
}

namespace detail {

template <class W>
concept layer_word = is<W, context_t> || is<W, use_cache_t> || is<W, on_t>;

/// What may follow x in a forward pass: modifiers and words for the layer.
template <class W>
concept attention_word = attention_modifier<W> || layer_word<W>;

/// The same for a backward pass.
template <class W>
concept attention_backward_words = attention_modifier<W> || is<W, context_t> || is<W, grad_context_t> ||
    is<W, grad_score_bias_t> || is<W, grad_sinks_t> || is<W, on_t>;

template <class... W>
inline constexpr bool has_cache = (false || ... || is<W, use_cache_t>);
template <class... W>
inline constexpr bool has_context = (false || ... || is<W, context_t>);

/// The words that modify attention, for a call of it.
template <class W>
auto modifier_of(const W& word) {
  if constexpr (attention_modifier<W>)
    return std::tuple<W>(word);
  else
    return std::tuple<>();
}
template <class... W>
auto modifiers_of(const W&... words) {
  return std::tuple_cat(modifier_of(words)...);
}

/// The context among the words, or x.
template <class X>
const X& context_of(const X& x) {
  return x;
}
template <class X, class W, class... Rest>
const auto& context_of(const X& x, const W& word, const Rest&... rest) {
  if constexpr (is<W, context_t>)
    return word.tokens;
  else
    return context_of(x, rest...);
}

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
