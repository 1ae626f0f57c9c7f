// Decoding by tiles of bfloat16: keys are rows of tiles where they lie, values are paired on their way into
// the cache. Every sum is that of decode_scores and decode_chunk, which do number by number what does not
// fill tiles.
#pragma once

#include "decode_memory.hpp"
#include "pack.hpp"
#include "tokens_ahead.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// What a kernel for Isa decodes by tiles: nothing where there are none.
template <class Isa, class P>
struct decode_tiles {
  static constexpr bool exist = false;
  static constexpr memory_of_tiles memory_for(const P&) { return {}; }
};

#if TENSORNORM_AMX

/// The queries of one key head, and a block of its keys or a part of one.
template <class P>
requires std::is_same_v<typename P::data_type, bfloat16>
struct decode_tiles<avx512_amx, P> {
  using Isa = avx512_amx;
  using T = typename P::compute;
  using S = typename P::data_type;
  using V = native_vec<Isa, T>;

  static constexpr bool exist = true;
  /// Fewer rows are read as fast number by number.
  static constexpr index fewest_rows = 5;

  static memory_of_tiles memory_for(const P& p) {
    if (rows_of(p) < fewest_rows) return {};
    const index rows = whole_tiles(rows_of(p));
    return {p.shape.dim * rows, rows * pairs_of_block + 2 * values_of_part + key_block * side + rows};
  }

  TENSORNORM_INLINE decode_tiles(const P& p, const decode_memory<P>& memory, index rows)
      : dim_(p.shape.dim),
        value_dim_(p.shape.value_dim - p.shape.value_dim % (2 * side)),
        rows_(rows),
        lanes_(whole_tiles(rows)),
        rows_of_queries_(memory.queries),
        scores_(memory.scores),
        queries_(memory.queries + padded_rows(rows) * padded_dim(p.shape.dim)),
        weights_(memory.tiles),
        values_(weights_ + lanes_ * pairs_of_block),
        sums_(values_ + 2 * values_of_part),
        factors_(sums_ + key_block * side) {}

  /// Whether a query meets the keys by tiles, which are of whole tiles of dims then.
  bool scores_tiles() const { return dim_ % depth == 0; }
  /// The first of the dims of values that do not fill tiles.
  index value_dims() const { return value_dim_; }

  /// What a block of keys takes, in cycles or so.
  index cost() const {
    const index scores = key_block / side * (dim_ / depth) * (lanes_ / side) * cost_of_tile;
    const index values =
        value_dim_ / (2 * side) * (pairs_of_block * cost_of_pair + lanes_ / side * cost_of_part);
    return scores + rows_ * cost_of_row + values;
  }

  /// From the rows of queries in memory.
  TENSORNORM_INLINE void read_queries() const {
    if (!scores_tiles()) return;
    pack_lanes<Isa>(head_view<const T>{rows_of_queries_, padded_dim(dim_), 1}, 0, rows_, dim_, queries_,
                    lanes_);
    pair_terms::pair_lines<V>(queries_, dim_, lanes_);
  }

  /// Scores of the keys that fill tiles, beginning with the first. Returns how many these are.
  TENSORNORM_INLINE index score(const head_view<const S>& k, index count, tokens_ahead& ahead) const {
    const index keys = scores_tiles() ? count - count % side : 0;
    for (index row = 0; row < lanes_ && keys > 0; row += side) {
      for (index j = 0; j < keys; j += side) {
        amx::zero<0>();
        for (index d = 0; d < dim_; d += depth) {
          if (!ahead.while_working(cost_of_tile) && row == 0) {
            TENSORNORM_UNROLL
            for (int step = 0; step < 4; ++step) ahead.while_keys<side>(step);
          }
          amx::load<1>(k.data + j * k.token_step + d, k.token_step * index{sizeof(S)});
          amx::load<2>(queries_ + d / 2 * lanes_ + row, lanes_ * index{sizeof(T)});
          amx::multiply<0, 1, 2>();
        }
        amx::store<0>(sums_ + j * side, amx::tile_bytes);
      }
      pack_lanes<Isa>(head_view<const T>{sums_, side, 1}, 0, keys, rows_left(row), scores_ + row * key_block,
                      key_block);
    }
    return keys;
  }

  /// Keeps the weights of a row, and the factor of what was summed before.
  TENSORNORM_INLINE void keep(index row, const T* weights, index count, T factor, tokens_ahead& ahead) const {
    ahead.while_working(cost_of_row);
    auto* const to = reinterpret_cast<bfloat16*>(weights_ + row * pairs_of_block);
    index j = 0;
    for (; j < count; j += V::size) store(V::load(weights + j), to + j);
    if (j % depth != 0) store(V::splat(0), to + j);
    factors_[row] = factor;
  }

  /// values = values * factor + Σ weight · value, for all rows and for value_dims() dims. values(row) is
  /// where those of a row lie.
  template <class Values>
  TENSORNORM_INLINE void add_values(const head_view<const S>& v, index count, tokens_ahead& ahead,
                                    const Values& values) const {
    part now{0, 0, values_, sums_};
    part before = now;
    const auto add = [&](const part& of) TENSORNORM_INLINE_LAMBDA {
      for (index r = 0; r < rows_left(of.row); ++r)
        add_to(values(of.row + r) + of.d, V::splat(factors_[of.row + r]), of.sums + r * side);
    };
    // What was written is read when something else has been written: tiles wait for it otherwise.
    T* to = values_;
    pair_values(v, count, 0, to, ahead);
    for (; now.d < value_dim_; now.d += 2 * side) {
      now.values = to;
      to = to == values_ ? values_ + values_of_part : values_;
      if (now.d + 2 * side < value_dim_) pair_values(v, count, now.d + 2 * side, to, ahead);
      for (now.row = 0; now.row < lanes_; now.row += side) {
        ahead.while_working(cost_of_part);
        multiply_weights(now, count);
        if (now.row + now.d > 0) add(before);
        before = now;
        now.sums = now.sums == sums_ ? sums_ + sums_of_part : sums_;
      }
    }
    add(before);
  }

