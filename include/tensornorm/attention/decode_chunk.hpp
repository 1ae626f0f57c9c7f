// What one chunk of keys says to a few queries. Keys lie side by side in lanes for the scores, dims of the
// values for the sums.
#pragma once

#include "decode_scores.hpp"
#include "decode_tiles.hpp"
#include "decode_weights.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// One chunk of keys of one key head.
template <class Isa, class P>
struct decode_chunk {
  using T = typename P::compute;
  using S = typename P::data_type;
  using V = native_vec<Isa, T>;
  using terms = terms_of<Isa, P>;
  using tiles = decode_tiles<Isa, P>;
  using one = vec<Isa, T, 1>;

  const P& p;
  decode_memory<P> memory;
  const chunk_states<P>& states;
  index head;  // key head, counted through the batch
  index chunk;

  index batch() const { return head / p.shape.key_heads; }
  index rows() const { return states.rows; }
  index dim_step() const { return padded_dim(p.shape.dim); }
  query_block at(index in_group) const {
    return {batch(),
            head % p.shape.key_heads * p.shape.group() + in_group,
            0,
            p.shape.queries,
            p.shape.queries,
            p.keys(batch())};
  }

  /// Makes states of nothing. Returns the keys that some query sees.
  TENSORNORM_INLINE key_range start() const {
    for (index row = 0; row < rows(); ++row) {
      one::splat(absent<T>).store(states.softmax(head, chunk, row));
      one::splat(0).store(states.softmax(head, chunk, row) + 1);
      for (index d = 0; d < p.shape.value_dim; ++d) states.values(head, chunk, row)[d] = 0;
    }
    key_range range{p.shape.keys, 0};
    for (index g = 0; g < p.shape.group(); ++g) range = hull(range, p.modifiers.visible(at(g)));
    range = intersection(range, {chunk * key_chunk, (chunk + 1) * key_chunk});
    range.last = range.last < p.keys(batch()) ? range.last : p.keys(batch());
    if (range.first < range.last) read_queries();
    return range;
  }

  /// Adds those of the keys that are in the block that begins with key j.
  TENSORNORM_INLINE void see_block(const key_range& range, index j) const {
    const key_range keys = intersection(range, {j, j + key_block});
    if (keys.first < keys.last) see({keys.first - keys.first % key_step<terms>, keys.last});
  }

 private:
  /// Whether there are tiles, and rows enough for them to pay.
  bool takes_tiles() const {
    if constexpr (tiles::exist)
      return rows() >= tiles::fewest_rows;
    else
      return false;
  }
  TENSORNORM_INLINE tiles by_tiles() const { return tiles(p, memory, rows()); }

  static constexpr bool in_pairs = terms::in_one == 2;
  static constexpr index numbers(index count) { return ceil_div(count, terms::in_one); }

  TENSORNORM_INLINE void read_queries() const {
    const index dim = p.shape.dim;
    for (index row = 0; row < padded_rows(rows()); ++row) {
      T* const to = memory.queries + row * dim_step();
      if (row < rows()) {
        const auto q = head_of(p.q, p.q_strides, batch(), at(row / p.shape.queries).head);
        const S* const from = q.data + row % p.shape.queries * q.token_step;
        if constexpr (in_pairs)
          terms::pack_keys({from, q.token_step, q.dim_step}, 1, dim, to);
        else
          for (index d = 0; d < dim; ++d) to[d] = widen<T>(from[d * q.dim_step]);
      }
      for (index d = row < rows() ? numbers(dim) : 0; d < dim_step(); ++d) to[d] = 0;
    }
    if constexpr (tiles::exist)
      if (takes_tiles()) by_tiles().read_queries();
  }

  /// What comes after a block of keys and values.
  TENSORNORM_INLINE tokens_ahead next_to(const head_view<const S>& k, const head_view<const S>& v) const {
    if constexpr (tiles::exist)
      if (takes_tiles())
        return tokens_ahead::by_cost(memory.how, k, p.shape.dim, v, p.shape.value_dim, by_tiles().cost());
    return {memory.how, k, p.shape.dim, v, p.shape.value_dim, ceil_div(rows(), decode_rows)};
  }

