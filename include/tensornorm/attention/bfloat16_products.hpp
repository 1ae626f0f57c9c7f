// The products of attention on pairs of bfloat16, where the machine has dot products of them: twice the speed
// of float, and sums in float all the same.
#pragma once

#include <cstring>

#include "fused.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_X86_LEVELS

/// A of pairs: those of (row, depth) lie at data + row * row_step + depth * depth_step, both in numbers.
struct pair_matrix {
  const bfloat16* data;
  index row_step;
  index depth_step;

  TENSORNORM_INLINE std::uint32_t at(index row, index depth) const {
    std::uint32_t pair;
    std::memcpy(&pair, data + row * row_step + depth * depth_step, sizeof(pair));
    return pair;
  }
};

/// C[row][lane] = Σ A(row, depth) · B[depth][lane], pairs times pairs.
struct pair_product {
  pair_matrix a;
  index rows;
  const std::uint32_t* b;
  index lanes;  // also the steps of B and C
  index depth;  // pairs
  float* c;
  meet how = meet::overwrite;
  const float* factor = nullptr;
};

/// sum += the dot product of each pair.
template <class V>
TENSORNORM_INLINE void add_dot(V& sum, const V& a, const V& b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
}

struct pair_product_kernel {
  template <class Isa>
  static TENSORNORM_INLINE void run(const pair_product& p) {
    using V = native_vec<Isa, float>;
    if (p.lanes == 3 * V::size)
      rows<V, tile_rows, 3>(p, 0);
    else if (p.lanes == 2 * V::size)
      rows<V, tile_rows, 2>(p, 0);
    else
      rows<V, tile_rows, 1>(p, 0);
  }

 private:
  template <class V, int Rows, int Vectors>
  static TENSORNORM_INLINE void rows(const pair_product& p, index r) {
    for (; r + Rows <= p.rows; r += Rows) {
      V sum[Rows][Vectors];
      TENSORNORM_UNROLL
      for (int n = 0; n < Rows; ++n) TENSORNORM_UNROLL
      for (int v = 0; v < Vectors; ++v) sum[n][v] = V::splat(0);
      for (index d = 0; d < p.depth; ++d) {
        const float* const b = reinterpret_cast<const float*>(p.b + d * p.lanes);
        V lanes[Vectors];
        TENSORNORM_UNROLL
        for (int v = 0; v < Vectors; ++v) lanes[v] = V::load(b + v * V::size);
        TENSORNORM_UNROLL
        for (int n = 0; n < Rows; ++n) {
          const V pair = V::splat(__builtin_bit_cast(float, p.a.at(r + n, d)));
          TENSORNORM_UNROLL
          for (int v = 0; v < Vectors; ++v) add_dot(sum[n][v], pair, lanes[v]);
        }
      }
      store_tile(sum, p.c + r * p.lanes, p.lanes, p.how, p.factor);
    }
    if constexpr (Rows > 1) rows<V, 1, Vectors>(p, r);
  }
};

inline void multiply_pairs(const pair_product& p) { enter_with_bfloat16_dot<pair_product_kernel>(p); }

/// Stands in the place of wide_products. Rows of k hold an even number of dims, side by side.
template <class P>
class bfloat16_products {
 public:
  using T = typename P::compute;
  using weight_type = bfloat16;

  /// Whether a problem can be worked on like this.
  static bool fit(const P& p) { return p.shape.dim % 2 == 0 && p.k_strides.dim == 1; }

  static index size(const heads_shape& s, index lanes) {
    using arena = memory_arena<T>;
    return arena::padded(s.dim * lanes) + arena::padded(key_block / 2 * lanes) +
           arena::padded(ceil_div(s.keys, 2) * s.value_dim);
  }
  void take_memory(const heads_shape& s, index lanes, memory_arena<T>& arena) {
    queries_ = arena.take(s.dim * lanes);
    weights_ = reinterpret_cast<std::uint32_t*>(arena.take(key_block / 2 * lanes));
    values_ = reinterpret_cast<std::uint32_t*>(arena.take(ceil_div(s.keys, 2) * s.value_dim));
  }

