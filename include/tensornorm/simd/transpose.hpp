// Square blocks of numbers turned over their diagonal, 16 bytes a side: every machine has such registers, and
// wider ones turn several blocks at once.
#pragma once

#include <bit>
#include <utility>

#include "memory.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// 16 bytes of numbers.
template <class Isa, class T>
using packet = vec<Isa, T, 16 / static_cast<int>(sizeof(T))>;

/// The lanes of packets, one packet after another.
template <class V, class Packet>
TENSORNORM_INLINE V join_packets(const Packet* packets) {
  if constexpr (V::size == Packet::size) {
    return packets[0];
  } else {
    using half = vec<typename V::isa, typename V::scalar, V::size / 2>;
    return join(join_packets<half>(packets), join_packets<half>(packets + half::size / Packet::size));
  }
}

#if TENSORNORM_GNU_VECTORS
/// In each block: lanes First and First + 1 of a, each followed by the same lane of b if Zipped, else those
/// of a and then those of b. (Blocks of two doubles: one lane of each.)
template <int First, bool Zipped, class V, int... Lane>
TENSORNORM_INLINE V pair_lanes(const V& a, const V& b, std::integer_sequence<int, Lane...>) {
  constexpr int side = 16 / static_cast<int>(sizeof(typename V::scalar));
  constexpr auto from = [](int lane) {
    const int n = lane % side;
    const int of_a = lane - n + First + (Zipped ? n / 2 : n % 2);
    const bool of_b = Zipped ? n % 2 == 1 : n / 2 == 1;
    return of_b ? V::size + of_a : of_a;
  };
  return {__builtin_shufflevector(a.v, b.v, from(Lane)...)};
}
#endif

/// The numbers p[0] and p[1] in turn.
template <class V>
TENSORNORM_INLINE V repeat_pair(const typename V::scalar* p) {
#if TENSORNORM_GNU_VECTORS
  using T = typename V::scalar;
  if constexpr (V::size == 2) {
    return V::load(p);
  } else if constexpr (sizeof(T) == 4) {
    double both;
    std::memcpy(&both, p, sizeof(both));
    return {__builtin_bit_cast(typename V::native, vec<typename V::isa, double, V::size / 2>::splat(both).v)};
  } else {
    const auto half = repeat_pair<vec<typename V::isa, T, V::size / 2>>(p);
    return join(half, half);
  }
#else
  return V::make([p](int lane) { return p[lane % 2]; });
#endif
}

/// The bits of v as lanes of another type.
template <class V, class W>
TENSORNORM_INLINE V same_bits(const W& v) {
  static_assert(sizeof(V) == sizeof(W));
#if TENSORNORM_GNU_VECTORS
  return {__builtin_bit_cast(typename V::native, v.v)};
#else
  return std::bit_cast<V>(v);
#endif
}

/// Of a and then b, which are divided into groups of so many lanes: every second group, beginning with number
/// First.
template <int Lanes, int First, class V>
TENSORNORM_INLINE V every_second(const V& a, const V& b) {
  constexpr auto from = [](int lane) {
    const int in_group = lane % Lanes;
    return 2 * (lane - in_group) + First * Lanes + in_group;
  };
#if TENSORNORM_GNU_VECTORS
  return [&]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
    return V{__builtin_shufflevector(a.v, b.v, from(Lane)...)};
  }
  (std::make_integer_sequence<int, V::size>());
#else
  return V::make([&](int lane) { return from(lane) < V::size ? a[from(lane)] : b[from(lane) - V::size]; });
#endif
}

/// The first lanes of each row are a block, as many as there are rows, the next another one: of 16 bytes a
/// row, or of one lane. Row i of each block becomes its column i.
template <class V, std::size_t Rows>
TENSORNORM_INLINE void transpose(V (&row)[Rows]) {
  constexpr int side = static_cast<int>(Rows);
  static_assert(Rows == 1 || (Rows * sizeof(typename V::scalar) == 16 && V::size % side == 0));
  if constexpr (Rows == 1) return;
#if TENSORNORM_GNU_VECTORS
  constexpr auto lanes = std::make_integer_sequence<int, V::size>();
  if constexpr (side == 4) {
    const V a = pair_lanes<0, true>(row[0], row[1], lanes);
    const V b = pair_lanes<2, true>(row[0], row[1], lanes);
    const V c = pair_lanes<0, true>(row[2], row[3], lanes);
    const V d = pair_lanes<2, true>(row[2], row[3], lanes);
    row[0] = pair_lanes<0, false>(a, c, lanes);
    row[1] = pair_lanes<2, false>(a, c, lanes);
    row[2] = pair_lanes<0, false>(b, d, lanes);
    row[3] = pair_lanes<2, false>(b, d, lanes);
  } else if constexpr (side == 2) {
    const V a = pair_lanes<0, true>(row[0], row[1], lanes);
    row[1] = pair_lanes<1, true>(row[0], row[1], lanes);
    row[0] = a;
  }
#else
  for (int block = 0; block < V::size; block += side)
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < i; ++j) {
        const auto x = row[i][block + j];
        row[i].set(block + j, row[j][block + i]);
        row[j].set(block + i, x);
      }
#endif
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
