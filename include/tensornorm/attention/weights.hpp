// From a tile of scores to the weights of the values, and the products of weights and values.
#pragma once

#include "../reduce/softmax.hpp"
#include "product.hpp"
#include "score_tile.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The exponentials of a block of keys add up in this many sums: key j goes to sum j mod 4. Then they fold:
/// (0 + 2) + (1 + 3).
inline constexpr int partial_sums = 4;

/// A part of a block of keys begins at a multiple of this: its sums then have the order that they have in the
/// whole block.
template <class Terms>
inline constexpr index key_step = Terms::depth < key_block ? Terms::depth : partial_sums;

/// The states of a softmax, one for each of `width` queries that lie side by side.
template <class T>
struct softmax_lanes {
  T* largest;
  T* sum;

  template <class V>
  TENSORNORM_INLINE softmax_sum<V> load(index lane) const {
    return {{V::load(largest + lane), V::load(sum + lane)}};
  }
  template <class V>
  TENSORNORM_INLINE void store(const softmax_sum<V>& s, index lane) const {
    s.state[0].store(largest + lane);
    s.state[1].store(sum + lane);
  }
};

struct do_nothing {
  TENSORNORM_INLINE void operator()() const {}
};

/// What one vector of queries does with the scores of a block of keys: they become weights, 2^(s · scale -
/// largest), as the terms of products want them. Returns the factor for what was summed before. Lines are
/// padded with absent keys to a multiple of partial_sums. meanwhile() is called once the largest is known.
template <bool MarkAbsent, class Terms = single_terms, class V, class T, class Meanwhile = do_nothing>
TENSORNORM_INLINE V weigh_lanes(T* score, index line_step, index keys, T scale, softmax_sum<V>& state,
                                const Meanwhile& meanwhile = {}) {
  V top[partial_sums];
  TENSORNORM_UNROLL
  for (int n = 0; n < partial_sums; ++n) top[n] = V::splat(absent<T>);
  for (index j = 0; j < keys; j += partial_sums) TENSORNORM_UNROLL
  for (int n = 0; n < partial_sums; ++n) top[n] = larger(top[n], V::load(score + (j + n) * line_step));
  const V block_top = larger(larger(top[0], top[2]), larger(top[1], top[3]));

  meanwhile();
  const V c = V::splat(scale);
  const V factor = state.raise(times(block_top, c));
  const V shift = V::splat(0) - finite_top(state.state[0]);
  V sum[partial_sums];
  TENSORNORM_UNROLL
  for (int n = 0; n < partial_sums; ++n) sum[n] = V::splat(0);
  for (index j = 0; j < keys; j += partial_sums) {
    V weights[partial_sums];
    TENSORNORM_UNROLL
    for (int n = 0; n < partial_sums; ++n) {
      const V s = V::load(score + (j + n) * line_step);
      weights[n] = exp2(fma(s, c, shift));
      sum[n] = sum[n] + weights[n];
      if constexpr (MarkAbsent)
        weights[n] =
            select(s < V::splat(std::numeric_limits<T>::lowest()), V::splat(absent_weight<T>), weights[n]);
    }
    Terms::store_weights(weights, score, line_step, j);
  }
  state.state[1] = state.state[1] + ((sum[0] + sum[2]) + (sum[1] + sum[3]));
  return factor;
}

/// A product of values and weights where absent keys do not touch the sum: values may be NaN or infinite.
/// `marks` lie as B does and are negative there; they may be the weights. The same bits as multiply() where
/// no key is absent.
template <class V, class Terms = single_terms, class T>
TENSORNORM_INLINE void multiply_marked(const product_problem<T>& p, const T* marks) {
  for (index r = 0; r < p.rows; ++r)
    for (int v = 0; v < p.vectors; ++v) {
      V sum = V::splat(0);
      for (index begin = 0; begin < p.depth; begin += Terms::depth) {
        V chain[chains] = {V::splat(0), V::splat(0)};
        for (index d = begin; d < p.depth && d < begin + Terms::depth; ++d) {
          const index at = d * p.b_step + v * V::size;
          const V weight = V::load(p.b + at);
          const V x = V::splat(p.a.data[r * p.a.row_step + d * p.a.depth_step]);
          Terms::add_marked(chain[d % chains], x, weight, V::load(marks + at));
        }
        const V part = chain[0] + chain[1];
        sum = begin == 0 ? part : sum + part;
      }
      T* const place = p.c + r * p.c_step + v * V::size;
      if (p.how != meet::overwrite) {
        const V factor = p.how == meet::rescale ? V::load(p.factor + v * V::size) : V::splat(1);
        sum = fma(V::load(place), factor, sum);
      }
      sum.store(place);
    }
}

/// Whether every element of A is finite.
template <class V, class S>
TENSORNORM_INLINE bool all_finite(const broadcast_matrix<S>& a, index rows, index depth) {
  using T = typename V::scalar;
  // Along whichever axis lies side by side.
  const bool along_rows = a.row_step == 1;
  const index lines = along_rows ? depth : rows;
  const index length = along_rows ? rows : depth;
  const index line_step = along_rows ? a.depth_step : a.row_step;
  const index step = along_rows ? a.row_step : a.depth_step;
  constexpr T most = std::numeric_limits<T>::max();
  for (index n = 0; n < lines; ++n) {
    const S* const line = a.data + n * line_step;
    index i = 0;
    if (step == 1)
      for (; i + V::size <= length; i += V::size)
        if (any(outside(kernel::load<V>(line + i), -most, most))) return false;
    for (; i < length; ++i) {
      const T number = widen<T>(line[i * step]);
      if (!(number >= -most && number <= most)) return false;
    }
  }
  return true;
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
