// When a few queries attend to many keys, and the memory in which they do.
#pragma once

#include "bfloat16_pairs.hpp"
#include "operands.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Up to this many queries a head are too few to lie side by side.
inline constexpr index decode_queries = 8;

/// Rows of queries that meet a tile of keys at a time.
inline constexpr int decode_rows = 4;

/// Keys and values whose dims lie side by side can be read so.
template <class P>
bool decodes(const P& p) {
  return p.shape.queries <= decode_queries && p.k_strides.dim == 1 && p.v_strides.dim == 1 &&
         p.shape.keys > 0;
}

/// The rows of one key head: all queries of all heads that share it.
template <class P>
index rows_of(const P& p) {
  return p.shape.group() * p.shape.queries;
}
constexpr index padded_rows(index rows) { return rows == 1 ? 1 : ceil_div(rows, decode_rows) * decode_rows; }
constexpr index padded_dim(index dim) { return ceil_div(dim, 64) * 64; }

/// What one chunk of keys says to each row: largest, sum, and values, one chunk after another.
template <class P>
struct chunk_states {
  using T = typename P::compute;

  T* memory;
  index rows;
  index chunks;
  index step;

  chunk_states(const P& p, T* at)
      : memory(at),
        rows(rows_of(p)),
        chunks(ceil_div(p.shape.keys, key_chunk)),
        step(padded_dim(p.shape.value_dim) + 64) {}
  index size(const heads_shape& s) const { return s.batch * s.key_heads * chunks * rows * step; }

  T* softmax(index head, index chunk, index row) const {
    return memory + ((head * chunks + chunk) * rows + row) * step;
  }
  T* values(index head, index chunk, index row) const { return softmax(head, chunk, row) + 64; }
};

/// Memory for one thread. Numbers in it may be pairs (terms_of).
template <class P>
struct decode_memory {
  using T = typename P::compute;
  static constexpr bool widens = key_operands<P>::widens;

  T* queries;      // rows x dim, with zeros up to whole packets
  T* scores;       // rows x key_block
  T* wide_keys;    // key_block x dim
  T* wide_values;  // key_block x value_dim

  static index size(const P& p) {
    const index rows = padded_rows(rows_of(p));
    return rows * padded_dim(p.shape.dim) + rows * key_block +
           (widens ? key_block * (padded_dim(p.shape.dim) + padded_dim(p.shape.value_dim)) : 0);
  }
  decode_memory(const P& p, T* memory) {
    memory_arena<T> arena{memory};
    const index rows = padded_rows(rows_of(p));
    queries = arena.take(rows * padded_dim(p.shape.dim));
    scores = arena.take(rows * key_block);
    wide_keys = widens ? arena.take(key_block * padded_dim(p.shape.dim)) : nullptr;
    wide_values = widens ? arena.take(key_block * padded_dim(p.shape.value_dim)) : nullptr;
  }
};

/// Asks for the lines of tokens in the order of memory, which is what the machine's own prefetching follows.
class lines_ahead {
 public:
  /// `bytes` of each of the tokens that begin at `first`, `step` bytes apart.
  TENSORNORM_INLINE lines_ahead(const void* first, index step, index bytes)
      : at_(static_cast<const char*>(first)),
        step_(step),
        half_block_(key_block / 2 * step),
        lines_(ceil_div(bytes, line_bytes)) {}

  index lines_of_token() const { return lines_; }
  /// The next line; of every eighth token also one far ahead, since finding a page takes longer than reading
  /// it.
  TENSORNORM_INLINE void next() {
    if (line_ == 0 && token_ % 8 == 0) prefetch<cache_level::second>(at_ + pages_ahead * step_);
    prefetch<cache_level::second>(at_);
    advance();
  }
  /// The next line, and the same half a block further.
  TENSORNORM_INLINE void next_two() {
    prefetch<cache_level::second>(at_);
    prefetch<cache_level::second>(at_ + half_block_);
    advance();
  }

 private:
  static constexpr index line_bytes = 64;
  static constexpr index pages_ahead = 256;

  TENSORNORM_INLINE void advance() {
    at_ += line_bytes;
    if (++line_ < lines_) return;
    at_ += step_ - lines_ * line_bytes;
    line_ = 0;
    ++token_;
  }

  const char* at_;
  index step_;
  index half_block_;
  index lines_;
  index line_ = 0;
  index token_ = 0;
};

/// What is read next, asked for while a block of keys and their values are worked on.
class tokens_ahead {
 public:
  /// The block begins at k and v, whose tokens have `dim` and `value_dim` numbers.
  template <class S>
  TENSORNORM_INLINE tokens_ahead(const head_view<const S>& k, index dim, const head_view<const S>& v,
                                 index value_dim)
      : side_by_side_(reads_streams_side_by_side()),
        keys_(lines(k, key_block, dim)),
        values_(lines(v, side_by_side_ ? key_block : values_ahead, value_dim)) {}

  /// So many lines of keys are read.
  TENSORNORM_INLINE void while_keys(index count) {
    if (side_by_side_) return four_streams(count);
    for (index n = 0; n < count; ++n) keys_.next();
  }
  /// The values of a token are read.
  TENSORNORM_INLINE void while_value() {
    if (side_by_side_) return four_streams(values_.lines_of_token());
    for (index n = 0; n < values_.lines_of_token(); ++n) values_.next();
  }

 private:
  static constexpr index values_ahead = 16;

  template <class S>
  static TENSORNORM_INLINE lines_ahead lines(const head_view<const S>& x, index tokens, index dim) {
    constexpr index size = static_cast<index>(sizeof(S));
    return {x.data + tokens * x.token_step, x.token_step * size, dim * size};
  }

  /// Both halves of the next block of keys and of its values.
  TENSORNORM_INLINE void four_streams(index count) {
    for (due_ += count; due_ >= 4; due_ -= 4) {
      keys_.next_two();
      values_.next_two();
    }
  }

  bool side_by_side_;
  lines_ahead keys_;
  lines_ahead values_;
  index due_ = 0;
};

/// The lanes of packets, one packet after another.
template <class V, class Packet>
TENSORNORM_INLINE V join_packets(const Packet* packets) {
  if constexpr (V::size == Packet::size) {
    return packets[0];
  } else {
    using half = vec<typename V::isa, typename V::scalar, V::size / 2>;
    return join(join_packets<half>(packets), join_packets<half>(packets + half::size / Packet::size));
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
