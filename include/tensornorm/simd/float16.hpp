// The two 16-bit floating point formats as bits, and their conversions. One text serves single
// numbers and vectors: Bits is std::uint32_t or a vector of it, Float is float or a vector of it.
// Results come by reference: GCC warns of the ABI of functions that return a bare vector.
#pragma once

#include <cstdint>
#include <type_traits>

#include "../config.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The type a kernel computes in: double for double, else float.
template <class T>
using compute_t = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// IEEE 754 binary16, as bits.
struct float16 {
  std::uint16_t bits;
};

/// The upper half of a float, as bits.
struct bfloat16 {
  std::uint16_t bits;
};

/// The float that binary16 bits stand for; exact. A signalling NaN becomes quiet.
template <class Bits, class Float>
TENSORNORM_INLINE void widen_float16(const Bits& half, Float& result) {
  const Bits sign = (half & 0x8000u) << 16;
  const Bits magnitude = half & 0x7fffu;
  const Bits normal = (magnitude << 13) + (112u << 23);
  const Bits quiet = (magnitude << 13) | 0x7fc00000u;
  const Bits infinite = (magnitude << 13) | 0x7f800000u;
  // 0.5 has its last bit where a subnormal half has: put the bits there, take the 0.5 away.
  const Bits subnormal = __builtin_bit_cast(Bits, __builtin_bit_cast(Float, magnitude | 0x3f000000u) - 0.5f);
  const Bits finite = magnitude < 0x0400u ? subnormal : normal;
  const Bits special = magnitude > 0x7c00u ? quiet : infinite;
  result = __builtin_bit_cast(Float, sign | (magnitude < 0x7c00u ? finite : special));
}

/// The binary16 bits nearest to a float, ties to even; too large becomes infinite, NaN stays NaN.
template <class Float, class Bits>
TENSORNORM_INLINE void narrow_float16(const Float& value, Bits& result) {
  const Bits bits = __builtin_bit_cast(Bits, value);
  const Bits sign = (bits >> 16) & 0x8000u;
  const Bits magnitude = bits & 0x7fffffffu;
  const Bits normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
  const Bits subnormal = __builtin_bit_cast(Bits, __builtin_bit_cast(Float, magnitude) + 0.5f) - 0x3f000000u;
  const Bits quiet = ((magnitude >> 13) & 0x3ffu) | 0x7e00u;
  const Bits infinite = (magnitude & 0u) | 0x7c00u;
  const Bits finite = magnitude < 0x38800000u ? subnormal : normal;
  const Bits special = magnitude > 0x7f800000u ? quiet : infinite;
  result = sign | (magnitude < 0x477ff000u ? finite : special);  // 65520 and up round to infinity
}

/// The float whose upper half is given; exact.
template <class Bits, class Float>
TENSORNORM_INLINE void widen_bfloat16(const Bits& upper, Float& result) {
  const Bits bits = upper << 16;
  result = __builtin_bit_cast(Float, bits);
}

/// The bfloat16 bits nearest to a float, ties to even; NaN stays NaN.
template <class Float, class Bits>
TENSORNORM_INLINE void narrow_bfloat16(const Float& value, Bits& result) {
  const Bits bits = __builtin_bit_cast(Bits, value);
  const Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Bits quiet = (bits >> 16) | 0x40u;
  result = (bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded;
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
