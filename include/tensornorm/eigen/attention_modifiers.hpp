// What may be said about an attention, after q, k and v and in any order.
#pragma once

#include "../attention/attention.hpp"
#include "argument.hpp"
#include "workspace.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// The scale of all attention in this library: dim_head^-1/2, dim_head the head size of q and k.
inline double attention_scale(Eigen::Index dim_head) { return kernel::attention_scale(dim_head); }

/// Where queries stand among keys, if there are more of one than of the other: query i stands at key i
/// (top_left), or the last query at the last key (bottom_right).
enum class align { top_left, bottom_right };

/// For window(): no bound on that side.
inline constexpr Eigen::Index unlimited = -1;

struct causal_t {
  align alignment;
};
/// Query i sees the keys up to where it stands. With key_lengths the last key is that of the batch element.
constexpr causal_t causal(align alignment) { return {alignment}; }

struct window_t {
  Eigen::Index left;
  Eigen::Index right;
  align alignment;
};
/// Query i sees the key where it stands, `left` keys before and `right` keys after it.
constexpr window_t window(Eigen::Index left, Eigen::Index right, align alignment = align::bottom_right) {
  return {left, right, alignment};
}

template <class M>
struct keep_mask_t {
  const M& mask;
};
/// true: the query may see the key. bool, sizes those of batch x heads x queries x keys or 1; missing axes
/// count as 1, from the left. The mask must live until the expression is evaluated.
template <detail::eigen_argument M>
keep_mask_t<M> keep_mask(const M& mask) {
  return {mask};
}

template <class B>
struct score_bias_t {
  const B& bias;
};
/// Added to the scaled and capped scores; broadcasts as keep_mask. The type of q, or accumulator_t of it. A
/// key with a bias of -inf is absent, as behind a mask.
template <detail::eigen_argument B>
score_bias_t<B> score_bias(const B& bias) {
  return {bias};
}

struct softcap_t {
  double cap;
};
/// s = cap · tanh(s / cap), before biases and masks. cap is in units of scores.
constexpr softcap_t softcap(double cap) { return {cap}; }

template <class S>
struct alibi_t {
  const S& slopes;
  align alignment;
};
/// s -= slope · |distance of query and key|, with a slope for each query head (Press et al. 2021).
template <detail::eigen_argument S>
alibi_t<S> alibi(const S& slopes, align alignment = align::bottom_right) {
  return {slopes, alignment};
}

template <class S>
struct sinks_t {
  const S& sinks;
};
/// A logit for each query head that takes its part of the softmax and has no value. Neither scaled nor
/// masked.
template <detail::eigen_argument S>
sinks_t<S> sinks(const S& logits) {
  return {logits};
}

template <class L>
struct key_lengths_t {
  const L& lengths;
};
/// How many keys each batch element has; what lies behind them is not looked at. Integers.
template <detail::eigen_argument L>
key_lengths_t<L> key_lengths(const L& lengths) {
  return {lengths};
}

template <class L>
struct save_lse_t {
  L& lse;
};
/// Receives log Σ e^s of each query, natural, -inf where nothing is seen. Resized to batch x heads x queries,
/// with as many axes less one as q has, when the expression is made. accumulator_t of the scalar of q.
template <detail::eigen_argument L>
save_lse_t<L> save_lse(L& lse) {
  return {lse};
}

struct tokens_first_t {};
/// q, k, v and o are batch x tokens x heads x dim, as a projection leaves them.
inline constexpr tokens_first_t tokens_first{};

// For modifiers of one's own: a type with a `static constexpr attention_stage stage`, either score or mask, a
// `template <class T> T operator()(T score, score_place) const`, which at stage mask returns the score or
// -infinity, and perhaps a `key_range visible(const query_block&) const`. Scores at stage score have their
// scale.
using kernel::attention_stage;
using kernel::key_range;
using kernel::query_block;
using kernel::score_place;

namespace detail {

template <class M>
constexpr bool is_modifier = requires {
  M::stage;
};
template <>
inline constexpr bool is_modifier<causal_t> = true;
template <>
inline constexpr bool is_modifier<window_t> = true;
template <class M>
constexpr bool is_modifier<keep_mask_t<M>> = true;
template <class B>
constexpr bool is_modifier<score_bias_t<B>> = true;
template <>
inline constexpr bool is_modifier<softcap_t> = true;
template <class S>
constexpr bool is_modifier<alibi_t<S>> = true;
template <class S>
constexpr bool is_modifier<sinks_t<S>> = true;
template <class L>
constexpr bool is_modifier<key_lengths_t<L>> = true;
template <class L>
constexpr bool is_modifier<save_lse_t<L>> = true;
template <>
inline constexpr bool is_modifier<tokens_first_t> = true;
template <>
inline constexpr bool is_modifier<use_workspace_t> = true;

/// What may follow q, k and v.
template <class M>
concept attention_modifier = is_modifier<M>;

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
