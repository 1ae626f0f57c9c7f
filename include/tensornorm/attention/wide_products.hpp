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
};

/// The products of a block of queries with keys and values in the type that is computed in.
template <class P>
class wide_products {
 public:
  using T = typename P::compute;

  static index size(const heads_shape& s, index lanes) {
    return memory_arena<T>::padded(s.dim * lanes) + key_operands<P>::size(s);
  }
  void take_memory(const heads_shape& s, index lanes, memory_arena<T>& arena) {
    queries_ = arena.take(s.dim * lanes);
    operands_.take_memory(s, arena);
  }

  template <class Isa>
  TENSORNORM_INLINE void look_at(const P& p, const query_block& at, index lanes) {
    dim_ = p.shape.dim;
    value_dim_ = p.shape.value_dim;
    operands_.template look_at<Isa>(p, at);
    pack_lanes<Isa>(head_of(p.q, p.q_strides, at.batch, at.head), at.first, at.last - at.first, dim_,
                    queries_, lanes);
  }
  template <class Isa>
  TENSORNORM_INLINE void score(index first, index count, index lanes, T* scores) const {
    const broadcast_matrix<T>& k = operands_.keys;
    multiply<Isa>(product_problem<T>{{k.data + first * k.row_step, k.row_step, k.depth_step},
                                     count,
                                     queries_,
                                     lanes,
                                     dim_,
                                     scores,
                                     lanes,
                                     vectors<Isa>(lanes)});
  }
  template <class V>
  TENSORNORM_INLINE bool finite_values(index first, index count) const {
    return all_finite<V>(values(first), value_dim_, count);
  }
  template <class Isa>
  TENSORNORM_INLINE void add_values(index first, index count, index lanes, const weighted_sums<T>& sums,
                                    bool mark) const {
    const product_problem<T> product{values(first), value_dim_, sums.weights,        lanes,    count,
                                     sums.values,   lanes,      vectors<Isa>(lanes), sums.how, sums.factor};
    if (mark)
      multiply_marked<native_vec<Isa, T>>(product, product.b);
    else
      multiply<Isa>(product);
  }

 private:
  template <class Isa>
  static constexpr int vectors(index lanes) {
    return static_cast<int>(lanes / vec_size<Isa, T>);
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
