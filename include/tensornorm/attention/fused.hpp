// Attention without the matrix of scores: for a block of queries, side by side in lanes, tile after tile of
// keys; the softmax is corrected as its maximum grows (Milakov and Gimelshein 2018, Dao et al. 2022).
#pragma once

#include "products.hpp"
#include "result.hpp"

TENSORNORM_VECTORS_BEGIN

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

  T* scores;  // key_block x lanes
  T* factor;  // lanes
  Products products;
  state_stack<T> states;

  /// Numbers that it takes for `lanes` queries.
  static index size(const P& p, index lanes) {
    using arena = memory_arena<T>;
    const heads_shape& s = p.shape;
    index total = arena::padded(key_block * lanes) + arena::padded(lanes);
    total += states_for(s.keys) * (arena::padded(s.value_dim * lanes) + 2 * arena::padded(lanes));
    return total + Products::size(p, lanes);
  }
  fused_memory(const P& p, index lanes, T* memory) {
    memory_arena<T> arena{memory};
    const heads_shape& s = p.shape;
    scores = arena.take(key_block * lanes);
    factor = arena.take(lanes);
    for (int n = 0; n < states_for(s.keys); ++n) {
      T* const weighted = arena.take(s.value_dim * lanes);
      T* const largest = arena.take(lanes);
      states.give_back({weighted, {largest, arena.take(lanes)}});
    }
    products.take_memory(p, lanes, arena);
  }
};

/// One block of queries of one head.
template <class Isa, class P, class Products>
struct fused_block {
  using T = typename P::compute;
  using V = native_vec<Isa, T>;

  const P& p;
  fused_memory<P, Products>& memory;
  query_block at;
  index lanes;  // queries, up to a multiple of the vector size
  key_range visible;
  rows_ahead next_queries;

  using terms = typename Products::terms;
  static constexpr index step = key_step<terms>;

  TENSORNORM_INLINE void run() {
    const index chunks = ceil_div(at.keys, key_chunk);
    state all;
    if (chunks > 0 && visible.first < visible.last)
      all = pairwise<state, 40>(chunks, [&](index chunk) TENSORNORM_INLINE_LAMBDA {
        state s{{}, this};
        s.see(intersection({chunk * key_chunk, (chunk + 1) * key_chunk}, visible));
        return s;
      });
    finish(all);
  }

 private:
  /// A state that knows whose it is, so that two can merge.
  struct state {
    attention_state<T> data;
    fused_block* block = nullptr;

    TENSORNORM_INLINE void see(const key_range& range) {
      if (range.first >= range.last) return;
      data = block->memory.states.take();
      for (index j = range.first - range.first % key_block; j < range.last; j += key_block)
        block->see(data, j < range.first ? range.first - range.first % step : j,
                   j + key_block < range.last ? j + key_block : range.last, j <= range.first);
    }

    TENSORNORM_INLINE void merge(const state& other) {
      if (!other.data.values) return;
      if (!data.values) {
        data = other.data;
        return;
      }
      for (index lane = 0; lane < block->lanes; lane += V::size) {
        auto mine = data.softmax.template load<V>(lane);
        const auto f = mine.merge_with_factors(other.data.softmax.template load<V>(lane));
        data.softmax.store(mine, lane);
        for (index d = 0; d < block->p.shape.value_dim; ++d) {
          T* const place = data.values + d * block->lanes + lane;
          fma(V::load(other.data.values + d * block->lanes + lane), f.others, times(V::load(place), f.mine))
              .store(place);
        }
      }
      block->memory.states.give_back(other.data);
    }
  };

