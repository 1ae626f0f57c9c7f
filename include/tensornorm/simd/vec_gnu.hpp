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
using int_of_size = std::conditional_t<Bytes == 2, std::int16_t, std::conditional_t<Bytes == 4, std::int32_t, std::int64_t>>;

/// N numbers of type T in registers of Isa. A single one is a plain number.
template <class Isa, class T, int N>
struct vec {
  using isa = Isa;
  using scalar = T;
  static constexpr int size = N;
  typedef T native __attribute__((vector_size(N * sizeof(T))));
  typedef T in_memory __attribute__((vector_size(N * sizeof(T)), aligned(alignof(T)), may_alias));

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

/// Which lanes: all bits of a lane are set, or none.
template <class Isa, class T, int N>
struct vec_mask {
  typedef int_of_size<sizeof(T)> native __attribute__((vector_size(N * sizeof(T))));
  typedef long long words __attribute__((vector_size(N * sizeof(T) < 8 ? 8 : N * sizeof(T))));
  static constexpr int word_count = static_cast<int>(N * sizeof(T) / 8);
  native m;
  friend TENSORNORM_INLINE vec_mask operator|(const vec_mask& a, const vec_mask& b) { return {a.m | b.m}; }
};
template <class Isa, class T>
struct vec_mask<Isa, T, 1> {
  bool m;
  friend TENSORNORM_INLINE vec_mask operator|(const vec_mask& a, const vec_mask& b) { return {a.m || b.m}; }
};

template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> operator<(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  return {a.v < b.v};
}

/// Lanes where a is outside [low, high], or NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> outside(const vec<Isa, T, N>& a, T low, T high) {
  using V = vec<Isa, T, N>;
  if constexpr (N == 1)
    return {!(a.v >= low && a.v <= high)};
  else
    return {~((a.v >= V::splat(low).v) & (a.v <= V::splat(high).v))};
}

/// Lanes numbered first and up.
template <class V>
TENSORNORM_INLINE vec_mask<typename V::isa, typename V::scalar, V::size> lanes_from(int first) {
  using mask = vec_mask<typename V::isa, typename V::scalar, V::size>;
  using lane = int_of_size<sizeof(typename V::scalar)>;
  return [first]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
    const typename mask::native number{lane{Lane}...};
    const typename mask::native bound{((void)Lane, static_cast<lane>(first))...};
    return mask{number >= bound};
  }(std::make_integer_sequence<int, V::size>());
}

template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> select(const vec_mask<Isa, T, N>& mask, const vec<Isa, T, N>& yes,
                                        const vec<Isa, T, N>& no) {
  return {mask.m ? yes.v : no.v};
}

template <class Isa, class T, int N>
TENSORNORM_INLINE bool any(const vec_mask<Isa, T, N>& mask) {
  if constexpr (N == 1) {
    return mask.m;
  } else {
    const auto words = reinterpret_cast<typename vec_mask<Isa, T, N>::words>(mask.m);
    long long all = words[0];
    TENSORNORM_UNROLL
    for (int i = 1; i < mask.word_count; ++i) all |= words[i];
    return all != 0;
  }
}

/// |a|: the sign bit cleared, also of a NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> abs(const vec<Isa, T, N>& a) {
  if constexpr (N == 1) {
    return {std::fabs(a.v)};
  } else {
    using bits = typename vec_mask<Isa, T, N>::native;
    using V = vec<Isa, T, N>;
    const bits sign = reinterpret_cast<bits>(V::splat(T(-0.0)).v);
    return {reinterpret_cast<typename V::native>(reinterpret_cast<bits>(a.v) & ~sign)};
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
    }(std::make_integer_sequence<int, N / 2>());
}

/// The upper half of the lanes.
template <class Isa, class T, int N>
TENSORNORM_INLINE auto upper(const vec<Isa, T, N>& a) {
  if constexpr (N == 2)
    return vec<Isa, T, 1>{a.v[1]};
  else
    return [&a]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
      return vec<Isa, T, N / 2>{__builtin_shufflevector(a.v, a.v, (N / 2 + Lane)...)};
    }(std::make_integer_sequence<int, N / 2>());
}

/// The lanes of a, then those of b.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, 2 * N> join(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  return [&]<int... Lane>(std::integer_sequence<int, Lane...>) TENSORNORM_INLINE_LAMBDA {
    return vec<Isa, T, 2 * N>{__builtin_shufflevector(a.v, b.v, Lane...)};
  }(std::make_integer_sequence<int, 2 * N>());
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
TENSORNORM_INLINE vec<Isa, T, N> fma(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b, const vec<Isa, T, N>& c) {
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