  template <class Isa>
  TENSORNORM_INLINE void look_at(const P& p, const query_block& at, index lanes) {
    dim_ = p.shape.dim;
    value_dim_ = p.shape.value_dim;
    keys_ = at.keys;
    const index key_head = at.head / p.shape.group();
    k_ = head_of(p.k, p.k_strides, at.batch, key_head);
    if (const index head = at.batch * p.shape.key_heads + key_head; head != head_) {
      pack_values(head_of(p.v, p.v_strides, at.batch, key_head));
      head_ = head;
    }
    pack_lanes<Isa>(head_of(p.q, p.q_strides, at.batch, at.head), at.first, at.last - at.first, dim_,
                    queries_, lanes);
    pair_lines<native_vec<Isa, T>>(queries_, dim_, lanes, reinterpret_cast<std::uint32_t*>(queries_));
  }
  template <class Isa>
  TENSORNORM_INLINE void score(index first, index count, index lanes, T* scores) const {
    multiply_pairs({{k_.data + first * k_.token_step, k_.token_step, 2},
                    count,
                    reinterpret_cast<const std::uint32_t*>(queries_),
                    lanes,
                    dim_ / 2,
                    scores});
  }
  template <class V>
  TENSORNORM_INLINE bool finite_values(index first, index count) const {
    const bfloat16* const v = values(first);
    const index numbers = ceil_div(count, 2) * 2 * value_dim_;
    bool finite = true;
    for (index i = 0; i < numbers; ++i) finite = finite & ((v[i].bits & 0x7f80u) != 0x7f80u);
    return finite;
  }
  template <class Isa>
  TENSORNORM_INLINE void add_values(index first, index count, index lanes, const weighted_sums<T>& sums,
                                    bool mark) {
    using V = native_vec<Isa, T>;
    // The last of an odd number of keys has a neighbour that nobody sees.
    if (mark || (count % 2 != 0 && !finite_values<V>(first + count - 1, 1)))
      return add_values_singly<V>(first, count, lanes, sums);
    if (count % 2 != 0)
      for (index lane = 0; lane < lanes; lane += V::size)
        V::splat(0).store(sums.weights + count * lanes + lane);
    const index pairs = ceil_div(count, 2);
    pair_lines<V>(sums.weights, 2 * pairs, lanes, weights_);
    multiply_pairs({{values(first), 2, 2 * value_dim_},
                    value_dim_,
                    weights_,
                    lanes,
                    pairs,
                    sums.values,
                    sums.how,
                    sums.factor});
  }

 private:
  const bfloat16* values(index key) const {
    return reinterpret_cast<const bfloat16*>(values_ + key / 2 * value_dim_);
  }

  /// Values of two keys side by side: what a dot product takes at once.
  void pack_values(const head_view<const bfloat16>& v) {
    for (index j = 0; j < keys_; j += 2)
      for (index d = 0; d < value_dim_; ++d) {
        const bfloat16* const from = v.data + j * v.token_step + d * v.dim_step;
        const std::uint32_t second = j + 1 < keys_ ? from[v.token_step].bits : 0u;
        values_[j / 2 * value_dim_ + d] = from->bits | second << 16;
      }
  }

  /// Lines 2n and 2n + 1 of numbers that are bfloat16 become line n of pairs; `to` may be `from`.
  template <class V>
  static TENSORNORM_INLINE void pair_lines(const T* from, index lines, index lanes, std::uint32_t* to) {
    using bits = typename conversion<V::size>::bits;  // unsigned
    for (index n = 0; n < lines; n += 2)
      for (index lane = 0; lane < lanes; lane += V::size) {
        const auto low = reinterpret_cast<bits>(V::load(from + n * lanes + lane).v);
        const auto high = reinterpret_cast<bits>(V::load(from + (n + 1) * lanes + lane).v);
        V pair;
        pair.v = reinterpret_cast<typename V::native>((low >> 16) | high);
        pair.store(reinterpret_cast<T*>(to + n / 2 * lanes + lane));
      }
  }

  /// The same sums in the same order, where absent keys, whose weights are negative, must not be touched.
  template <class V>
  TENSORNORM_INLINE void add_values_singly(index first, index count, index lanes,
                                           const weighted_sums<T>& sums) const {
    for (index d = 0; d < value_dim_; ++d)
      for (index lane = 0; lane < lanes; lane += V::size) {
        V sum = V::splat(0);
        for (index j = 0; j < count; j += 2)
          for (const index key : {j + 1, j}) {
            if (key >= count) continue;
            const V weight = V::load(sums.weights + key * lanes + lane);
            const V value = V::splat(widen<T>(values(first + key)[2 * d + key % 2]));
            sum = select(weight < V::splat(0), sum, fma(value, weight, sum));
          }
        T* const place = sums.values + d * lanes + lane;
        if (sums.how != meet::overwrite) {
          const V factor = sums.how == meet::rescale ? V::load(sums.factor + lane) : V::splat(1);
          sum = fma(V::load(place), factor, sum);
        }
        sum.store(place);
      }
  }

  T* queries_ = nullptr;              // dim x lanes, then dim / 2 x lanes of pairs
  std::uint32_t* weights_ = nullptr;  // keys / 2 x lanes
  std::uint32_t* values_ = nullptr;   // keys / 2 x value_dim
  head_view<const bfloat16> k_{};
  index dim_ = 0;
  index value_dim_ = 0;
  index keys_ = 0;
  index head_ = -1;
};

#endif  // TENSORNORM_X86_LEVELS

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
