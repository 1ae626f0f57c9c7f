// Pairs of bfloat16 in the place of numbers, where the machine has dot products of them: the same products in
// half as many steps, and sums in float all the same.
#pragma once

#include <cstring>
#include <limits>
#include <type_traits>

#include "../simd/memory.hpp"
#include "../view/heads.hpp"
#include "product.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_X86_LEVELS

/// Numbers of A and B are pairs of bfloat16, the first of them in the lower half of the bits.
class pair_terms {
  template <int N>
  struct bits_of_lanes {
    using type = typename conversion<N>::bits;
  };
  template <class V>
  using bits_of = typename bits_of_lanes<V::size>::type;

 public:
  static constexpr index in_one = 2;
  static constexpr index depth = depth_block;
  using arithmetic = single_terms::arithmetic;

  /// sum += the dot product of each pair.
  template <class V>
  static TENSORNORM_INLINE void add(V& sum, const V& a, const V& b) {
    add_bfloat16_dot(sum.v, a.v, b.v);
  }

  /// The same bits where none of each pair of `mark` is negative. One that is takes its product out of the
  /// sum.
  template <class V>
  static TENSORNORM_INLINE void add_marked(V& sum, const V& a, const V& b, const V& mark) {
    using bits = bits_of<V>;
    const bits sign = __builtin_bit_cast(bits, mark.v) & 0x80008000u;
    const bits present = ~(sign | (sign - (sign >> 15)));
    add(sum, V{__builtin_bit_cast(typename V::native, __builtin_bit_cast(bits, a.v) & present)},
        V{__builtin_bit_cast(typename V::native, __builtin_bit_cast(bits, b.v) & present)});
  }

  /// Pairs of numbers that are bfloat16.
  template <class V>
  static TENSORNORM_INLINE V join(const V& first, const V& second) {
    using bits = bits_of<V>;
    return {__builtin_bit_cast(typename V::native,
                               __builtin_bit_cast(bits, first.v) >> 16 | __builtin_bit_cast(bits, second.v))};
  }

  /// The numbers of pairs.
  template <class V>
  static TENSORNORM_INLINE void separate(const V& pairs, V& first, V& second) {
    using bits = bits_of<V>;
    first = {__builtin_bit_cast(typename V::native, __builtin_bit_cast(bits, pairs.v) << 16)};
    second = {__builtin_bit_cast(typename V::native, __builtin_bit_cast(bits, pairs.v) & 0xffff0000u)};
  }

  /// Pairs of the nearest bfloat16.
  template <class V>
  static TENSORNORM_INLINE V round(const V& first, const V& second) {
    if constexpr (V::size == 16) {
      V pairs;
      round_bfloat16_pairs(pairs.v, first.v, second.v);
      return pairs;
    } else {
      bits_of<V> low, high;
      narrow_lanes(first, low);
      narrow_lanes(second, high);
      return {__builtin_bit_cast(typename V::native, low | high << 16)};
    }
  }

  /// A number that holds a pair.
  static TENSORNORM_INLINE float pair_of(const bfloat16& first, const bfloat16& second) {
    return __builtin_bit_cast(float, std::uint32_t{first.bits} | std::uint32_t{second.bits} << 16);
  }

  /// rows[token * pairs + n] = dims 2n and 2n + 1 of a token; after an odd number of dims comes a zero.
  static void pack_keys(const head_view<const bfloat16>& x, index tokens, index dim, float* rows) {
    const index pairs = ceil_div(dim, in_one);
    for (index t = 0; t < tokens; ++t) {
      const bfloat16* const from = x.data + t * x.token_step;
      float* const to = rows + t * pairs;
      if (x.dim_step == 1)
        std::memcpy(to, from, static_cast<std::size_t>(dim / 2) * sizeof(float));
      else
        for (index n = 0; n < dim / 2; ++n)
          to[n] = pair_of(from[2 * n * x.dim_step], from[(2 * n + 1) * x.dim_step]);
      if (dim % 2 != 0) to[pairs - 1] = pair_of(from[(dim - 1) * x.dim_step], {0});
    }
  }