 private:
  static constexpr int side = amx::tile_rows;
  static constexpr index depth = amx::tile_depth;
  static constexpr index pairs_of_block = key_block / 2;
  static constexpr index cost_of_tile = 80, cost_of_row = 400, cost_of_pair = 10, cost_of_part = 250;
  static constexpr index values_of_part = pairs_of_block * 2 * side;
  static constexpr index sums_of_part = 2 * side * side;

  static constexpr index whole_tiles(index rows) { return ceil_div(rows, index{side}) * side; }
  index rows_left(index row) const { return std::min(rows_ - row, index{side}); }

  /// Dims [d, d + 32) of the values, in pairs of keys, with zeros up to whole tiles of keys. Of each 16 bytes
  /// of a pair of values the first half of the dims goes into one tile, and the second into the other.
  TENSORNORM_INLINE void pair_values(const head_view<const S>& v, index count, index d, T* to,
                                     tokens_ahead& ahead) const {
    const S* from = v.data + d;
    index j = 0;
    for (; j + 2 <= count; j += 2, from += 2 * v.token_step, to += 2 * side) {
      if (!ahead.while_working(cost_of_pair)) {
        ahead.template while_value<2 * side * index{sizeof(S)}>(0, d);
        ahead.template while_value<2 * side * index{sizeof(S)}>(0, d);
      }
      interleave(load_line(from), load_line(from + v.token_step), to);
    }
    if (j < count) {
      interleave(load_line(from), shorts{}, to);
      j += 2;
      to += 2 * side;
    }
    for (; j % depth != 0; j += 2, to += 2 * side) interleave(shorts{}, shorts{}, to);
  }

  typedef short shorts __attribute__((vector_size(amx::tile_bytes)));

  static TENSORNORM_INLINE shorts load_line(const S* from) {
    shorts line;
    std::memcpy(&line, from, sizeof(line));
    return line;
  }
  static TENSORNORM_INLINE void interleave(const shorts& first, const shorts& second, T* to) {
    [&]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
      constexpr auto from = [](int lane, int half) {
        return lane / 8 * 8 + half * 4 + lane % 8 / 2 + lane % 2 * 32;
      };
      const shorts low = __builtin_shufflevector(first, second, from(Lane, 0)...);
      const shorts high = __builtin_shufflevector(first, second, from(Lane, 1)...);
      std::memcpy(to, &low, sizeof(low));
      std::memcpy(to + side, &high, sizeof(high));
    }
    (std::make_integer_sequence<int, 2 * side>());
  }

  /// Of the values: 32 dims from d on, and 16 rows.
  struct part {
    index d;
    index row;
    const T* values;
    T* sums;
  };

  /// Weights meet the paired values, in two tiles of sums.
  TENSORNORM_INLINE void multiply_weights(const part& of, index count) const {
    constexpr index step = 2 * amx::tile_bytes;
    amx::zero<0>();
    amx::zero<1>();
    for (index pair = 0; 2 * pair < count; pair += side) {
      const T* const of_pair = of.values + pair * 2 * side;
      amx::load<2>(weights_ + of.row * pairs_of_block + pair, pairs_of_block * index{sizeof(T)});
      amx::load<3>(of_pair, step);
      amx::multiply<0, 2, 3>();
      amx::load<4>(of_pair + side, step);
      amx::multiply<1, 2, 4>();
    }
    amx::store<0>(of.sums, amx::tile_bytes);
    amx::store<1>(of.sums + side * side, amx::tile_bytes);
  }

  /// 32 dims of a row, which lie in two tiles of sums.
  static TENSORNORM_INLINE void add_to(T* place, const V& factor, const T* sums) {
    const V low = V::load(sums), high = V::load(sums + side * side);
    [&]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
      constexpr auto from = [](int lane) { return lane / 8 * 4 + lane % 4 + lane % 8 / 4 * V::size; };
      const V first{__builtin_shufflevector(low.v, high.v, from(Lane)...)};
      const V second{__builtin_shufflevector(low.v, high.v, from(Lane + V::size)...)};
      fma(V::load(place), factor, first).store(place);
      fma(V::load(place + V::size), factor, second).store(place + V::size);
    }
    (std::make_integer_sequence<int, V::size>());
  }

  index dim_;
  index value_dim_;  // that fill tiles
  index rows_;
  index lanes_;  // rows, up to whole tiles
  const T* rows_of_queries_;
  T* scores_;   // rows x keys
  T* queries_;  // pairs of dims x rows
  T* weights_;  // rows x pairs of keys
  T* values_;   // of two parts, pairs of keys x two tiles of dims
  T* sums_;     // keys x rows of a tile, or of two parts
  T* factors_;  // for each row, of what was summed before
};

#endif  // TENSORNORM_AMX

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
