// Sums of the products of a few queries and of keys that lie side by side in lanes: of the even and of the
// odd terms of each key in two chains, as the tiles of fused_attention add them.
#pragma once

#include "../simd/transpose.hpp"
#include "decode_memory.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Two numbers of 16 bits lie in one of T, and have to be widened before they are multiplied.
template <class Terms, class S>
inline constexpr bool widens_halves = sizeof(S) == 2 && Terms::in_one == 1;

/// The same where a register of them cannot be widened in its order.
template <class Terms, class S, class V>
inline constexpr bool separates_halves =
    widens_halves<Terms, S> && !(std::is_same_v<S, float16> && V::isa::has_f16c);

/// So many sums for each of Rows queries.
template <class V, int Sums, int Rows>
struct sums_of_rows {
  V sum[Sums][Rows];

  TENSORNORM_INLINE void clear() {
    TENSORNORM_UNROLL
    for (int n = 0; n < Sums; ++n) TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) sum[n][r] = V::splat(0);
  }
};

/// A pair is an even term of a key and the odd one that follows. A register has a pair of each of its keys,
/// so that both chains are lanes of one sum: fewer, larger pieces are turned, in fewer steps.
template <class Terms, class S, class V, int Rows>
struct key_sums : sums_of_rows<V, 2, Rows> {
  using T = typename V::scalar;
  static constexpr bool widens = widens_halves<Terms, S>;
  /// A register of keys. A pair is one of its lanes, or for double 16 bytes.
  using keys =
      std::conditional_t<widens, vec<typename V::isa, T, V::size / 2>,
                         std::conditional_t<sizeof(T) == 4, vec<typename V::isa, double, V::size / 2>, V>>;
  static constexpr int pairs_of_packet = widens ? 4 : 8 / static_cast<int>(sizeof(T));
  static constexpr int registers = 2;

  using sums_of_rows<V, 2, Rows>::sum;

  /// Pair `i` of what query(r) has of query r, and a pair of each key.
  template <class Query>
  TENSORNORM_INLINE void add(int i, const keys (&pairs)[registers], const Query& query) {
    V numbers[registers];
    TENSORNORM_UNROLL
    for (int n = 0; n < registers; ++n) {
      if constexpr (widens)
        numbers[n] = widen_halves<V, S>(pairs[n]);
      else
        numbers[n] = same_bits<V>(pairs[n]);
    }
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const V pair = repeat_pair<V>(query(r) + chains * i);
      TENSORNORM_UNROLL
      for (int n = 0; n < registers; ++n) Terms::add(sum[n][r], pair, numbers[n]);
    }
  }
  TENSORNORM_INLINE V total(int r) const {
    return every_second<1, 0>(sum[0][r], sum[1][r]) + every_second<1, 1>(sum[0][r], sum[1][r]);
  }
};

/// Where halves cannot be widened in their order: of each key, a register has the bits of both terms of a
/// pair, and each chain is a sum of its own.
template <class Terms, class S, class V, int Rows>
requires separates_halves<Terms, S, V>
struct key_sums<Terms, S, V, Rows> : sums_of_rows<V, chains, Rows> {
  using keys = V;
  static constexpr int pairs_of_packet = 4;
  static constexpr int registers = 1;

  using sums_of_rows<V, chains, Rows>::sum;

  template <class Query>
  TENSORNORM_INLINE void add(int i, const keys (&pairs)[registers], const Query& query) {
    V numbers[chains];
    separate_halves<S>(pairs[0], numbers[0], numbers[1]);
    TENSORNORM_UNROLL
    for (int n = 0; n < chains; ++n) TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) Terms::add(sum[n][r], V::splat(query(r)[chains * i + n]), numbers[n]);
  }
  TENSORNORM_INLINE V total(int r) const { return sum[0][r] + sum[1][r]; }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
