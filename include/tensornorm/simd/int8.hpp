// From registers of numbers to bytes.
#pragma once

#include <utility>

#include "exp.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_GNU_VECTORS
/// The bytes of a register.
template <int N>
struct byte_vector {
  typedef signed char in_register __attribute__((vector_size(N)));
  typedef signed char in_memory __attribute__((vector_size(N), aligned(1), may_alias));
};
#endif

/// Stores the integers nearest to the lanes of v, ties to even, of which none is beyond ±127.
template <class Isa, class T, int N>
TENSORNORM_INLINE void store_int8(const vec<Isa, T, N>& v, signed char* p) {
  using V = vec<Isa, T, N>;
  // The sum has the integer in its lowest bits, as two's complement.
  const V sum = v + V::splat(exp2_constants<T>::integer);
#if TENSORNORM_GNU_VECTORS && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if constexpr (N > 1) {
    const auto bytes = reinterpret_cast<typename byte_vector<sizeof(V)>::in_register>(sum.v);
    [&]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
      *reinterpret_cast<typename byte_vector<N>::in_memory*>(p) =
          __builtin_shufflevector(bytes, bytes, (Lane * static_cast<int>(sizeof(T)))...);
    }
    (std::make_integer_sequence<int, N>());
    return;
  }
#endif
  const V rounded = sum - V::splat(exp2_constants<T>::integer);
  for (int lane = 0; lane < N; ++lane) p[lane] = static_cast<signed char>(rounded[lane]);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
