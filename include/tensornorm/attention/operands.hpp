// Keys and values as the products take them, and the memory in which they and the rest lie.
#pragma once

#include "pack.hpp"
#include "problem.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Queries that are taken side by side.
template <class Isa, class T>
inline constexpr index query_lanes = tile_vectors* vec_size<Isa, T>;

/// Queries that a kernel takes side by side at this level.
template <class T>
index query_lanes_at(isa_level level) {
  return with_isa(level, []<class Isa>(Isa) { return query_lanes<Isa, T>; });
}

/// Pieces of memory one after another, each on a line of its own where the first is.
template <class T>
struct memory_arena {
  T* next;

  T* take(index count) {
    T* const piece = next;
    next += padded(count);
    return piece;
  }
  static constexpr index padded(index count) { return (count + 63) / 64 * 64; }
};

/// The block of at most `width` queries that begins at query `first` of a head, counted through the batch.
template <class P>
query_block queries_of(const P& p, index head, index first, index width) {
  const index batch = head / p.shape.heads;
  const index last = first + width < p.shape.queries ? first + width : p.shape.queries;
  return {batch, head % p.shape.heads, first, last, p.shape.queries, p.keys(batch)};
}

/// The key head, counted through the batch, that operands have been packed of.
class packed_head {
 public:
  /// Whether the keys of a block of queries are of another one, which is to be packed then.
  template <class P>
  bool changes(const P& p, const query_block& at) {
    const index before = number_;
    number_ = at.batch * p.shape.key_heads + at.head / p.shape.group();
    return number_ != before;
  }

 private:
  index number_ = -1;
};

/// Keys and values of one head, where they lie; 16-bit ones are widened, a head at a time.
template <class P>
struct key_operands {
  using T = typename P::compute;
  static constexpr bool widens = !std::is_same_v<typename P::data_type, T>;

  broadcast_matrix<T> keys;    // rows are keys
  broadcast_matrix<T> values;  // rows are dims of the values

  static index size(const heads_shape& s) {
    using arena = memory_arena<T>;
    return widens ? arena::padded(s.keys * s.dim) + arena::padded(s.keys * s.value_dim) : 0;
  }
  void take_memory(const heads_shape& s, memory_arena<T>& arena) {
    if constexpr (widens) {
      wide_keys_ = arena.take(s.keys * s.dim);
      wide_values_ = arena.take(s.keys * s.value_dim);
    }
  }

  template <class Isa>
  TENSORNORM_INLINE void look_at(const P& p, const query_block& at) {
    const index key_head = at.head / p.shape.group();
    const auto k = head_of(p.k, p.k_strides, at.batch, key_head);
    const auto v = head_of(p.v, p.v_strides, at.batch, key_head);
    if constexpr (widens) {
      if (wide_head_.changes(p, at)) {
        pack_rows<Isa>(k, at.keys, p.shape.dim, wide_keys_);
        pack_rows<Isa>(v, at.keys, p.shape.value_dim, wide_values_);
      }
      keys = {wide_keys_, p.shape.dim, 1};
      values = {wide_values_, 1, p.shape.value_dim};
    } else {
      keys = {k.data, k.token_step, k.dim_step};
      values = {v.data, v.dim_step, v.token_step};
    }
  }

 private:
  T* wide_keys_ = nullptr;    // keys x dim
  T* wide_values_ = nullptr;  // keys x value_dim
  packed_head wide_head_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
