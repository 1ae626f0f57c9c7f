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

/// Which keys have been packed, and of which key head: what a block of queries sees is packed, in whole
/// blocks of keys, when the first comes that sees it.
class packed_keys {
 public:
  /// pack(keys) for those of the visible ones that are not there yet.
  template <class P, class Pack>
  TENSORNORM_INLINE void add(const P& p, const query_block& at, const key_range& visible, const Pack& pack) {
    if (visible.first >= visible.last) return;
    const index last_block = ceil_div(visible.last, key_block) * key_block;
    const key_range blocks{visible.first - visible.first % key_block,
                           last_block < at.keys ? last_block : at.keys};
    const index head = at.batch * p.shape.key_heads + at.head / p.shape.group();
    if (head != head_ || blocks.last < packed_.first || packed_.last < blocks.first)
      packed_ = {blocks.first, blocks.first};
    head_ = head;
    for (const key_range& missing :
         {key_range{blocks.first, packed_.first}, key_range{packed_.last, blocks.last}})
      if (missing.first < missing.last) pack(missing);
    packed_ = hull(packed_, blocks);
  }

 private:
  index head_ = -1;  // counted through the batch
  key_range packed_{0, 0};
};

/// Keys or values as a product takes them: where they lie, or packed. 16-bit ones are packed to be widened;
/// others where their rows are apart and many queries read them, who then find them in fewer pages.
template <class P>
struct packed_rows {
  using S = typename P::data_type;
  using T = typename P::compute;

  T* rows = nullptr;  // tokens x dim, if they are packed

  static bool packs(const P& p, const heads_strides& x, index dim) {
    if (!std::is_same_v<S, T>) return true;
    if (x.token == 1 || (x.dim == 1 && x.token == dim)) return false;
    // Measured: from the second block of 48 queries on, and where every number is read alone, from the fifth.
    const index queries = p.shape.queries * p.shape.group();
    return queries > (x.dim == 1 ? 64 : 192);
  }
  static index size(const P& p, const heads_strides& x, index dim) {
    return packs(p, x, dim) ? memory_arena<T>::padded(p.shape.keys * dim) : 0;
  }
  void take_memory(const P& p, const heads_strides& x, index dim, memory_arena<T>& arena) {
    if (packs(p, x, dim)) rows = arena.take(p.shape.keys * dim);
  }
  template <class Isa>
  TENSORNORM_INLINE void pack(const head_view<const S>& x, const key_range& tokens, index dim) const {
    if (rows)
      pack_rows<Isa>(tokens_from(x, tokens.first), tokens.last - tokens.first, dim,
                     rows + tokens.first * dim);
  }
  /// Where the tokens of x are found.
  TENSORNORM_INLINE head_view<const T> found(const head_view<const S>& x, index dim) const {
    if constexpr (std::is_same_v<S, T>)
      if (!rows) return x;
    return {rows, dim, 1};
  }
};

/// Keys and values of one head.
template <class P>
struct key_operands {
  using T = typename P::compute;

  broadcast_matrix<T> keys;    // rows are keys
  broadcast_matrix<T> values;  // rows are dims of the values

  static index size(const P& p) {
    return packed_rows<P>::size(p, p.k_strides, p.shape.dim) +
           packed_rows<P>::size(p, p.v_strides, p.shape.value_dim);
  }
  void take_memory(const P& p, memory_arena<T>& arena) {
    keys_.take_memory(p, p.k_strides, p.shape.dim, arena);
    values_.take_memory(p, p.v_strides, p.shape.value_dim, arena);
  }

  /// The keys and values that a block of queries sees.
  template <class Isa>
  TENSORNORM_INLINE void look_at(const P& p, const query_block& at, const key_range& visible) {
    const index key_head = at.head / p.shape.group();
    const auto k = head_of(p.k, p.k_strides, at.batch, key_head);
    const auto v = head_of(p.v, p.v_strides, at.batch, key_head);
    packed_.add(p, at, visible, [&](const key_range& tokens) TENSORNORM_INLINE_LAMBDA {
      keys_.template pack<Isa>(k, tokens, p.shape.dim);
      values_.template pack<Isa>(v, tokens, p.shape.value_dim);
    });
    const auto of_keys = keys_.found(k, p.shape.dim);
    const auto of_values = values_.found(v, p.shape.value_dim);
    keys = {of_keys.data, of_keys.token_step, of_keys.dim_step};
    values = {of_values.data, of_values.dim_step, of_values.token_step};
  }

 private:
  packed_rows<P> keys_;
  packed_rows<P> values_;
  packed_keys packed_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
