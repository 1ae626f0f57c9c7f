// What fused attention multiplies where the machine has dot products of bfloat16: pairs of dims of queries
// and keys, pairs of keys of weights and values.
#pragma once

#include "terms.hpp"
#include "wide_products.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_X86_LEVELS

/// The products of a block of queries with keys and values in pairs; stands in the place of wide_products.
/// Weights are rounded to bfloat16, their sum is that of what they were before.
template <class P>
class pair_products {
 public:
  using T = typename P::compute;
  using terms = pair_terms;
  static constexpr bool overlap = false;

  static index size(const P& p, index lanes) {
    using arena = memory_arena<T>;
    const heads_shape& s = p.shape;
    return arena::padded(s.dim * lanes) + arena::padded(s.keys * pairs(s.dim)) +
           arena::padded(pairs(s.keys) * s.value_dim) + arena::padded(ceil_div(s.keys, key_block));
  }
  void take_memory(const P& p, index lanes, memory_arena<T>& arena) {
    const heads_shape& s = p.shape;
    queries_ = arena.take(s.dim * lanes);
    keys_ = arena.take(s.keys * pairs(s.dim));
    values_ = arena.take(pairs(s.keys) * s.value_dim);
    finite_ = arena.take(ceil_div(s.keys, key_block));
  }

  template <class Isa>
  TENSORNORM_INLINE void look_at(const P& p, const query_block& at, const key_range& visible, index lanes) {
    using V = native_vec<Isa, T>;
    dim_ = p.shape.dim;
    value_dim_ = p.shape.value_dim;
    const index key_head = at.head / p.shape.group();
    packed_.add(p, at, visible, [&](const key_range& keys) TENSORNORM_INLINE_LAMBDA {
      pair_terms::pack_keys(tokens_from(head_of(p.k, p.k_strides, at.batch, key_head), keys.first),
                            keys.last - keys.first, dim_, keys_ + keys.first * pairs(dim_));
      pack_values<V>(head_of(p.v, p.v_strides, at.batch, key_head), keys);
    });
    pack_lanes<Isa>(head_of(p.q, p.q_strides, at.batch, at.head), at.first, at.last - at.first, dim_,
                    queries_, lanes);
    pair_terms::pair_lines<V>(queries_, dim_, lanes);
  }

  template <class Isa>
  TENSORNORM_INLINE void score(index first, index count, index lanes, T* scores,
                               const rows_ahead& ahead) const {
    const index depth = pairs(dim_);
    auto product =
        product_in_lanes<Isa>({keys_ + first * depth, depth, 1}, count, queries_, depth, scores, lanes);
    product.ahead = ahead;
    multiply<Isa, pair_terms>(product);
  }
  rows_ahead keys_ahead(index first, index count) const {
    return rows_ahead::of(keys_ + first * pairs(dim_), pairs(dim_), count, 1, pairs(dim_));
  }
  rows_ahead values_ahead(index first, index count) const {
    return rows_ahead::of(values_ + first / 2 * value_dim_, value_dim_, pairs(count), 1, value_dim_);
  }

  /// Of the block of keys, of which these are a part.
  template <class V>
  TENSORNORM_INLINE bool finite_values(index first, index) const {
    return finite_[first / key_block] != 0;
  }

  /// `first` is even. The weights lie in pairs.
  template <class Isa>
  TENSORNORM_INLINE void add_values(index first, index count, index lanes, const weighted_sums<T>& sums,
                                    bool mark) const {
    using V = native_vec<Isa, T>;
    const index depth = pairs(count);
    // The neighbour of the last of an odd number of keys may be one that nobody sees.
    if (!mark && count < 2 * depth && !finite_values<V>(first, count)) {
      mark = true;
      pair_terms::mark_absent<V>(sums.weights, count, 2 * depth, lanes);
    }
    auto product = product_in_lanes<Isa>({values_ + first / 2 * value_dim_, 1, value_dim_}, value_dim_,
                                         sums.weights, depth, sums.values, lanes);
    sums.set(product);
    if (mark)
      multiply_marked<V, pair_terms>(product, product.b);
    else
      multiply<Isa, pair_terms>(product);
  }

 private:
  static constexpr index pairs(index numbers) { return ceil_div(numbers, pair_terms::in_one); }

  template <class V>
  TENSORNORM_INLINE void pack_values(const head_view<const bfloat16>& v, const key_range& keys) {
    for (index j = keys.first; j < keys.last; j += key_block) {
      const index count = keys.last - j < key_block ? keys.last - j : key_block;
      const bool finite =
          pair_terms::pack_values<V>(tokens_from(v, j), count, value_dim_, values_ + j / 2 * value_dim_);
      finite_[j / key_block] = finite ? T{1} : T{0};
    }
  }

  T* queries_ = nullptr;  // pairs of dims x lanes
  T* keys_ = nullptr;     // keys x pairs of dims
  T* values_ = nullptr;   // pairs of keys x value_dim
  T* finite_ = nullptr;   // of each block of keys: whether all of its values are
  index dim_ = 0;
  index value_dim_ = 0;
  packed_keys packed_;
};

#endif  // TENSORNORM_X86_LEVELS

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