  /// Adds keys [first, last), part of one block of keys, to a state, which is empty if `begin`.
  TENSORNORM_INLINE void see(const attention_state<T>& s, index first, index last, bool begin) {
    const index count = last - first;
    const auto& products = memory.products;
    // Meanwhile the next block of keys and its values come; behind the last, what the end of this block of
    // queries writes and the next reads.
    const index left = visible.last - last;
    const index next = left < key_block ? left : key_block;
    products.template score<Isa>(first, count, lanes, memory.scores,
                                 next > 0 ? products.keys_ahead(last, next) : next_queries);
    const score_tile<T> tile{memory.scores, lanes, true, at, {first, last}};
    bool mark = false;
    if (p.modifiers.needed(tile)) {
      p.modifiers.template modify<Isa>(tile, static_cast<T>(p.scale()));
      mark = !products.template finite_values<V>(first, count);
    }
    weigh(s.softmax, count, begin, mark);
    const weighted_sums<T> sums{memory.scores, s.values, begin ? meet::overwrite : meet::rescale,
                                memory.factor, next > 0 ? products.values_ahead(last, next) : results()};
    products.template add_values<Isa>(first, count, lanes, sums, mark);
  }

  TENSORNORM_INLINE rows_ahead results() const {
    return rows_ahead::of(head_of(p.o, p.o_strides, at.batch, at.head), at.first, at.last - at.first,
                          p.shape.value_dim);
  }

  /// Scores become weights, and the softmax learns of them.
  TENSORNORM_INLINE void weigh(const softmax_lanes<T>& softmax, index count, bool begin, bool mark) {
    const index padded = ceil_div(count, step) * step;
    for (index i = count * lanes; i < padded * lanes; i += V::size)
      V::splat(absent<T>).store(memory.scores + i);
    for (index lane = 0; lane < lanes; lane += V::size) {
      auto sum = begin ? softmax_sum<V>::start(V::splat(0)) : softmax.template load<V>(lane);
      T* const scores = memory.scores + lane;
      const V factor = mark ? weigh_lanes<true, terms>(scores, lanes, padded, p.exponent_scale(), sum)
                            : weigh_lanes<false, terms>(scores, lanes, padded, p.exponent_scale(), sum);
      factor.store(memory.factor + lane);
      softmax.store(sum, lane);
    }
  }

  TENSORNORM_INLINE void finish(state& all) {
    attention_state<T> s = all.data;
    if (!s.values) {
      s = memory.states.take();
      for (index i = 0; i < lanes * p.shape.value_dim; i += V::size) V::splat(0).store(s.values + i);
      for (index lane = 0; lane < lanes; lane += V::size)
        s.softmax.store(softmax_sum<V>::start(V::splat(0)), lane);
    }
    write_result<Isa>(p, at, s.values, s.softmax, memory.factor, lanes);
    memory.states.give_back(s);
  }
};

/// Attends for units [first, last) of a problem: blocks of queries, head after head. memory holds
/// fused_memory::size() numbers at an address that is a multiple of 64.
struct fused_attention {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    using T = typename P::compute;
    using products = products_of<Isa, P>;
    constexpr index width = query_lanes<Isa, T>;
    const index blocks = ceil_div(p.shape.queries, width);
    fused_memory<P, products> m(p, width, memory);
    const auto queries = [&](index unit) TENSORNORM_INLINE_LAMBDA {
      return queries_of(p, unit / blocks, unit % blocks * width, width);
    };
    for (index unit = first; unit < last; ++unit) {
      const query_block at = queries(unit);
      const index lanes = ceil_div(at.last - at.first, vec_size<Isa, T>) * vec_size<Isa, T>;
      const key_range visible = p.modifiers.visible(at);
      m.products.template look_at<Isa>(p, at, visible, lanes);
      rows_ahead next;
      if (unit + 1 < last) next = queries_ahead(p, queries(unit + 1));
      fused_block<Isa, P, products>{p, m, at, lanes, visible, next}.run();
    }
  }

 private:
  template <class P>
  static TENSORNORM_INLINE rows_ahead queries_ahead(const P& p, const query_block& at) {
    return rows_ahead::of(head_of(p.q, p.q_strides, at.batch, at.head), at.first, at.last - at.first,
                          p.shape.dim);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
