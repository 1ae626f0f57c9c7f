// Gradients of one block of queries: scores and their gradients tile by tile, from the LSE of the forward
// pass, and what they make of q, k and v (Dao et al. 2022).
#pragma once

#include "gradient_problem.hpp"
#include "operands.hpp"
#include "weights.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Numbers to a row of packed queries: full registers of every machine.
template <class T>
constexpr index padded_dim(index dim) {
  constexpr index numbers = 64 / static_cast<index>(sizeof(T));
  return ceil_div(dim, numbers) * numbers;
}

/// -LSE as what is added to exponents of base 2.
template <class T>
T exponent_shift(T lse) {
  return static_cast<T>(-static_cast<double>(lse) * std::numbers::log2e);
}

/// Lanes of keys that are not there.
template <class V>
TENSORNORM_INLINE auto is_absent(const V& score) {
  return score < V::splat(std::numeric_limits<typename V::scalar>::lowest());
}

/// to[lane] = Σ a · b over depth, of two matrices that lie in lanes.
template <class V, class T>
TENSORNORM_INLINE void sum_products(const T* a, const T* b, index depth, index lanes, T* to) {
  for (index lane = 0; lane < lanes; lane += V::size) {
    V sum[partial_sums];
    TENSORNORM_UNROLL
    for (int n = 0; n < partial_sums; ++n) sum[n] = V::splat(0);
    for (index d = 0; d < depth; d += partial_sums) TENSORNORM_UNROLL
    for (int n = 0; n < partial_sums; ++n)
      if (d + n < depth)
        sum[n] = fma(V::load(a + (d + n) * lanes + lane), V::load(b + (d + n) * lanes + lane), sum[n]);
    ((sum[0] + sum[2]) + (sum[1] + sum[3])).store(to + lane);
  }
}

/// Rows of padded_dim(), zeros behind the last dim.
template <class Isa, class T, class S>
TENSORNORM_INLINE void pack_padded_rows(const head_view<const S>& x, index first, index count, index dim,
                                        T* to) {
  const index step = padded_dim<T>(dim);
  for (index i = 0; i < count; ++i) {
    T* const row = to + i * step;
    pack_rows<Isa>(tokens_from(x, first + i), 1, dim, row);
    std::fill(row + dim, row + step, T{0});
  }
}

/// What a block of queries brings: q and dout in lanes and in rows, the constants of its softmax.
template <class P>
struct gradient_queries {
  using T = typename P::compute;
  static constexpr index lanes = gradient_lanes<T>;

  T* queries;     // dim x lanes
  T* dout;        // value_dim x lanes
  T* query_rows;  // lanes x padded dim
  T* dout_rows;   // lanes x padded value_dim
  T* shift;       // lanes: what is added to exponents of base 2, -LSE
  T* delta;       // lanes: Σ dout · o
  bool finite;    // all of q and dout

  static index size(const heads_shape& s) {
    using arena = memory_arena<T>;
    return arena::padded(s.dim * lanes) + arena::padded(s.value_dim * lanes) +
           arena::padded(padded_dim<T>(s.dim) * lanes) + arena::padded(padded_dim<T>(s.value_dim) * lanes) +
           2 * arena::padded(lanes);
  }
  gradient_queries(const heads_shape& s, memory_arena<T>& arena)
      : queries(arena.take(s.dim * lanes)),
        dout(arena.take(s.value_dim * lanes)),
        query_rows(arena.take(padded_dim<T>(s.dim) * lanes)),
        dout_rows(arena.take(padded_dim<T>(s.value_dim) * lanes)),
        shift(arena.take(lanes)),
        delta(arena.take(lanes)),
        finite(true) {}

  template <class Isa>
  TENSORNORM_INLINE void read(const P& p, const query_block& at) {
    using V = native_vec<Isa, T>;
    const index count = at.last - at.first;
    const heads_shape& s = p.shape;
    const auto dout_of = head_of(p.dout, p.dout_strides, at.batch, at.head);
    // First o, in the place of dout.
    pack_lanes<Isa>(head_of(p.result, p.result_strides, at.batch, at.head), at.first, count, s.value_dim,
                    dout_rows, lanes);
    pack_lanes<Isa>(dout_of, at.first, count, s.value_dim, dout, lanes);
    sum_products<V>(dout, dout_rows, s.value_dim, lanes, delta);
    const auto q = head_of(p.q, p.q_strides, at.batch, at.head);
    pack_lanes<Isa>(q, at.first, count, s.dim, queries, lanes);
    read_lse(p, at);
    finite = all_finite<V>(broadcast_matrix<T>{queries, lanes, 1}, s.dim, lanes) &&
             all_finite<V>(broadcast_matrix<T>{dout, lanes, 1}, s.value_dim, lanes);
    if (p.wants_keys()) {
      pack_padded_rows<Isa>(q, at.first, count, s.dim, query_rows);
      pack_padded_rows<Isa>(dout_of, at.first, count, s.value_dim, dout_rows);
    }
  }

