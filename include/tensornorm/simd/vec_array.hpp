// The vectors as arrays and loops, for compilers without vector extensions. Include vec.hpp.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "isa.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// N numbers of type T.
template <class Isa, class T, int N>
struct vec {
  using isa = Isa;
  using scalar = T;
  static constexpr int size = N;

  T v[N];

  static TENSORNORM_INLINE vec splat(T s) {
    return make([s](int) { return s; });
  }
  static TENSORNORM_INLINE vec load(const T* p) {
    return make([p](int lane) { return p[lane]; });
  }
  TENSORNORM_INLINE void store(T* p) const {
    for (int lane = 0; lane < N; ++lane) p[lane] = v[lane];
  }
  TENSORNORM_INLINE T operator[](int lane) const { return v[lane]; }
  TENSORNORM_INLINE void set(int lane, T s) { v[lane] = s; }

  /// The vector whose lanes are f(lane).
  template <class F>
  static TENSORNORM_INLINE vec make(const F& f) {
    vec result;
    for (int lane = 0; lane < N; ++lane) result.v[lane] = f(lane);
    return result;
  }

  friend TENSORNORM_INLINE vec operator+(const vec& a, const vec& b) {
    return make([&](int lane) { return a.v[lane] + b.v[lane]; });
  }
  friend TENSORNORM_INLINE vec operator-(const vec& a, const vec& b) {
    return make([&](int lane) { return a.v[lane] - b.v[lane]; });
  }
  friend TENSORNORM_INLINE vec operator*(const vec& a, const vec& b) {
    return make([&](int lane) { return a.v[lane] * b.v[lane]; });
  }
  friend TENSORNORM_INLINE vec operator/(const vec& a, const vec& b) {
    return make([&](int lane) { return a.v[lane] / b.v[lane]; });
  }
};

/// Which lanes.
template <class Isa, class T, int N>
struct vec_mask {
  bool m[N];

  template <class F>
  static TENSORNORM_INLINE vec_mask make(const F& f) {
    vec_mask result;
    for (int lane = 0; lane < N; ++lane) result.m[lane] = f(lane);
    return result;
  }
  friend TENSORNORM_INLINE vec_mask operator|(const vec_mask& a, const vec_mask& b) {
    return make([&](int lane) { return a.m[lane] || b.m[lane]; });
  }
};

template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> operator<(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  return vec_mask<Isa, T, N>::make([&](int lane) { return a[lane] < b[lane]; });
}

/// Lanes that are NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> is_nan(const vec<Isa, T, N>& a) {
  return vec_mask<Isa, T, N>::make([&](int lane) { return std::isnan(a[lane]); });
}

/// Lanes where a is outside [low, high], or NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> outside(const vec<Isa, T, N>& a, T low, T high) {
  return vec_mask<Isa, T, N>::make([&](int lane) { return !(a[lane] >= low && a[lane] <= high); });
}

/// Lanes numbered first and up.
template <class V>
TENSORNORM_INLINE vec_mask<typename V::isa, typename V::scalar, V::size> lanes_from(int first) {
  return vec_mask<typename V::isa, typename V::scalar, V::size>::make(
      [first](int lane) { return lane >= first; });
}

template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> select(const vec_mask<Isa, T, N>& mask, const vec<Isa, T, N>& yes,
                                        const vec<Isa, T, N>& no) {
  return vec<Isa, T, N>::make([&](int lane) { return mask.m[lane] ? yes[lane] : no[lane]; });
}

/// The larger of each lane; a where either is NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> larger(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  return select(a < b, b, a);
}

template <class Isa, class T, int N>
TENSORNORM_INLINE bool any(const vec_mask<Isa, T, N>& mask) {
  bool result = false;
  for (int lane = 0; lane < N; ++lane) result = result || mask.m[lane];
  return result;
}

/// |a|: the sign bit cleared, also of a NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> abs(const vec<Isa, T, N>& a) {
  return vec<Isa, T, N>::make([&](int lane) { return std::fabs(a[lane]); });
}

/// The bits of every lane moved up by Count.
template <int Count, class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> shift_bits_left(const vec<Isa, T, N>& a) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return vec<Isa, T, N>::make(
      [&](int lane) { return std::bit_cast<T>(std::bit_cast<bits>(a[lane]) << Count); });
}

/// The lower half of the lanes.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N / 2> lower(const vec<Isa, T, N>& a) {
  return vec<Isa, T, N / 2>::make([&](int lane) { return a[lane]; });
}

/// The upper half of the lanes.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N / 2> upper(const vec<Isa, T, N>& a) {
  return vec<Isa, T, N / 2>::make([&](int lane) { return a[N / 2 + lane]; });
}

/// The lanes of a, then those of b.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, 2 * N> join(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  return vec<Isa, T, 2 * N>::make([&](int lane) { return lane < N ? a[lane] : b[lane - N]; });
}

/// a * b + c, rounded once where Isa has fma and twice where it has not.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> fma(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b,
                                     const vec<Isa, T, N>& c) {
  if constexpr (Isa::has_fma)
    return vec<Isa, T, N>::make([&](int lane) { return std::fma(a[lane], b[lane], c[lane]); });
  else
    return a * b + c;
}

/// The root of every lane, correctly rounded.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> sqrt(const vec<Isa, T, N>& a) {
  return vec<Isa, T, N>::make([&](int lane) { return std::sqrt(a[lane]); });
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
