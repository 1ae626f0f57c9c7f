// What fused attention multiplies where the machine has tiles of bfloat16: queries and keys in pairs of dims,
// weights and values in pairs of keys.
#pragma once

#include <algorithm>

#include "terms.hpp"
#include "wide_products.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_AMX

/// The products of a block of queries with keys and values in tiles; stands in the place of wide_products.
/// Weights are rounded to bfloat16, their sum is that of what they were before. Whatever fills tiles that
/// keys, dims or queries do not is zero.
template <class P>
class amx_products {
 public:
  using T = typename P::compute;
  using terms = amx_terms;
  static constexpr bool overlap = true;

  static index size(const P& p, index lanes) {
    using arena = memory_arena<T>;
    const heads_shape& s = p.shape;
    return arena::padded(whole_depth(s.dim) * lanes) + arena::padded(whole_rows(s.keys) * pairs(s.dim)) +
           arena::padded(ceil_div(s.keys, key_block) * values_step(s.value_dim)) +
           arena::padded(ceil_div(s.keys, key_block)) + arena::padded(key_block * s.value_dim) +
           arena::padded(whole_rows(s.value_dim) * amx::tile_numbers);
  }
  void take_memory(const P& p, index lanes, memory_arena<T>& arena) {
    const heads_shape& s = p.shape;
    queries_ = arena.take(whole_depth(s.dim) * lanes);
    keys_ = arena.take(whole_rows(s.keys) * pairs(s.dim));
    values_ = arena.take(ceil_div(s.keys, key_block) * values_step(s.value_dim));
    finite_ = arena.take(ceil_div(s.keys, key_block));
    wide_values_ = arena.take(key_block * s.value_dim);
    sums_ = arena.take(whole_rows(s.value_dim) * amx::tile_numbers);
  }

  template <class Isa>
  TENSORNORM_INLINE void look_at(const P& p, const query_block& at, const key_range& visible, index lanes) {
    using V = native_vec<Isa, T>;
    dim_ = p.shape.dim;
    value_dim_ = p.shape.value_dim;
    const index key_head = at.head / p.shape.group();
    packed_.add(p, at, visible, [&](const key_range& keys) TENSORNORM_INLINE_LAMBDA {
      pack_keys(head_of(p.k, p.k_strides, at.batch, key_head), keys);
      pack_values<Isa>(head_of(p.v, p.v_strides, at.batch, key_head), keys);
    });
    pack_lanes<Isa>(head_of(p.q, p.q_strides, at.batch, at.head), at.first, at.last - at.first, dim_,
                    queries_, lanes);
    std::fill(queries_ + dim_ * lanes, queries_ + whole_depth(dim_) * lanes, T{0});
    pair_terms::pair_lines<V>(queries_, whole_depth(dim_), lanes);
  }

  /// The scores of a vector of lanes.
  TENSORNORM_INLINE void score(const key_range& keys, index lane, index lanes, T* scores) const {
    amx_product{
        keys_ + keys.first * pairs(dim_), pairs(dim_), count(keys), queries_, whole_depth(dim_), lanes}
        .multiply(0, lane, scores + lane, lanes);
  }

  /// Of the block of keys, of which these are a part.
  template <class V>
  TENSORNORM_INLINE bool finite_values(index first, index) const {
    return finite_[first / key_block] != 0;
  }

  /// Whether the values of keys can be multiplied in tiles. What fills the last tile may be values that
  /// nobody sees.
  TENSORNORM_INLINE bool fill_tiles(const key_range& keys, bool mark) const {
    return !mark && (count(keys) == whole_depth(count(keys)) || finite_[keys.first / key_block] != 0);
  }
  /// Multiplies the values of keys by the weights of a vector of lanes. The first is a multiple of key_step,
  /// up to which weights of absent keys follow the last.
  TENSORNORM_INLINE void multiply_values(const key_range& keys, index lane, index lanes,
                                         const T* weights) const {
    const amx_product product{values(keys), key_block / 2, value_dim_, weights, whole_depth(count(keys)),
                              lanes};
    for (index d = 0; d < value_dim_; d += amx_product::together)
      product.multiply(d, lane, sums_ + d * amx::tile_numbers, amx::tile_numbers);
  }
  /// What was summed before, times the factor, meets these products; if this is the beginning, nothing was.
  template <class V>
  TENSORNORM_INLINE void add_products(index lane, index lanes, bool begin, const V& factor, T* sums) const {
    for (index d = 0; d < value_dim_; ++d) {
      T* const place = sums + d * lanes + lane;
      const V product = V::load(sums_ + d * V::size);
      (begin ? product : fma(V::load(place), factor, product)).store(place);
    }
  }

  /// The same sums of all lanes number by number, for values that do not fill tiles.
  template <class Isa>
  TENSORNORM_INLINE void add_values(const key_range& keys, index lanes, const weighted_sums<T>& sums,
                                    bool mark) const {
    using V = native_vec<Isa, T>;
    const index depth = whole_depth(count(keys));
    if (!mark) pair_terms::mark_absent<V>(sums.weights, count(keys), depth, lanes);
    add_marked<Isa>(sums, values(keys), depth, lanes);
  }

