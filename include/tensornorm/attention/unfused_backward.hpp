// Gradients of attention step by step, a head at a time, with whole matrices of scores. It says what the
// fused kernel computes.
#pragma once

#include "gradient_block.hpp"
#include "gradient_result.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Memory for one key head. Queries lie side by side in matrices of scores; rows of q, k and v are padded.
template <class P>
struct unfused_gradient_memory {
  using T = typename P::compute;

  T* queries;     // dim x lanes
  T* dout;        // value_dim x lanes
  T* weights;     // P, keys x lanes
  T* slopes;      // dS, keys x lanes
  T* raw;         // scores as they came from Q·Kᵀ
  T* result;      // o, as dout
  T* shift;       // lanes: what is added to exponents of base 2, -LSE
  T* delta;       // lanes: Σ dout · o
  T* query_rows;  // queries x padded dim
  T* dout_rows;   // queries x padded value_dim
  T* key_rows;    // keys x padded dim
  T* query_sums;  // as query_rows
  T* key_sums;    // as key_rows, then dv likewise
  key_operands<P> operands;

  static index lanes(const heads_shape& s) {
    return ceil_div(s.queries, gradient_lanes<T>) * gradient_lanes<T>;
  }
  static index size(const P& p) {
    const heads_shape& s = p.shape;
    const index rows = s.queries * (2 * padded_dim<T>(s.dim) + padded_dim<T>(s.value_dim)) +
                       s.keys * (2 * padded_dim<T>(s.dim) + padded_dim<T>(s.value_dim));
    return lanes(s) * (s.dim + 2 * s.value_dim + 3 * s.keys + 2) + rows + 13 * memory_arena<T>::padded(1) +
           key_operands<P>::size(p);
  }
  unfused_gradient_memory(const P& p, memory_arena<T> arena) {
    const heads_shape& s = p.shape;
    queries = arena.take(s.dim * lanes(s));
    dout = arena.take(s.value_dim * lanes(s));
    weights = arena.take(s.keys * lanes(s));
    slopes = arena.take(s.keys * lanes(s));
    raw = arena.take(s.keys * lanes(s));
    result = arena.take(s.value_dim * lanes(s));
    shift = arena.take(lanes(s));
    delta = arena.take(lanes(s));
    query_rows = arena.take(s.queries * padded_dim<T>(s.dim));
    dout_rows = arena.take(s.queries * padded_dim<T>(s.value_dim));
    key_rows = arena.take(s.keys * padded_dim<T>(s.dim));
    query_sums = arena.take(s.queries * padded_dim<T>(s.dim));
    key_sums = arena.take(s.keys * (padded_dim<T>(s.dim) + padded_dim<T>(s.value_dim)));
    operands.take_memory(p, arena);
  }
};

/// One key head and its query heads.
template <class Isa, class P>
struct unfused_key_head {
  using T = typename P::compute;
  using V = native_vec<Isa, T>;

  const P& p;
  unfused_gradient_memory<P>& memory;
  index batch;
  index key_head;

  TENSORNORM_INLINE void run() {
    const heads_shape& s = p.shape;
    std::fill_n(memory.key_sums, s.keys * (dim() + value_dim()), T{0});
    for (index n = 0; n < s.group(); ++n) {
      const index head = batch * s.heads + key_head * s.group() + n;
      const query_block at = queries_of(p, head, 0, s.queries);
      memory.operands.template look_at<Isa>(p, at, {0, at.keys});
      read(at);
      probabilities(at);
      slopes(at);
      products(at);
    }
    write_keys<Isa>(p, batch, key_head, static_cast<const T*>(p.dk ? memory.key_sums : value_sums()));
  }

 private:
  index lanes() const { return memory.lanes(p.shape); }
  index dim() const { return padded_dim<T>(p.shape.dim); }
  index value_dim() const { return padded_dim<T>(p.shape.value_dim); }
  T* value_sums() const { return memory.key_sums + p.shape.keys * dim(); }

  TENSORNORM_INLINE void read(const query_block& at) const {
    const heads_shape& s = p.shape;
    const auto q = head_of(p.q, p.q_strides, at.batch, at.head);
    const auto dout = head_of(p.dout, p.dout_strides, at.batch, at.head);
    pack_lanes<Isa>(q, 0, s.queries, s.dim, memory.queries, lanes());
    pack_lanes<Isa>(dout, 0, s.queries, s.value_dim, memory.dout, lanes());
    pack_padded_rows<Isa>(q, 0, s.queries, s.dim, memory.query_rows);
    pack_padded_rows<Isa>(dout, 0, s.queries, s.value_dim, memory.dout_rows);
    pack_padded_rows<Isa>(head_of(p.k, p.k_strides, batch, key_head), 0, at.keys, s.dim, memory.key_rows);
  }

  score_tile<T> tile(T* scores, const query_block& at) const {
    return {scores, lanes(), true, at, intersection(p.modifiers.visible(at), {0, at.keys})};
  }

