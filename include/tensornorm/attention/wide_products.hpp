// What fused attention multiplies: queries and keys, weights and values, in the type that is computed in.
#pragma once

#include "operands.hpp"
#include "weights.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Where weighted sums of values go.
template <class T>
struct weighted_sums {
  T* weights;  // keys x lanes
  T* values;   // value_dim x lanes
  meet how;
  const T* factor;
  rows_ahead ahead;

  TENSORNORM_INLINE void set(product_problem<T>& product) const {
    product.how = how;
    product.factor = factor;
    product.ahead = ahead;
  }
};

/// The products of a block of queries with keys and values in the type that is computed in.
template <class P>
class wide_products {
 public:
  using T = typename P::compute;
  using terms = single_terms;
  static constexpr bool overlap = false;

  static index size(const P& p, index lanes) {
    return memory_arena<T>::padded(p.shape.dim * lanes) + key_operands<P>::size(p);
  }
  void take_memory(const P& p, index lanes, memory_arena<T>& arena) {
    queries_ = arena.take(p.shape.dim * lanes);
    operands_.take_memory(p, arena);
  }

  template <class Isa>
  TENSORNORM_INLINE void look_at(const P& p, const query_block& at, const key_range& visible, index lanes) {
    dim_ = p.shape.dim;
    value_dim_ = p.shape.value_dim;
    operands_.template look_at<Isa>(p, at, visible);
    pack_lanes<Isa>(head_of(p.q, p.q_strides, at.batch, at.head), at.first, at.last - at.first, dim_,
                    queries_, lanes);
  }
  template <class Isa>
  TENSORNORM_INLINE void score(index first, index count, index lanes, T* scores,
                               const rows_ahead& ahead) const {
    auto product = product_in_lanes<Isa>(keys(first), count, queries_, dim_, scores, lanes);
    product.ahead = ahead;
    multiply<Isa>(product);
  }
  rows_ahead keys_ahead(index first, index count) const {
    const broadcast_matrix<T> k = keys(first);
    return rows_ahead::of(k.data, k.row_step, count, k.depth_step, dim_);
  }
  rows_ahead values_ahead(index first, index count) const {
    const broadcast_matrix<T> v = values(first);
    return rows_ahead::of(v.data, v.depth_step, count, v.row_step, value_dim_);
  }
  template <class V>
  TENSORNORM_INLINE bool finite_values(index first, index count) const {
    return all_finite<V>(values(first), value_dim_, count);
  }
  template <class Isa>
  TENSORNORM_INLINE void add_values(index first, index count, index lanes, const weighted_sums<T>& sums,
                                    bool mark) const {
    auto product = product_in_lanes<Isa>(values(first), value_dim_, sums.weights, count, sums.values, lanes);
    sums.set(product);
    if (mark)
      multiply_marked<native_vec<Isa, T>>(product, product.b);
    else
      multiply<Isa>(product);
  }

 private:
  broadcast_matrix<T> keys(index first) const {
    const broadcast_matrix<T>& k = operands_.keys;
    return {k.data + first * k.row_step, k.row_step, k.depth_step};
  }
  broadcast_matrix<T> values(index first) const {
    const broadcast_matrix<T>& v = operands_.values;
    return {v.data + first * v.depth_step, v.row_step, v.depth_step};
  }

  T* queries_ = nullptr;  // dim x lanes
  index dim_ = 0;
  index value_dim_ = 0;
  key_operands<P> operands_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
