// Conversions between the 16-bit types and float, of single numbers and of registers.
#pragma once

#include <cstdint>
#include <type_traits>

#include "float16.hpp"
#include "vec.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_GNU_VECTORS

/// Vectors of N that the conversions go through.
template <int N>
struct conversion {
  typedef std::uint16_t short_bits __attribute__((vector_size(N * 2)));
  typedef std::uint16_t short_bits_in_memory __attribute__((vector_size(N * 2), aligned(2), may_alias));
  typedef std::uint32_t bits __attribute__((vector_size(N * 4)));
  typedef float floats __attribute__((vector_size(N * 4)));
  typedef float floats_in_memory __attribute__((vector_size(N * 4), aligned(4), may_alias));
  typedef double doubles_in_memory __attribute__((vector_size(N * 8), aligned(8), may_alias));
#if TENSORNORM_GCC_X86
  typedef short shorts __attribute__((vector_size(N * 2)));
  typedef int ints __attribute__((vector_size(N * 4)));
#endif
#if defined(__clang__) && defined(__x86_64__)
  typedef __fp16 halves __attribute__((vector_size(N * 2)));
#endif
};

/// binary16 to float by the machine's own conversion. (Results come by reference: GCC warns of the ABI
/// of functions that return a bare vector, even where they are inlined.)
template <int N>
TENSORNORM_INLINE void widen_by_f16c(const typename conversion<N>::short_bits& half,
                                     typename conversion<N>::floats& result) {
  using c = conversion<N>;
#if defined(__clang__) && defined(__x86_64__)
  result = __builtin_convertvector(reinterpret_cast<typename c::halves>(half), typename c::floats);
#elif defined(__x86_64__)
  using shorts = typename c::shorts;
  if constexpr (N == 16)
    result = __builtin_ia32_vcvtph2ps512_mask(reinterpret_cast<shorts>(half), typename c::floats{},
                                              static_cast<unsigned short>(-1), 4);
  else if constexpr (N == 8)
    result = __builtin_ia32_vcvtph2ps256(reinterpret_cast<shorts>(half));
  else if constexpr (N == 4)
    result = __builtin_ia32_vcvtph2ps(__builtin_shufflevector(
        reinterpret_cast<shorts>(half), reinterpret_cast<shorts>(half), 0, 1, 2, 3, 0, 1, 2, 3));
  else
#endif
  widen_float16(__builtin_convertvector(half, typename c::bits), result);
}

/// float to binary16, ties to even, by the machine's own conversion.
template <int N>
TENSORNORM_INLINE void narrow_by_f16c(const typename conversion<N>::floats& value,
                                      typename conversion<N>::short_bits& result) {
  using c = conversion<N>;
#if defined(__clang__) && defined(__x86_64__)
  result = reinterpret_cast<typename c::short_bits>(__builtin_convertvector(value, typename c::halves));
#elif defined(__x86_64__)
  if constexpr (N == 16) {
    result = reinterpret_cast<typename c::short_bits>(
        __builtin_ia32_vcvtps2ph512_mask(value, 0, typename c::shorts{}, static_cast<unsigned short>(-1)));
  } else if constexpr (N == 8) {
    result = reinterpret_cast<typename c::short_bits>(__builtin_ia32_vcvtps2ph256(value, 0));
  } else
#endif
  {
    typename c::bits bits;
    narrow_float16(value, bits);
    result = __builtin_convertvector(bits, typename c::short_bits);
  }
}

/// Each 16-bit pattern in the lower half of 32 bits.
template <class Isa, int N>
TENSORNORM_INLINE void spread(const typename conversion<N>::short_bits& from,
                              typename conversion<N>::bits& result) {
  using c = conversion<N>;
#if TENSORNORM_GCC_X86
  using shorts = typename c::shorts;
  if constexpr (N == 16)
    result = reinterpret_cast<typename c::bits>(__builtin_ia32_pmovzxwd512_mask(
        reinterpret_cast<shorts>(from), typename c::ints{}, static_cast<unsigned short>(-1)));
  else if constexpr (N == 8 && Isa::bytes >= 32)
    result = reinterpret_cast<typename c::bits>(__builtin_ia32_pmovzxwd256(reinterpret_cast<shorts>(from)));
  else
#endif
    result = __builtin_convertvector(from, typename c::bits);
}