 private:
  /// Lanes without a query have an infinite LSE, and so no part in anything.
  void read_lse(const P& p, const query_block& at) const {
    const auto lse = head_of(p.lse, p.lse_strides, at.batch, at.head);
    for (index i = 0; i < lanes; ++i)
      shift[i] =
          at.first + i < at.last ? exponent_shift<T>(lse.data[(at.first + i) * lse.token_step]) : absent<T>;
  }
};

/// A tile of the matrix of scores: key_block keys and the queries of a block, side by side.
template <class P>
struct gradient_tile {
  using T = typename P::compute;
  static constexpr index lanes = gradient_lanes<T>;

  T* weights;  // P
  T* slopes;   // gradients of the scores
  T* raw;      // scores as they came from Q·Kᵀ

  static index size() { return 3 * memory_arena<T>::padded(key_block * lanes); }
  explicit gradient_tile(memory_arena<T>& arena)
      : weights(arena.take(key_block * lanes)),
        slopes(arena.take(key_block * lanes)),
        raw(arena.take(key_block * lanes)) {}
};

/// C += A · B where elements of A count only if `mark`, which lies as A does, is not negative.
template <class Isa, class T>
TENSORNORM_INLINE void multiply_marked_rows(const product_problem<T>& p, const T* mark, index columns) {
  using V = native_vec<Isa, T>;
  for (index begin = 0; begin < p.depth; begin += depth_block) {
    const index end = begin + depth_block < p.depth ? begin + depth_block : p.depth;
    for (index r = 0; r < p.rows; ++r)
      for (index column = 0; column < columns; column += V::size) {
        V chain[chains] = {V::splat(0), V::splat(0)};
        for (index d = begin; d < end; ++d) {
          const index at = r * p.a.row_step + d * p.a.depth_step;
          V& sum = chain[(d - begin) % chains];
          if (!(mark[at] < 0)) sum = fma(V::splat(p.a.data[at]), V::load(p.b + d * p.b_step + column), sum);
        }
        T* const place = p.c + r * p.c_step + column;
        (V::load(place) + (chain[0] + chain[1])).store(place);
      }
  }
}

/// What a block of queries and a block of keys add to. Null: not wanted.
template <class T>
struct sums_of_gradients {
  T* queries;  // dq, dim x lanes
  T* keys;     // dk, rows of padded_dim() for all keys
  T* values;   // dv, likewise
};

/// Where a block of queries meets the keys of one head.
template <class Isa, class P>
struct gradient_block {
  using T = typename P::compute;
  using V = native_vec<Isa, T>;
  static constexpr index lanes = gradient_lanes<T>;

  const P& p;
  const gradient_queries<P>& queries;
  const gradient_tile<P>& tile;
  query_block at;
  broadcast_matrix<T> keys;    // rows are keys
  broadcast_matrix<T> values;  // rows are dims of values

  /// Lanes that have queries, up to a multiple of the vector size.
  index used = ceil_div(at.last - at.first, index{V::size}) * V::size;

  /// Weights and gradients of the scores of keys [first, last), at most key_block: at the scores as they came
  /// from Q·Kᵀ, or where biases are added. If `mark`, weights of absent keys are absent_weight and not 0.
  TENSORNORM_INLINE void look_at(index first, index last, bool mark,
                                 score_gradient which = score_gradient::of_products) const {
    const index count = last - first;
    const broadcast_matrix<T> v{values.data + first * values.depth_step, values.depth_step, values.row_step};
    product(rows_of_keys(first), count, queries.queries, p.shape.dim, tile.weights,
            rows_ahead::of(v.data, v.row_step, count, v.depth_step, p.shape.value_dim));
    product(v, count, queries.dout, p.shape.value_dim, tile.slopes, {});
    const auto tile_of = [&](T* scores) { return score_tile<T>{scores, lanes, true, at, {first, last}}; };
    const bool bends = p.derivatives.change();
    if (bends) std::copy(tile.weights, tile.weights + count * lanes, tile.raw);
    const auto scores = tile_of(tile.weights);
    const T scale = static_cast<T>(p.scale());
    if (p.modifiers.needed(scores)) p.modifiers.template modify<Isa>(scores, scale);
    const T gone = mark ? absent_weight<T> : T{0};
    for (index lane = 0; lane < used; lane += V::size) weigh(count, lane, gone);
    if (bends) p.derivatives.template differentiate<Isa>(tile_of(tile.raw), tile.slopes, scale, which);
  }