 private:
  static constexpr index count(const key_range& keys) { return keys.last - keys.first; }
  static constexpr index whole_depth(index numbers) {
    return ceil_div(numbers, index{amx::tile_depth}) * amx::tile_depth;
  }
  static constexpr index whole_rows(index rows) {
    return ceil_div(rows, index{amx::tile_rows}) * amx::tile_rows;
  }
  /// Numbers that a key takes.
  static constexpr index pairs(index dim) { return whole_depth(dim) / 2; }
  /// Numbers that the values of a block of keys take.
  static constexpr index values_step(index value_dim) { return whole_rows(value_dim) * (key_block / 2); }
  /// The values of keys that begin at a multiple of key_step.
  TENSORNORM_INLINE const T* values(const key_range& keys) const {
    return values_ + keys.first / key_block * values_step(value_dim_) + keys.first % key_block / 2;
  }

  TENSORNORM_INLINE void pack_keys(const head_view<const bfloat16>& k, const key_range& keys) {
    const index step = pairs(dim_);
    for (index j = keys.first; j < whole_rows(keys.last); ++j) {
      T* const to = keys_ + j * step;
      if (j < keys.last) pair_terms::pack_keys(tokens_from(k, j), 1, dim_, to);
      std::fill(to + (j < keys.last ? ceil_div(dim_, index{2}) : 0), to + step, T{0});
    }
  }

  /// Dims of values become rows, of all keys of a block.
  template <class Isa>
  TENSORNORM_INLINE void pack_values(const head_view<const bfloat16>& v, const key_range& keys) {
    using V = native_vec<Isa, T>;
    for (index j = keys.first; j < keys.last; j += key_block) {
      const index count = keys.last - j < key_block ? keys.last - j : key_block;
      pack_lanes<Isa>(v, j, count, value_dim_, wide_values_, key_block);
      finite_[j / key_block] =
          all_finite<V>(broadcast_matrix<T>{wide_values_, key_block, 1}, value_dim_, key_block) ? T{1} : T{0};
      T* const rows = values_ + j / key_block * values_step(value_dim_);
      for (index d = 0; d < value_dim_; ++d)
        narrow_row<Isa>(wide_values_ + d * key_block, key_block,
                        reinterpret_cast<bfloat16*>(rows + d * (key_block / 2)));
      std::fill(rows + value_dim_ * (key_block / 2), rows + values_step(value_dim_), T{0});
    }
  }

  /// The same sums, number by number. (Weights become numbers again where they lie.)
  template <class Isa>
  TENSORNORM_INLINE void add_marked(const weighted_sums<T>& sums, const T* values, index depth,
                                    index lanes) const {
    using V = native_vec<Isa, T>;
    for (index n = depth / 2 - 1; n >= 0; --n)
      for (index lane = 0; lane < lanes; lane += V::size) {
        V first, second;
        pair_terms::separate(V::load(sums.weights + n * lanes + lane), first, second);
        first.store(sums.weights + 2 * n * lanes + lane);
        second.store(sums.weights + (2 * n + 1) * lanes + lane);
      }
    for (index d = 0; d < value_dim_; ++d) {
      const auto* const from = reinterpret_cast<const bfloat16*>(values + d * (key_block / 2));
      widen_row<Isa>(from, depth, wide_values_);
      auto product =
          product_in_lanes<Isa>({wide_values_, key_block, 1}, 1, sums.weights, depth, sums_, lanes);
      {
        const amx_terms::arithmetic as_in_tiles;
        multiply_marked<V, amx_terms>(product, product.b);
      }
      for (index lane = 0; lane < lanes; lane += V::size)
        add_sum<V>(sums, V::load(sums_ + lane), d * lanes + lane, lane);
    }
  }

  /// What was summed before of a dim and of a vector of lanes meets the sum of this block of keys.
  template <class V>
  TENSORNORM_INLINE void add_sum(const weighted_sums<T>& sums, const V& of_block, index at,
                                 index lane) const {
    T* const place = sums.values + at;
    if (sums.how == meet::overwrite)
      of_block.store(place);
    else
      fma(V::load(place), sums.how == meet::rescale ? V::load(sums.factor + lane) : V::splat(1), of_block)
          .store(place);
  }

  T* queries_ = nullptr;      // pairs of dims x lanes
  T* keys_ = nullptr;         // keys x pairs of dims
  T* values_ = nullptr;       // of each block of keys: value_dim x pairs of keys
  T* finite_ = nullptr;       // of each block of keys: whether all of its values are
  T* wide_values_ = nullptr;  // value_dim x keys of a block
  T* sums_ = nullptr;         // value_dim x a vector of lanes, or of a dim
  index dim_ = 0;
  index value_dim_ = 0;
  packed_keys packed_;
};

#endif  // TENSORNORM_AMX

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
