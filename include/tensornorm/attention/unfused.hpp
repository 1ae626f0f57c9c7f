// Attention step by step, a head at a time: all scores, what modifies them, their softmax, times the values.
// It says what the fused kernel computes, and keeps the whole matrix of scores to do so.
#pragma once

#include "operands.hpp"
#include "result.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Memory for one head. Queries come in blocks of query_lanes, side by side.
template <class P>
struct unfused_memory {
  using T = typename P::compute;

  T* queries;                // blocks x dim x lanes
  T* scores;                 // blocks x keys x lanes, and some lines more
  T* values;                 // value_dim x lanes
  softmax_lanes<T> softmax;  // blocks x lanes
  T* factor;                 // lanes
  key_operands<P> operands;

  static index score_lines(const heads_shape& s) { return ceil_div(s.keys, partial_sums) * partial_sums; }
  static index size(const P& p, index lanes) {
    using arena = memory_arena<T>;
    const heads_shape& s = p.shape;
    const index all_lanes = ceil_div(s.queries, lanes) * lanes;
    return arena::padded(s.dim * all_lanes) + arena::padded(score_lines(s) * all_lanes) +
           arena::padded(s.value_dim * lanes) + 2 * arena::padded(all_lanes) + arena::padded(lanes) +
           key_operands<P>::size(p);
  }
  unfused_memory(const P& p, index lanes, T* memory) {
    memory_arena<T> arena{memory};
    const heads_shape& s = p.shape;
    const index all_lanes = ceil_div(s.queries, lanes) * lanes;
    queries = arena.take(s.dim * all_lanes);
    scores = arena.take(score_lines(s) * all_lanes);
    values = arena.take(s.value_dim * lanes);
    softmax.largest = arena.take(all_lanes);
    softmax.sum = arena.take(all_lanes);
    factor = arena.take(lanes);
    operands.take_memory(p, arena);
  }
};

/// One head.
template <class Isa, class P>
struct unfused_head {
  using T = typename P::compute;
  using V = native_vec<Isa, T>;
  static constexpr index width = query_lanes<Isa, T>;

  const P& p;
  unfused_memory<P>& memory;
  index head;          // counted through the batch
  bool marks = false;  // a value is not finite: absent keys must not meet it

  TENSORNORM_INLINE void run() {
    memory.operands.template look_at<Isa>(p, at(0), {0, at(0).keys});
    marks = !all_finite<V>(memory.operands.values, p.shape.value_dim, at(0).keys);
    for (index first = 0; first < p.shape.queries; first += width) score(first);
    for (index first = 0; first < p.shape.queries; first += width) modify_scores(first);
    for (index first = 0; first < p.shape.queries; first += width) softmax(first);
    for (index first = 0; first < p.shape.queries; first += width) times_values(first);
  }

 private:
  query_block at(index first) const { return queries_of(p, head, first, width); }
  index lines() const { return unfused_memory<P>::score_lines(p.shape); }
  T* scores(index first) const { return memory.scores + first * lines(); }

  /// S = Q · Kᵀ, queries side by side.
  TENSORNORM_INLINE void score(index first) const {
    const query_block b = at(first);
    T* const queries = memory.queries + first * p.shape.dim;
    pack_lanes<Isa>(head_of(p.q, p.q_strides, b.batch, b.head), first, b.last - first, p.shape.dim, queries,
                    width);
    multiply<Isa>(product_problem<T>{memory.operands.keys, b.keys, queries, width, p.shape.dim, scores(first),
                                     width, tile_vectors});
  }

  /// Scale, softcap, bias, masks.
  TENSORNORM_INLINE void modify_scores(index first) const {
    const query_block b = at(first);
    const key_range visible = p.modifiers.visible(b);
    for (index j = 0; j < b.keys; ++j)
      if (j < visible.first || j >= visible.last) fill(scores(first) + j * width, absent<T>);
    if (visible.first < visible.last)
      p.modifiers.template modify<Isa>(
          score_tile<T>{scores(first) + visible.first * width, width, true, b, visible},
          static_cast<T>(p.scale()));
    for (index j = b.keys; j < lines(); ++j) fill(scores(first) + j * width, absent<T>);
  }

  /// S = 2^(S - max), and the sums over the keys.
  TENSORNORM_INLINE void softmax(index first) const {
    const query_block b = at(first);
    const softmax_lanes<T> states{memory.softmax.largest + first, memory.softmax.sum + first};
    const V scale = V::splat(p.exponent_scale());
    for (index lane = 0; lane < width; lane += V::size) {
      T* const column = scores(first) + lane;
      V largest = V::splat(absent<T>);
      for (index j = 0; j < b.keys; ++j) largest = larger(largest, V::load(column + j * width));
      auto sum = softmax_sum<V>::start(largest);
      sum.raise(times(largest, scale));
      for (index j = 0; j < b.keys; j += key_block) {
        const index keys = j + key_block < b.keys ? key_block : lines_of(b.keys - j);
        if (marks)
          weigh_lanes<true>(column + j * width, width, keys, p.exponent_scale(), sum);
        else
          weigh_lanes<false>(column + j * width, width, keys, p.exponent_scale(), sum);
      }
      states.store(sum, lane);
    }
  }

  /// o = S · V / sum.
  TENSORNORM_INLINE void times_values(index first) const {
    const query_block b = at(first);
    fill_lines(memory.values, p.shape.value_dim, T{0});
    const broadcast_matrix<T>& all = memory.operands.values;
    for (index j = 0; j < b.keys; j += key_block) {
      const index keys = j + key_block < b.keys ? key_block : b.keys - j;
      const broadcast_matrix<T> v{all.data + j * all.depth_step, all.row_step, all.depth_step};
      const product_problem<T> product{v,
                                       p.shape.value_dim,
                                       scores(first) + j * width,
                                       width,
                                       keys,
                                       memory.values,
                                       width,
                                       tile_vectors,
                                       meet::add};
      if (marks)
        multiply_marked<V>(product, product.b);
      else
        multiply<Isa>(product);
    }
    write_result<Isa>(p, b, memory.values, {memory.softmax.largest + first, memory.softmax.sum + first},
                      memory.factor, width);
  }

  static index lines_of(index keys) { return ceil_div(keys, partial_sums) * partial_sums; }
  static TENSORNORM_INLINE void fill(T* line, T value) {
    for (index lane = 0; lane < width; lane += V::size) V::splat(value).store(line + lane);
  }
  static TENSORNORM_INLINE void fill_lines(T* lines, index count, T value) {
    for (index n = 0; n < count; ++n) fill(lines + n * width, value);
  }
};

/// Attends for heads [first, last), counted through the batch. memory holds unfused_memory<P>::size()
/// numbers.
struct unfused_attention {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    unfused_memory<P> m(p, query_lanes<Isa, typename P::compute>, memory);
    for (index head = first; head < last; ++head) unfused_head<Isa, P>{p, m, head}.run();
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