  /// Adds a part of a block of keys to the states.
  TENSORNORM_INLINE void see(const key_range& keys) const {
    const auto k = head_of(p.k, p.k_strides, batch(), head % p.shape.key_heads);
    const auto v = head_of(p.v, p.v_strides, batch(), head % p.shape.key_heads);
    const head_view<const S> block_of_keys{k.data + keys.first * k.token_step, k.token_step, 1};
    const head_view<const S> block_of_values{v.data + keys.first * v.token_step, v.token_step, 1};
    if (memory.how == asking::again) {
      lines_ahead::ask_for_pages(block_of_keys, p.shape.dim);
      lines_ahead::ask_for_pages(block_of_values, p.shape.value_dim);
    }
    if (rows() == 1 && memory.how == asking::again &&
        tokens_again::can_read(block_of_keys, p.shape.dim, block_of_values, p.shape.value_dim))
      see(keys, block_of_keys, block_of_values, tokens_again(block_of_keys, block_of_values));
    else
      see(keys, block_of_keys, block_of_values, next_to(block_of_keys, block_of_values));
  }

  template <class Ahead>
  TENSORNORM_INLINE void see(const key_range& keys, const head_view<const S>& block_of_keys,
                             const head_view<const S>& block_of_values, Ahead ahead) const {
    constexpr bool may_take_tiles = tiles::exist && !Ahead::for_one_row;
    const index count = keys.last - keys.first;
    index scored = 0;
    if constexpr (may_take_tiles)
      if (takes_tiles()) scored = by_tiles().score(block_of_keys, count, ahead);
    decode_scores<Isa, P, Ahead>{p, memory, ahead}.of(block_of_keys, rows(), scored, count);
    bool needed = false;
    for (index g = 0; g < p.shape.group(); ++g) {
      const score_tile<T> tile{memory.scores + g * p.shape.queries * key_block, key_block, false, at(g),
                               keys};
      if (!p.modifiers.needed(tile)) continue;
      p.modifiers.template modify<Isa>(tile, static_cast<T>(p.scale()));
      needed = true;
    }
    const bool mark =
        needed && !all_finite<V>(broadcast_matrix<S>{block_of_values.data, 1, block_of_values.token_step},
                                 p.shape.value_dim, count);
    index in_tiles = 0;
    if constexpr (may_take_tiles)
      if (takes_tiles() && !mark) in_tiles = by_tiles().value_dims();
    index row = 0;
    if constexpr (!Ahead::for_one_row)
      for (; row + decode_rows <= rows(); row += decode_rows)
        add_rows<decode_rows>(row, block_of_values, in_tiles, count, mark, ahead);
    for (; row < rows(); ++row) add_rows<1>(row, block_of_values, in_tiles, count, mark, ahead);
    if constexpr (may_take_tiles)
      if (in_tiles > 0)
        by_tiles().add_values(block_of_values, count, ahead, [this](index of_row) TENSORNORM_INLINE_LAMBDA {
          return states.values(head, chunk, of_row);
        });
  }

  /// Rows that begin at `row`: scores become weights, which meet the values from dim d on. Those below it are
  /// left to tiles.
  template <int Rows, class Ahead>
  TENSORNORM_INLINE void add_rows(index row, const head_view<const S>& v, index d, index count, bool mark,
                                  Ahead& ahead) const {
    T* weights[Rows];
    T* state[Rows];
    for (int r = 0; r < Rows; ++r) {
      weights[r] = memory.scores + (row + r) * key_block;
      state[r] = states.softmax(head, chunk, row + r);
    }
    T factor[Rows];
    weigh<V>(weights, count, p.exponent_scale(), mark, state, factor);
    for (int r = 0; r < Rows; ++r) {
      if constexpr (tiles::exist && !Ahead::for_one_row)
        if (d > 0) by_tiles().keep(row + r, weights[r], count, factor[r], ahead);
      terms::template make_weights<V>(weights[r], count);
    }
    add_wide<8 / Rows>(row, factor, v, d, count, mark, ahead);
    for (; d < p.shape.value_dim; ++d) add_dims<one, 1, Rows>(row, factor, v, d, count, mark, ahead);
  }

