// Attention without the matrix of scores: for a block of queries, side by side in lanes, tile after tile of
// keys; the softmax is corrected as its maximum grows (Milakov and Gimelshein 2018, Dao et al. 2022).
#pragma once

#include <utility>

#include "fused_memory.hpp"
#include "result.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

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
      const key_range first = block_from(range.first - range.first % step, range.last);
      if constexpr (Products::overlap)
        block->see_overlapped(data, first, range.last);
      else
        for (key_range keys = first; keys.first < keys.last; keys = block_from(keys.last, range.last))
          block->see(data, keys, keys.first == first.first);
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

  /// Keys from `first` on, up to the end of a block of keys or to `last`.
  static constexpr key_range block_from(index first, index last) {
    return intersection({first, first - first % key_block + key_block}, {first, last});
  }

  /// Adds keys, part of one block of keys, to a state, which is empty if `begin`.
  TENSORNORM_INLINE void see(const attention_state<T>& s, const key_range& keys, bool begin) {
    const index count = keys.last - keys.first;
    const auto& products = memory.products;
    // Meanwhile the next block of keys and its values come; behind the last, what the end of this block of
    // queries writes and the next reads.
    const index left = visible.last - keys.last;
    const index next = left < key_block ? left : key_block;
    products.template score<Isa>(keys.first, count, lanes, memory.scores,
                                 next > 0 ? products.keys_ahead(keys.last, next) : next_queries);
    const bool mark = modify(memory.scores, keys);
    for (index lane = 0; lane < lanes; lane += V::size)
      weigh(s.softmax, memory.scores, keys, lane, begin, mark, do_nothing());
    const weighted_sums<T> sums{memory.scores, s.values, begin ? meet::overwrite : meet::rescale,
                                memory.factor, next > 0 ? products.values_ahead(keys.last, next) : results()};
    products.template add_values<Isa>(keys.first, count, lanes, sums, mark);
  }

  /// Values of a vector of lanes that are still to be multiplied by their weights, and added.
  struct pending_values {
    key_range keys{0, 0};
    index lane = 0;
    const T* weights = nullptr;
    bool begin = false;
    V factor{};
  };

  /// Adds keys from a block on up to `last` to an empty state. While some lanes' scores become weights, the
  /// machine multiplies what is ready of other lanes: scores of the next block, values of the lanes before.
  TENSORNORM_INLINE void see_overlapped(const attention_state<T>& s, key_range keys, index last) {
    const auto& products = memory.products;
    for (index lane = 0; lane < lanes; lane += V::size) products.score(keys, lane, lanes, memory.scores);
    pending_values before;
    const auto add = [&]() TENSORNORM_INLINE_LAMBDA {
      products.add_products(before.lane, lanes, before.begin, before.factor, s.values);
    };
    for (bool begin = true; keys.first < keys.last; begin = false) {
      const key_range next = block_from(keys.last, last);
      const bool mark = modify(memory.scores, keys);
      const bool tiles = products.fill_tiles(keys, mark);
      for (index lane = 0; lane < lanes; lane += V::size) {
        if (before.weights) products.multiply_values(before.keys, before.lane, lanes, before.weights);
        const V factor =
            weigh(s.softmax, memory.scores, keys, lane, begin, mark, [&]() TENSORNORM_INLINE_LAMBDA {
              if (next.first < next.last) products.score(next, lane, lanes, memory.next_scores);
            });
        if (before.weights) add();
        before = {keys, lane, tiles ? memory.scores : nullptr, begin, factor};
      }
      if (!tiles)
        products.template add_values<Isa>(
            keys, lanes,
            {memory.scores, s.values, begin ? meet::overwrite : meet::rescale, memory.factor, {}}, mark);
      std::swap(memory.scores, memory.next_scores);
      keys = next;
    }
    if (!before.weights) return;
    products.multiply_values(before.keys, before.lane, lanes, before.weights);
    add();
  }

  /// The modifiers' turn, and absent keys up to a multiple of what is taken together. Returns whether absent
  /// keys are to be marked.
  TENSORNORM_INLINE bool modify(T* scores, const key_range& keys) const {
    const score_tile<T> tile{scores, lanes, true, at, keys};
    const index count = keys.last - keys.first;
    bool mark = false;
    if (p.modifiers.needed(tile)) {
      p.modifiers.template modify<Isa>(tile, static_cast<T>(p.scale()));
      mark = !memory.products.template finite_values<V>(keys.first, count);
    }
    for (index i = count * lanes; i < ceil_div(count, step) * step * lanes; i += V::size)
      V::splat(absent<T>).store(scores + i);
    return mark;
  }

  TENSORNORM_INLINE rows_ahead results() const {
    return rows_ahead::of(head_of(p.o, p.o_strides, at.batch, at.head), at.first, at.last - at.first,
                          p.shape.value_dim);
  }

  /// Scores of a vector of lanes become weights, and the softmax learns of them. Returns the factor for what
  /// was summed before, which is stored, too.
  template <class Meanwhile>
  TENSORNORM_INLINE V weigh(const softmax_lanes<T>& softmax, T* scores, const key_range& keys, index lane,
                            bool begin, bool mark, const Meanwhile& meanwhile) {
    const index padded = ceil_div(keys.last - keys.first, step) * step;
    auto sum = begin ? softmax_sum<V>::start(V::splat(0)) : softmax.template load<V>(lane);
    const T scale = p.exponent_scale();
    const V factor = mark ? weigh_lanes<true, terms>(scores + lane, lanes, padded, scale, sum, meanwhile)
                          : weigh_lanes<false, terms>(scores + lane, lanes, padded, scale, sum, meanwhile);
    factor.store(memory.factor + lane);
    softmax.store(sum, lane);
    return factor;
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