  /// Adds what keys [first, last) and the queries have to do with each other. careful: absent keys could be
  /// felt otherwise.
  TENSORNORM_INLINE void add(index first, index last, bool careful, const sums_of_gradients<T>& to) const {
    look_at(first, last, careful);
    // Each product brings what the next adds to, and the last of them the next keys.
    const auto sums_ahead = [&](T* sums, index columns) TENSORNORM_INLINE_LAMBDA {
      return sums ? rows_ahead::of(sums + first * columns, columns, last - first, 1, columns) : rows_ahead{};
    };
    const index columns = padded_dim<T>(p.shape.dim);
    const index value_columns = padded_dim<T>(p.shape.value_dim);
    if (to.queries) add_to_queries(first, last, careful, to.queries, sums_ahead(to.keys, columns));
    if (to.keys)
      add_rows(tile.slopes, first, last, careful, queries.query_rows, columns, to.keys,
               sums_ahead(to.values, value_columns));
    if (to.values)
      add_rows(tile.weights, first, last, careful, queries.dout_rows, value_columns, to.values,
               keys_ahead(last));
  }

 private:
  broadcast_matrix<T> rows_of_keys(index first) const {
    return {keys.data + first * keys.row_step, keys.row_step, keys.depth_step};
  }

  TENSORNORM_INLINE void product(const broadcast_matrix<T>& a, index rows, const T* b, index depth, T* c,
                                 const rows_ahead& ahead) const {
    product_problem<T> product{a, rows, b, lanes, depth, c, lanes, tile_vectors};
    product.ahead = ahead;
    multiply_wide<Isa>(product, used);
  }
  TENSORNORM_INLINE rows_ahead keys_ahead(index first) const {
    const broadcast_matrix<T> k = rows_of_keys(first);
    const index left = at.keys - first;
    return rows_ahead::of(k.data, k.row_step, left < key_block ? left : key_block, k.depth_step, p.shape.dim);
  }

  /// dq += dS · K, in lanes.
  TENSORNORM_INLINE void add_to_queries(index first, index last, bool careful, T* sums,
                                        const rows_ahead& ahead) const {
    const auto k = rows_of_keys(first);
    product_problem<T> product{{k.data, k.depth_step, k.row_step},
                               p.shape.dim,
                               tile.slopes,
                               lanes,
                               last - first,
                               sums,
                               lanes,
                               tile_vectors,
                               meet::add};
    product.ahead = ahead;
    if (!careful) return multiply_wide<Isa>(product, used);
    product.vectors = static_cast<int>(used / V::size);
    multiply_marked<V>(product, tile.weights);
  }

  /// Scores become weights, and gradients of weights those of scores:  dS = P · (dP - delta).
  TENSORNORM_INLINE void weigh(index count, index lane, T absent_one) const {
    const V scale = V::splat(p.exponent_scale());
    const V shift = V::load(queries.shift + lane);
    const V delta = V::load(queries.delta + lane);
    const V zero = V::splat(0);
    for (index j = 0; j < count; ++j) {
      T* const score = tile.weights + j * lanes + lane;
      T* const slope = tile.slopes + j * lanes + lane;
      const V s = V::load(score);
      const auto gone = is_absent(s);
      const V weight = exp2(fma(s, scale, shift));
      select(gone, zero, times(weight, V::load(slope) - delta)).store(slope);
      select(gone, V::splat(absent_one), weight).store(score);
    }
  }

  /// dk += dSᵀ · q, or dv += Pᵀ · dout, of keys [first, last).
  TENSORNORM_INLINE void add_rows(const T* of_scores, index first, index last, bool careful, const T* rows,
                                  index columns, T* sums, const rows_ahead& ahead) const {
    product_problem<T> product{
        {of_scores, lanes, 1},  last - first, rows,         columns,  at.last - at.first,
        sums + first * columns, columns,      tile_vectors, meet::add};
    product.ahead = ahead;
    if (careful)
      multiply_marked_rows<Isa>(product, tile.weights, columns);
    else
      multiply_wide<Isa>(product, columns);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
