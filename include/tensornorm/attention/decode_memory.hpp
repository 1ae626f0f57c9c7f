// When a few queries attend to many keys, and the memory in which they do.
#pragma once

#include <algorithm>

#include "operands.hpp"
#include "terms.hpp"
#include "tokens_ahead.hpp"

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

/// The bytes of all keys and values.
template <class P>
index bytes_read(const P& p) {
  return p.shape.batch * p.shape.key_heads * p.shape.keys * (p.shape.dim + p.shape.value_dim) *
         static_cast<index>(sizeof(typename P::data_type));
}

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

inline constexpr index most_heads_at_once = 16;

/// How many key heads are worked on side by side, block of keys by block. More than one where tokens come
/// before heads: as many as share a page of memory, so that each page is found once. Measured on Intel
/// (Granite Rapids) only: decoding is faster by a third.
template <class P>
index heads_at_once(const P& p) {
  constexpr index page = 4096;
  const auto& k = p.k_strides;
  if (!reads_streams_side_by_side() || k.head < 0 || k.token < p.shape.key_heads * k.head) return 1;
  const index in_page = page / (p.shape.dim * static_cast<index>(sizeof(typename P::data_type)));
  return std::clamp(std::min(in_page, p.shape.key_heads), index{1}, most_heads_at_once);
}

/// What decode_tiles needs: for the queries of each head, and once.
struct memory_of_tiles {
  index queries = 0;
  index rest = 0;
};

/// Memory for one thread. Queries and weights may be pairs (terms_of).
template <class P>
struct decode_memory {
  using T = typename P::compute;

  index heads;       // that are worked on at once
  asking how;        // for what comes next
  index of_queries;  // numbers from those of one head to those of the next
  T* queries;        // rows x dim, with zeros up to whole packets; then what tiles have of them
  T* scores;         // rows x key_block
  T* tiles;          // the rest of what tiles need

  static index size(const P& p, index heads, const memory_of_tiles& tiles = {}) {
    const index rows = padded_rows(rows_of(p));
    return heads * (rows * padded_dim(p.shape.dim) + tiles.queries) + rows * key_block +
           memory_arena<T>::padded(tiles.rest);
  }
  decode_memory(const P& p, index at_once, T* memory, const memory_of_tiles& of_tiles = {})
      : heads(at_once),
        how(how_to_ask(bytes_read(p), at_once > 1)),
        of_queries(padded_rows(rows_of(p)) * padded_dim(p.shape.dim) + of_tiles.queries) {
    memory_arena<T> arena{memory};
    queries = arena.take(heads * of_queries);
    scores = arena.take(padded_rows(rows_of(p)) * key_block);
    tiles = arena.take(of_tiles.rest);
  }

  /// That of one of the heads that are worked on at once: it shares all but its queries.
  decode_memory of_head(index n) const {
    decode_memory its = *this;
    its.queries += n * of_queries;
    return its;
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
