// The vectors over GCC's and Clang's vector extensions. Include vec.hpp.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "isa.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

template <std::size_t Bytes>
using int_of_size =
    std::conditional_t<Bytes == 2, std::int16_t, std::conditional_t<Bytes == 4, std::int32_t, std::int64_t>>;

/// N numbers of type T in registers of Isa. A single one is a plain number.
template <class Isa, class T, int N>
struct vec {
  using isa = Isa;
  using scalar = T;
  static constexpr int size = N;
  typedef T native __attribute__((vector_size(N * sizeof(T))));
  typedef T in_memory __attribute__((vector_size(N * sizeof(T)), aligned(alignof(T)), may_alias));
  typedef int_of_size<sizeof(T)> bits __attribute__((vector_size(N * sizeof(T))));
  typedef int ints __attribute__((vector_size(N * sizeof(T))));  // what builtins take
  typedef long long words __attribute__((vector_size(N * sizeof(T) < 8 ? 8 : N * sizeof(T))));

  native v;

  static TENSORNORM_INLINE vec splat(T s) { return splat(s, std::make_integer_sequence<int, N>()); }
  static TENSORNORM_INLINE vec load(const T* p) { return {*reinterpret_cast<const in_memory*>(p)}; }
  TENSORNORM_INLINE void store(T* p) const { *reinterpret_cast<in_memory*>(p) = v; }
  TENSORNORM_INLINE T operator[](int lane) const { return v[lane]; }
  TENSORNORM_INLINE void set(int lane, T s) { v[lane] = s; }

  friend TENSORNORM_INLINE vec operator+(const vec& a, const vec& b) { return {a.v + b.v}; }
  friend TENSORNORM_INLINE vec operator-(const vec& a, const vec& b) { return {a.v - b.v}; }
  friend TENSORNORM_INLINE vec operator*(const vec& a, const vec& b) { return {a.v * b.v}; }
  friend TENSORNORM_INLINE vec operator/(const vec& a, const vec& b) { return {a.v / b.v}; }

 private:
  // By way of a shuffle: from native{s, s, ...} GCC makes one insertion for each lane.
  template <int... Lane>
  static TENSORNORM_INLINE vec splat(T s, std::integer_sequence<int, Lane...>) {
    typedef T start __attribute__((vector_size(16)));
    const start first{s};
#if TENSORNORM_GCC_X86
    if constexpr (sizeof(native) == 64 && sizeof(T) == 4)
      return {__builtin_ia32_broadcastss512(first, native{}, static_cast<unsigned short>(-1))};
    else if constexpr (sizeof(native) == 64)
      return {__builtin_ia32_broadcastsd512(first, native{}, static_cast<unsigned char>(-1))};
    else if constexpr (sizeof(native) == 32 && sizeof(T) == 4 && isa::bytes >= 32)
      return {__builtin_ia32_vbroadcastss_ps256(first)};
    else if constexpr (sizeof(native) == 32 && isa::bytes >= 32)
      return {__builtin_ia32_vbroadcastsd_pd256(first)};
    else
#endif
      return {__builtin_shufflevector(first, first, (Lane & 0)...)};
  }
};

template <class Isa, class T>
struct vec<Isa, T, 1> {
  using isa = Isa;
  using scalar = T;
  static constexpr int size = 1;
  using native = T;

  T v;

  static TENSORNORM_INLINE vec splat(T s) { return {s}; }
  static TENSORNORM_INLINE vec load(const T* p) { return {*p}; }
  TENSORNORM_INLINE void store(T* p) const { *p = v; }
  TENSORNORM_INLINE T operator[](int) const { return v; }
  TENSORNORM_INLINE void set(int, T s) { v = s; }

  friend TENSORNORM_INLINE vec operator+(const vec& a, const vec& b) { return {a.v + b.v}; }
  friend TENSORNORM_INLINE vec operator-(const vec& a, const vec& b) { return {a.v - b.v}; }
  friend TENSORNORM_INLINE vec operator*(const vec& a, const vec& b) { return {a.v * b.v}; }
  friend TENSORNORM_INLINE vec operator/(const vec& a, const vec& b) { return {a.v / b.v}; }
};

/// |a|: the sign bit cleared, also of a NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> abs(const vec<Isa, T, N>& a) {
  if constexpr (N == 1) {
    return {std::fabs(a.v)};
  } else {
    using V = vec<Isa, T, N>;
    using bits = typename V::bits;
    const bits sign = reinterpret_cast<bits>(V::splat(T(-0.0)).v);
    return {reinterpret_cast<typename V::native>(reinterpret_cast<bits>(a.v) & ~sign)};
  }
}

/// The bits of every lane moved up by Count.
template <int Count, class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> shift_bits_left(const vec<Isa, T, N>& a) {
  using V = vec<Isa, T, N>;
  if constexpr (N == 1) {
    using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    return {__builtin_bit_cast(T, __builtin_bit_cast(bits, a.v) << Count)};
  } else {
    using native = typename V::native;
    using bits = typename V::bits;
#if TENSORNORM_GCC_X86
    using ints = typename V::ints;
    using words = typename V::words;
    if constexpr (sizeof(V) == 64 && sizeof(T) == 4)
      return {reinterpret_cast<native>(__builtin_ia32_pslldi512_mask(
          reinterpret_cast<ints>(a.v), Count, ints{}, static_cast<unsigned short>(-1)))};
    else if constexpr (sizeof(V) == 64)
      return {reinterpret_cast<native>(__builtin_ia32_psllqi512_mask(
          reinterpret_cast<words>(a.v), Count, words{}, static_cast<unsigned char>(-1)))};
    else if constexpr (sizeof(V) == 32 && sizeof(T) == 4 && Isa::bytes >= 32)
      return {reinterpret_cast<native>(__builtin_ia32_pslldi256(reinterpret_cast<ints>(a.v), Count))};
    else if constexpr (sizeof(V) == 32 && Isa::bytes >= 32)
      return {reinterpret_cast<native>(__builtin_ia32_psllqi256(reinterpret_cast<words>(a.v), Count))};
    else
#endif
      return {reinterpret_cast<native>(reinterpret_cast<bits>(a.v) << Count)};
  }
}