/// The lower half of each 32 bits, whose upper half is zero.
template <class Isa, int N>
TENSORNORM_INLINE void pack(const typename conversion<N>::bits& from,
                            typename conversion<N>::short_bits& result) {
  using c = conversion<N>;
#if TENSORNORM_GCC_X86
  using ints = typename c::ints;
  if constexpr (N == 16) {
    result = reinterpret_cast<typename c::short_bits>(__builtin_ia32_pmovdw512_mask(
        reinterpret_cast<ints>(from), typename c::shorts{}, static_cast<unsigned short>(-1)));
  } else if constexpr (N == 8 && Isa::bytes >= 32) {
    const auto lower =
        __builtin_shufflevector(reinterpret_cast<ints>(from), reinterpret_cast<ints>(from), 0, 1, 2, 3);
    const auto upper =
        __builtin_shufflevector(reinterpret_cast<ints>(from), reinterpret_cast<ints>(from), 4, 5, 6, 7);
    result = reinterpret_cast<typename c::short_bits>(__builtin_ia32_packusdw128(lower, upper));
  } else
#endif
    result = __builtin_convertvector(from, typename c::short_bits);
}

/// The bfloat16 bits nearest to the lanes of v, as narrow_bfloat16() makes them of single numbers.
template <class V>
TENSORNORM_INLINE void narrow_lanes(const V& v, typename conversion<V::size>::bits& result) {
  using c = conversion<V::size>;
  const auto bits = reinterpret_cast<typename c::bits>(v.v);
  V rounded;
  V quiet;
  rounded.v = reinterpret_cast<typename V::native>(bits + 0x7fffu + ((bits >> 16) & 1u));
  quiet.v = reinterpret_cast<typename V::native>(bits | 0x400000u);
  result = reinterpret_cast<typename c::bits>(select(is_nan(v), quiet, rounded).v) >> 16;
}

/// The 16-bit patterns of S nearest to the lanes of v.
template <class S, class V>
TENSORNORM_INLINE void narrow_bits(const V& v, typename conversion<V::size>::short_bits& result) {
  using c = conversion<V::size>;
  if constexpr (std::is_same_v<S, float16> && V::isa::has_f16c) {
    narrow_by_f16c<V::size>(v.v, result);
  } else {
    typename c::bits bits;
    if constexpr (std::is_same_v<S, bfloat16>)
      narrow_lanes(v, bits);
    else
      narrow_float16(v.v, bits);
    pack<typename V::isa, V::size>(bits, result);
  }
}

#endif  // TENSORNORM_GNU_VECTORS

/// Whether the machine has no instruction to widen or narrow numbers of S, which then takes a dozen others.
template <class Isa, class S>
inline constexpr bool converts_by_arithmetic = std::is_same_v<S, float16> && !Isa::has_f16c;

/// One number, widened or narrowed to T.
template <class T, class S>
TENSORNORM_INLINE T widen(const S& s) {
  float value;
  if constexpr (std::is_same_v<S, float16>)
    widen_float16(std::uint32_t{s.bits}, value);
  else if constexpr (std::is_same_v<S, bfloat16>)
    widen_bfloat16(std::uint32_t{s.bits}, value);
  else
    return static_cast<T>(s);
  return value;
}
template <class S, class T>
TENSORNORM_INLINE S narrow(const T& t) {
  if constexpr (sizeof(S) == 2) {
    std::uint32_t bits;
    if constexpr (std::is_same_v<S, float16>)
      narrow_float16(t, bits);
    else
      narrow_bfloat16(t, bits);
    return {static_cast<std::uint16_t>(bits)};
  } else {
    return static_cast<S>(t);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
