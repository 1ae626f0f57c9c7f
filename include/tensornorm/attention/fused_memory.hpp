// What fused attention works in: scores of a block of keys, and what is known of queries so far.
#pragma once

#include "products.hpp"
#include "weights.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// What is known of a block of queries after some chunks of keys: Σ weight · value in lanes, and the
/// softmax. Null as long as nothing was seen.
template <class T>
struct attention_state {
  T* values = nullptr;  // value_dim x lanes
  softmax_lanes<T> softmax;
};

/// States in use and not: at most one for each level of the tree of chunks, and one more.
template <class T>
struct state_stack {
  static constexpr int most = 48;
  attention_state<T> unused[most];
  int count = 0;

  attention_state<T> take() { return unused[--count]; }
  void give_back(const attention_state<T>& s) { unused[count++] = s; }
};

/// How many states the tree over all chunks of `keys` needs.
constexpr int states_for(index keys) {
  int levels = 2;
  for (index chunks = ceil_div(keys, key_chunk); chunks > 1; chunks = ceil_div(chunks, 2)) ++levels;
  return levels;
}

/// Everything that the kernel needs for one block of queries. Products are wide_products, pair_products or
/// amx_products.
template <class P, class Products>
struct fused_memory {
  using T = typename P::compute;

  T* scores;       // key_block x lanes
  T* next_scores;  // the same, of the next block of keys, where products overlap softmax
  T* factor;       // lanes
  Products products;
  state_stack<T> states;

  static constexpr index blocks_of_scores = Products::overlap ? 2 : 1;

  /// Numbers that it takes for `lanes` queries.
  static index size(const P& p, index lanes) {
    using arena = memory_arena<T>;
    const heads_shape& s = p.shape;
    index total = blocks_of_scores * arena::padded(key_block * lanes) + arena::padded(lanes);
    total += states_for(s.keys) * (arena::padded(s.value_dim * lanes) + 2 * arena::padded(lanes));
    return total + Products::size(p, lanes);
  }
  fused_memory(const P& p, index lanes, T* memory) {
    memory_arena<T> arena{memory};
    const heads_shape& s = p.shape;
    scores = next_scores = arena.take(key_block * lanes);
    if (blocks_of_scores > 1) next_scores = arena.take(key_block * lanes);
    factor = arena.take(lanes);
    for (int n = 0; n < states_for(s.keys); ++n) {
      T* const weighted = arena.take(s.value_dim * lanes);
      T* const largest = arena.take(lanes);
      states.give_back({weighted, {largest, arena.take(lanes)}});
    }
    products.take_memory(p, lanes, arena);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
