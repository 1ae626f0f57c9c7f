// The forward pass of the attention layer.
#pragma once

#include <optional>
#include <tuple>

#include "attention_state.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

template <class Scalar, class X, class... Words>
constexpr void check_layer_words() {
  static_assert(std::is_same_v<scalar_of<X>, Scalar>, "x must have the scalar type of the layer: cast it");
  static_assert(rank_of<X> == 3, "Attention takes batch x tokens x dim: reshape x");
  static_assert(!(has_cache<Words...> && has_context<Words...>),
                "a cache keeps the keys of x, not of a context");
  static_assert(!(... || std::is_same_v<Words, tokens_first_t>),
                "the order of heads and tokens is Attention's own");
  static_assert(!(... || is<Words, save_lse_t>), "Attention keeps the LSE for its backward pass itself");
  static_assert(has_context<Words...> || !(... || is<Words, grad_context_t>),
                "grad_context needs the context of the forward call: pass context(c) as well");
  static_assert((std::size_t{0} + ... + std::size_t{attention_modifier<Words>}) <= most_modifiers,
                "Attention takes at most 16 modifiers");
}

/// The context among the words, in rows, if there is one.
template <class Scalar, class X, class Device, class... Words>
void read_context(std::optional<tokens_in_rows<Scalar>>& context, const X& x, const Device& device,
                  const Words&... words) {
  if constexpr (has_context<Words...>) {
    using C = std::remove_cvref_t<decltype(context_of(x, words...))>;
    static_assert(std::is_same_v<scalar_of<C>, Scalar>,
                  "the context must have the scalar type of the layer: cast it");
    static_assert(rank_of<C> == 3, "Attention takes a context of batch x tokens x dim_context: reshape it");
    context.emplace(context_of(x, words...), device);
  }
}

template <class F>
void with_cache(const F&) {}
/// f(cache), if there is one among the words.
template <class F, class W, class... Rest>
void with_cache(const F& f, const W& word, const Rest&... rest) {
  if constexpr (is<W, use_cache_t>)
    f(word.cache);
  else
    with_cache(f, rest...);
}

/// The cache fits a layer of these options and this batch.
template <class Options, class Cache>
void check_cache(const Options& o, index batch, const Cache& cache) {
  const auto& has = cache.options();
  if (has.batch != batch || has.key_heads != o.key_heads || has.dim_head != o.dim_head ||
      has.value_dim != o.dim_head)
    fail("Attention", "the cache is for ", has.batch, " x ", has.key_heads, " heads of ", has.dim_head,
         " and ", has.value_dim, ", expected ", batch, " x ", o.key_heads, " heads of ", o.dim_head, " and ",
         o.dim_head);
}

template <class Scalar, class Options>
attention_plan<Scalar> plan_of_layer(const Options& o, index batch, index queries, index keys) {
  attention_plan<Scalar> plan;
  plan.function = "Attention";
  plan.rank = 4;
  plan.q_size = {batch, o.heads, queries, o.dim_head};
  plan.k.size = plan.v.size = {batch, o.key_heads, keys, o.dim_head};
  plan.shape = {batch, o.heads, o.key_heads, queries, keys, o.dim_head, o.dim_head};
  return plan;
}

/// y. A layer that is const keeps nothing for a backward pass; the state is then that of this call.
template <class Scalar, class Layer, class X, class... Words>
auto forward_of_layer(Layer& layer, attention_state<Scalar>& state, const X& x, const Words&... words) {
  check_layer_words<Scalar, X, Words...>();
  const auto& device = device_of(words...);
  const auto& options = layer.options();
  const tokens_in_rows<Scalar> rows(x, device);
  std::optional<tokens_in_rows<Scalar>> context;
  read_context(context, x, device, words...);
  const tokens_in_rows<Scalar>& from = context ? *context : rows;
  const index batch = rows.size[0], queries = rows.size[1];
  rows.check("x", {batch, queries, options.dim});
  from.check("context", {batch, from.size[1], options.dim_context});
  layer.check_parameters();
  index first = 0;  // position
  with_cache(
      [&](const auto& cache) {
        check_cache(options, batch, cache);
        first = cache.size();
      },
      words...);
  auto plan = plan_of_layer<Scalar>(options, batch, queries, first + from.size[1]);
  const auto chain =
      std::apply([&](const auto&... m) { return make_chain(plan, m...); }, modifiers_of(words...));
  if (!plan.workspace) plan.workspace = &state.memory;

  // Nothing can be refused any more.
  workspace& memory = *plan.workspace;
  constexpr bool has_qk_norm = Layer::has_qk_norm;
  state.project(layer.q, rows, options.heads, has_qk_norm ? state.q_before : state.q, memory, device);
  state.project(layer.k, from, options.key_heads, has_qk_norm ? state.k_before : state.k, memory, device);
  state.project(layer.v, from, options.key_heads, state.v, memory, device);
  if constexpr (has_qk_norm) {
    state.normalize(layer.q_norm, state.q_before, state.q, device);
    state.normalize(layer.k_norm, state.k_before, state.k, device);
  }
  state.turn(options, state.q, first, false, device);
  state.turn(options, state.k, first, false, device);

  plan.k.data = state.k.data();
  plan.v.data = state.v.data();
  plan.k.stride = plan.v.stride = heads_step(from.size[1], options.key_heads, options.dim_head);
  with_cache(
      [&](auto& cache) {
        cache.append(state.k, state.v);
        plan.k.data = cache.keys().data();
        plan.v.data = cache.values().data();
        const index head = cache.capacity() * options.dim_head;
        plan.k.stride = plan.v.stride = {options.key_heads * head, head, options.dim_head, 1};
      },
      words...);
  if constexpr (!std::is_const_v<Layer>) save_to(plan, save_lse(state.lse));
  state.o.resize(state.q.dimensions());
  const sizes<4> step = heads_step(queries, options.heads, options.dim_head);
  run_attention(options.path, plan, chain, static_cast<const Scalar*>(state.q.data()), step, state.o.data(),
                step, device);

  const index inner = options.heads * options.dim_head;
  const Scalar* result = state.o.data();
  if constexpr (Layer::has_out_norm) {
    const Eigen::TensorMap<const typename attention_state<Scalar>::tokens_type> flat(state.o.data(), batch,
                                                                                     queries, inner);
    state.normalize(layer.out_norm, flat, state.normed, device);
    result = state.normed.data();
  }
  typename attention_state<Scalar>::tokens_type y(batch, queries, options.dim_out);
  layer.out.forward({result, rows.tokens(), inner}, y.data(), memory, device);
  return y;
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