  /// Of dims from d on, as many as fill vectors: `Vectors` of them side by side as long as there are so many,
  /// then half as many, down to one.
  template <int Vectors, int Rows, class Ahead>
  TENSORNORM_INLINE void add_wide(index row, const T (&factor)[Rows], const head_view<const S>& v, index& d,
                                  index count, bool mark, Ahead& ahead) const {
    for (; d + Vectors * V::size <= p.shape.value_dim; d += Vectors * V::size)
      add_dims<V, Vectors, Rows>(row, factor, v, d, count, mark, ahead);
    if constexpr (Vectors > 1) add_wide<Vectors / 2>(row, factor, v, d, count, mark, ahead);
  }

  /// Dims from d on of the values that weight j is multiplied with.
  template <class L>
  static TENSORNORM_INLINE L values_of(const head_view<const S>& v, index j, index count, index d) {
    const S* const value = v.data + j * terms::in_one * v.token_step + d;
    if constexpr (in_pairs)
      return terms::template load_values<L>(value, 2 * j + 1 < count ? value + v.token_step : nullptr);
    else
      return kernel::load<L>(value);
  }

  template <class L, int Vectors, int Rows, class Ahead>
  TENSORNORM_INLINE void add_dims(index row, const T (&factor)[Rows], const head_view<const S>& v, index d,
                                  index count, bool mark, Ahead& ahead) const {
    const T* const weights = memory.scores + row * key_block;
    L sum[chains][Rows][Vectors];
    const auto add = [&](int n, index j) TENSORNORM_INLINE_LAMBDA {
      if (row % decode_rows == 0)
        for (int token = 0; token < terms::in_one; ++token)
          ahead.template while_value<Vectors * L::size * index{sizeof(S)}>(row / decode_rows, d);
      L numbers[Vectors];
      TENSORNORM_UNROLL
      for (int i = 0; i < Vectors; ++i) numbers[i] = values_of<L>(v, j, count, d + i * L::size);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const L w = L::splat(weights[r * key_block + j]);
        TENSORNORM_UNROLL
        for (int i = 0; i < Vectors; ++i) {
          if (mark)
            terms::add_marked(sum[n][r][i], w, numbers[i], w);
          else
            terms::add(sum[n][r][i], w, numbers[i]);
        }
      }
    };
    // Σ of [first, last) in two chains.
    const auto sum_up = [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
      TENSORNORM_UNROLL
      for (int n = 0; n < chains; ++n) TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
      for (int i = 0; i < Vectors; ++i) sum[n][r][i] = L::splat(0);
      index j = first;
      for (; j + chains <= last; j += chains) {
        add(0, j);
        add(1, j + 1);
      }
      if (j < last) add(0, j);
    };
    const auto add_to_state = [&](int r, int i, const L& all) TENSORNORM_INLINE_LAMBDA {
      T* const place = states.values(head, chunk, row + r) + d + i * L::size;
      fma(L::load(place), L::splat(factor[r]), all).store(place);
    };
    if constexpr (terms::depth >= key_block) {
      sum_up(0, numbers(count));
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
      for (int i = 0; i < Vectors; ++i) add_to_state(r, i, sum[0][r][i] + sum[1][r][i]);
    } else {
      L all[Rows][Vectors];
      add_parts<terms::depth>(numbers(count), sum_up, sum, all);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
      for (int i = 0; i < Vectors; ++i) add_to_state(r, i, all[r][i]);
    }
  }

  /// The sums of `count` terms, Depth of them after another.
  template <index Depth, class SumUp, class L, int Rows, int Vectors>
  static TENSORNORM_INLINE void add_parts(index count, const SumUp& sum_up,
                                          const L (&sum)[chains][Rows][Vectors], L (&all)[Rows][Vectors]) {
    const typename terms::arithmetic products;
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
    for (int i = 0; i < Vectors; ++i) all[r][i] = L::splat(0);
    for (index first = 0; first < count; first += Depth) {
      sum_up(first, count - first < Depth ? count : first + Depth);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
      for (int i = 0; i < Vectors; ++i) all[r][i] = all[r][i] + (sum[0][r][i] + sum[1][r][i]);
    }
    products.holds(all);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
