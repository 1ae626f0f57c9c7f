// vec<Isa, T, N>: N numbers side by side. Arithmetic, fused multiply-add, comparison and choice,
// halves. fma rounds once, or twice where there is no such instruction. A product of operator* must not
// go into a sum, that of times() may: GCC contracts the two where it can, and the bits would be the
// compiler's.
#pragma once

#include "isa.hpp"

#if TENSORNORM_GNU_VECTORS
#include "mask_gnu.hpp"
#include "vec_gnu.hpp"
#else
#include "vec_array.hpp"
#endif

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// How many numbers of type T fit one register of Isa.
template <class Isa, class T>
inline constexpr int vec_size = Isa::bytes / static_cast<int>(sizeof(T));

/// One register of numbers.
template <class Isa, class T>
using native_vec = vec<Isa, T, vec_size<Isa, T>>;

/// a · b, which no compiler contracts with a sum that it goes into.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> times(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  return fma(a, b, vec<Isa, T, N>::splat(T(-0.0)));
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