  /// Pairs of the numbers of two tokens, the second of which may be missing.
  template <class V>
  static TENSORNORM_INLINE V load_values(const bfloat16* first, const bfloat16* second) {
    return join(load<V>(first), second ? load<V>(second) : V::splat(0));
  }

  /// rows[n * dim + d] = dim d of tokens 2n and 2n + 1; after an odd number of tokens comes one of zeros.
  /// Returns whether all are finite.
  template <class V>
  static TENSORNORM_INLINE bool pack_values(const head_view<const bfloat16>& x, index tokens, index dim,
                                            float* rows) {
    constexpr float most = std::numeric_limits<float>::max();
    bool finite = true;
    for (index t = 0; t < tokens; t += 2) {
      const bfloat16* const first = x.data + t * x.token_step;
      const bool single = t + 1 == tokens;
      float* const to = rows + t / 2 * dim;
      index d = 0;
      if (x.dim_step == 1)
        for (; d + V::size <= dim; d += V::size) {
          const V low = load<V>(first + d);
          const V high = single ? V::splat(0) : load<V>(first + x.token_step + d);
          finite = finite && !any(outside(low, -most, most)) && !any(outside(high, -most, most));
          join(low, high).store(to + d);
        }
      for (; d < dim; ++d) {
        const bfloat16 low = first[d * x.dim_step];
        const bfloat16 high = single ? bfloat16{0} : first[x.token_step + d * x.dim_step];
        finite = finite && (low.bits & 0x7f80u) != 0x7f80u && (high.bits & 0x7f80u) != 0x7f80u;
        to[d] = pair_of(low, high);
      }
    }
    return finite;
  }

  /// Lines 2n and 2n + 1 of numbers become line n of pairs, rounded; after an odd number of lines comes one
  /// of zeros.
  template <class V>
  static TENSORNORM_INLINE void pair_lines(float* lines, index count, index width) {
    for (index n = 0; n < count; n += 2)
      for (index lane = 0; lane < width; lane += V::size) {
        const V first = V::load(lines + n * width + lane);
        const V second = n + 1 < count ? V::load(lines + (n + 1) * width + lane) : V::splat(0);
        round(first, second).store(lines + n / 2 * width + lane);
      }
  }

  /// Line n of pairs stands for lines 2n and 2n + 1.
  template <class V, int Lines>
  static TENSORNORM_INLINE void store_weights(const V (&weights)[Lines], float* lines, index line_step,
                                              index j) {
    static_assert(Lines % in_one == 0);
    TENSORNORM_UNROLL
    for (int n = 0; n < Lines; n += 2)
      round(weights[n], weights[n + 1]).store(lines + (j + n) / 2 * line_step);
  }
  /// Weights of keys [first, last), zeros so far, become those of absent keys. last is even.
  template <class V>
  static TENSORNORM_INLINE void mark_absent(float* lines, index first, index last, index width) {
    const bfloat16 present{0}, mark = narrow<bfloat16>(absent_weight<float>);
    for (index n = first / 2; n < last / 2; ++n) {
      const V marks = V::splat(pair_of(2 * n < first ? present : mark, mark));
      for (index lane = 0; lane < width; lane += V::size) {
        float* const place = lines + n * width + lane;
        const auto both =
            __builtin_bit_cast(bits_of<V>, V::load(place).v) | __builtin_bit_cast(bits_of<V>, marks.v);
        V{__builtin_bit_cast(typename V::native, both)}.store(place);
      }
    }
  }
  /// Numbers become pairs of their neighbours, rounded, at the beginning of where they lie; and as many of
  /// what follows as fill a register.
  template <class V>
  static TENSORNORM_INLINE void make_weights(float* numbers, index count) {
    for (index i = 0; i < count; i += V::size)
      store(V::load(numbers + i), reinterpret_cast<bfloat16*>(numbers) + i);
  }
};
template <>
struct pair_terms::bits_of_lanes<1> {
  using type = std::uint32_t;
};

#endif  // TENSORNORM_X86_LEVELS

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
