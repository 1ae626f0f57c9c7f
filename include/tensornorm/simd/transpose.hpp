// Square blocks of numbers turned over their diagonal, in 16-byte registers, which every machine has.
#pragma once

#include "memory.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// 16 bytes of numbers.
template <class Isa, class T>
using packet = vec<Isa, T, 16 / static_cast<int>(sizeof(T))>;

/// Row i of a square block becomes its column i.
template <class V>
TENSORNORM_INLINE void transpose(V (&row)[static_cast<std::size_t>(V::size)]) {
#if TENSORNORM_GNU_VECTORS
  if constexpr (V::size == 4) {
    const V a{__builtin_shufflevector(row[0].v, row[1].v, 0, 4, 1, 5)};
    const V b{__builtin_shufflevector(row[0].v, row[1].v, 2, 6, 3, 7)};
    const V c{__builtin_shufflevector(row[2].v, row[3].v, 0, 4, 1, 5)};
    const V d{__builtin_shufflevector(row[2].v, row[3].v, 2, 6, 3, 7)};
    row[0] = V{__builtin_shufflevector(a.v, c.v, 0, 1, 4, 5)};
    row[1] = V{__builtin_shufflevector(a.v, c.v, 2, 3, 6, 7)};
    row[2] = V{__builtin_shufflevector(b.v, d.v, 0, 1, 4, 5)};
    row[3] = V{__builtin_shufflevector(b.v, d.v, 2, 3, 6, 7)};
  } else {
    static_assert(V::size == 2);
    const V a{__builtin_shufflevector(row[0].v, row[1].v, 0, 2)};
    row[1] = V{__builtin_shufflevector(row[0].v, row[1].v, 1, 3)};
    row[0] = a;
  }
#else
  for (int i = 0; i < V::size; ++i)
    for (int j = 0; j < i; ++j) {
      const auto x = row[i][j];
      row[i].set(j, row[j][i]);
      row[j].set(i, x);
    }
#endif
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