  /// P = e^(S - LSE) with S = scale · Q · Kᵀ, modified; negative where a key is absent.
  TENSORNORM_INLINE void probabilities(const query_block& at) const {
    multiply_wide<Isa>(product_problem<T>{memory.operands.keys, at.keys, memory.queries, lanes(), p.shape.dim,
                                          memory.weights, lanes(), tile_vectors},
                       lanes());
    std::copy(memory.weights, memory.weights + at.keys * lanes(), memory.raw);
    const score_tile<T> all = tile(memory.weights, at);
    for (index j = 0; j < at.keys; ++j)
      if (j < all.keys.first || j >= all.keys.last)
        std::fill_n(memory.weights + j * lanes(), lanes(), absent<T>);
    if (all.keys.first < all.keys.last)
      p.modifiers.template modify<Isa>(from(all, all.keys.first), static_cast<T>(p.scale()));
    const auto lse = head_of(p.lse, p.lse_strides, at.batch, at.head);
    for (index i = 0; i < lanes(); ++i)
      memory.shift[i] = i < at.last ? exponent_shift<T>(lse.data[i * lse.token_step]) : absent<T>;
    each_vector(at, [&](index, index lane, T* score) TENSORNORM_INLINE_LAMBDA {
      const V x = V::load(score);
      const V weight = exp2(fma(x, V::splat(p.exponent_scale()), V::load(memory.shift + lane)));
      select(is_absent(x), V::splat(absent_weight<T>), weight).store(score);
    });
  }

  /// dS = P · (dP - delta) with dP = dout · Vᵀ and delta = Σ dout · o, then by the derivatives of modifiers.
  TENSORNORM_INLINE void slopes(const query_block& at) const {
    const broadcast_matrix<T>& v = memory.operands.values;
    multiply_wide<Isa>(product_problem<T>{{v.data, v.depth_step, v.row_step},
                                          at.keys,
                                          memory.dout,
                                          lanes(),
                                          p.shape.value_dim,
                                          memory.slopes,
                                          lanes(),
                                          tile_vectors},
                       lanes());
    pack_lanes<Isa>(head_of(p.result, p.result_strides, at.batch, at.head), 0, p.shape.queries,
                    p.shape.value_dim, memory.result, lanes());
    sum_products<V>(memory.dout, memory.result, p.shape.value_dim, lanes(), memory.delta);
    each_vector(at, [&](index j, index lane, T* weight) TENSORNORM_INLINE_LAMBDA {
      const V w = V::load(weight);
      T* const slope = memory.slopes + j * lanes() + lane;
      const V s = times(w, V::load(slope) - V::load(memory.delta + lane));
      select(w < V::splat(0), V::splat(0), s).store(slope);
    });
    const score_tile<T> all = tile(memory.raw, at);
    if (p.derivatives.change() && all.keys.first < all.keys.last)
      p.derivatives.template differentiate<Isa>(from(all, all.keys.first),
                                                memory.slopes + all.keys.first * lanes(),
                                                static_cast<T>(p.scale()), score_gradient::of_products);
  }

  /// dq = scale · dS · K;  dk += scale · dSᵀ · Q;  dv += Pᵀ · dout. (The scale comes as results are written.)
  TENSORNORM_INLINE void products(const query_block& at) const {
    const index count = at.last;
    // Absent keys weigh nothing, unless they meet something that is not finite.
    const bool finite = all_finite<V>(rows_of(memory.query_rows, dim()), count, dim()) &&
                        all_finite<V>(rows_of(memory.dout_rows, value_dim()), count, value_dim()) &&
                        all_finite<V>(rows_of(memory.key_rows, dim()), at.keys, dim());
    if (finite)
      each_vector(at, [](index, index, T* weight) TENSORNORM_INLINE_LAMBDA {
        const V w = V::load(weight);
        select(w < V::splat(0), V::splat(0), w).store(weight);
      });
    if (p.dq) {
      std::fill_n(memory.query_sums, count * dim(), T{0});
      add(finite, {memory.slopes, 1, lanes()}, count, at.keys, memory.key_rows, dim(), memory.query_sums);
      write_rows<Isa>(static_cast<const T*>(memory.query_sums), dim(), static_cast<T>(p.scale()),
                      head_of(p.dq.data, p.dq.strides, at.batch, at.head), count, p.shape.dim,
                      p.dq.accumulate);
    }
    add(finite, {memory.slopes, lanes(), 1}, at.keys, count, memory.query_rows, dim(), memory.key_sums);
    add(finite, {memory.weights, lanes(), 1}, at.keys, count, memory.dout_rows, value_dim(), value_sums());
  }

  static broadcast_matrix<T> rows_of(const T* rows, index length) { return {rows, length, 1}; }

  TENSORNORM_INLINE void add(bool finite, const broadcast_matrix<T>& a, index rows, index depth, const T* b,
                             index columns, T* c) const {
    const product_problem<T> product{a, rows, b, columns, depth, c, columns, tile_vectors, meet::add};
    if (finite)
      multiply_wide<Isa>(product, columns);
    else
      multiply_marked_rows<Isa>(product, memory.weights, columns);
  }

  /// The lines of a tile from key `first` on, where its keys begin.
  static score_tile<T> from(score_tile<T> t, index first) {
    t.score += first * t.line_step;
    return t;
  }
  /// Calls f(key, lane, weight) for each vector of the matrix of weights.
  template <class F>
  TENSORNORM_INLINE void each_vector(const query_block& at, const F& f) const {
    for (index j = 0; j < at.keys; ++j)
      for (index lane = 0; lane < lanes(); lane += V::size) f(j, lane, memory.weights + j * lanes() + lane);
  }
};

/// Gradients of key heads [first, last), counted through the batch. memory holds
/// unfused_gradient_memory<P>::size() numbers.
struct unfused_attention_backward {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    unfused_gradient_memory<P> m(p, {memory});
    for (index head = first; head < last; ++head)
      unfused_key_head<Isa, P>{p, m, head / p.shape.key_heads, head % p.shape.key_heads}.run();
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