/// The lower half of the lanes.
template <class Isa, class T, int N>
TENSORNORM_INLINE auto lower(const vec<Isa, T, N>& a) {
  if constexpr (N == 2)
    return vec<Isa, T, 1>{a.v[0]};
  else
    return [&a]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
      return vec<Isa, T, N / 2>{__builtin_shufflevector(a.v, a.v, Lane...)};
    }
  (std::make_integer_sequence<int, N / 2>());
}

/// The upper half of the lanes.
template <class Isa, class T, int N>
TENSORNORM_INLINE auto upper(const vec<Isa, T, N>& a) {
  if constexpr (N == 2)
    return vec<Isa, T, 1>{a.v[1]};
  else
    return [&a]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
      return vec<Isa, T, N / 2>{__builtin_shufflevector(a.v, a.v, (N / 2 + Lane)...)};
    }
  (std::make_integer_sequence<int, N / 2>());
}

/// The lanes of a, then those of b.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, 2 * N> join(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
#if TENSORNORM_GCC_X86
  // GCC would shuffle, and not insert b from memory.
  using native = typename vec<Isa, T, 2 * N>::native;
  if constexpr (sizeof(a) == 16 && std::is_same_v<T, float> && Isa::bytes >= 32) {
    return {__builtin_ia32_vinsertf128_ps256(__builtin_ia32_ps256_ps(a.v), b.v, 1)};
  } else if constexpr (sizeof(a) == 32 && Isa::bytes == 64) {
    using half = typename vec<Isa, double, 4>::native;
    const auto whole = __builtin_ia32_pd512_256pd(reinterpret_cast<half>(a.v));
    return {reinterpret_cast<native>(__builtin_ia32_insertf64x4_mask(whole, reinterpret_cast<half>(b.v), 1,
                                                                     whole, static_cast<unsigned char>(-1)))};
  } else
#endif
    return [&]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
      return vec<Isa, T, 2 * N>{__builtin_shufflevector(a.v, b.v, Lane...)};
    }
  (std::make_integer_sequence<int, 2 * N>());
}

template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> fma_by_lane(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b,
                                             const vec<Isa, T, N>& c) {
  vec<Isa, T, N> result = c;
  TENSORNORM_UNROLL
  for (int lane = 0; lane < N; ++lane) result.set(lane, std::fma(a[lane], b[lane], c[lane]));
  return result;
}

/// a * b + c, rounded once where Isa has fma and twice where it has not, whatever the compiler's
/// settings for contraction are.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> fma(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b,
                                     const vec<Isa, T, N>& c) {
  if constexpr (!Isa::has_fma) {
    return a * b + c;
  } else if constexpr (N == 1) {
    return {std::fma(a.v, b.v, c.v)};
  } else {
#if defined(__clang__)
#pragma clang fp contract(on)
    return {a.v * b.v + c.v};
#elif defined(__x86_64__)
    if constexpr (N * sizeof(T) == 64) {
      if constexpr (sizeof(T) == 4)
        return {__builtin_ia32_vfmaddps512_mask(a.v, b.v, c.v, static_cast<unsigned short>(-1), 4)};
      else
        return {__builtin_ia32_vfmaddpd512_mask(a.v, b.v, c.v, static_cast<unsigned char>(-1), 4)};
    } else if constexpr (N * sizeof(T) == 32) {
      if constexpr (sizeof(T) == 4)
        return {__builtin_ia32_vfmaddps256(a.v, b.v, c.v)};
      else
        return {__builtin_ia32_vfmaddpd256(a.v, b.v, c.v)};
    } else if constexpr (N * sizeof(T) == 16) {
      if constexpr (sizeof(T) == 4)
        return {__builtin_ia32_vfmaddps(a.v, b.v, c.v)};
      else
        return {__builtin_ia32_vfmaddpd(a.v, b.v, c.v)};
    } else {
      return fma_by_lane(a, b, c);
    }
#else
    return fma_by_lane(a, b, c);
#endif
  }
}

/// The root of every lane, correctly rounded.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> sqrt(const vec<Isa, T, N>& a) {
#if defined(__x86_64__)
  // Four floats or two doubles at a time: as fast as wider roots on x86, and SSE2 is always there.
  if constexpr (N * sizeof(T) > 16) {
    return join(sqrt(lower(a)), sqrt(upper(a)));
  } else if constexpr (N * sizeof(T) < 16) {
    vec<Isa, T, 16 / sizeof(T)> wide = vec<Isa, T, 16 / sizeof(T)>::splat(a[0]);
    TENSORNORM_UNROLL
    for (int lane = 1; lane < N; ++lane) wide.set(lane, a[lane]);
    wide = sqrt(wide);
    vec<Isa, T, N> result = a;
    TENSORNORM_UNROLL
    for (int lane = 0; lane < N; ++lane) result.set(lane, wide[lane]);
    return result;
  } else if constexpr (sizeof(T) == 4) {
    return {__builtin_ia32_sqrtps(a.v)};
  } else {
    return {__builtin_ia32_sqrtpd(a.v)};
  }
#else
  vec<Isa, T, N> result = a;
  TENSORNORM_UNROLL
  for (int lane = 0; lane < N; ++lane) result.set(lane, std::sqrt(a[lane]));
  return result;
#endif
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
