// tile<V, K>: K vectors that act as one. 64 lanes of a row are a tile; so are 64 columns.
#pragma once

#include "../simd/memory.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Element i of a sum goes to lane i mod 64, on every machine: the order of a sum must not depend on
/// the width of its registers.
inline constexpr int lane_count = 64;

/// K vectors side by side.
template <class V, int K>
struct tile {
  using isa = typename V::isa;
  using scalar = typename V::scalar;
  static constexpr int size = K * V::size;

  V part[K];

  /// The tile whose part k is f(k).
  template <class F>
  static TENSORNORM_INLINE tile make(const F& f) {
    tile result;
    TENSORNORM_UNROLL
    for (int k = 0; k < K; ++k) result.part[k] = f(k);
    return result;
  }
  static TENSORNORM_INLINE tile splat(scalar s) {
    const V v = V::splat(s);
    return make([&v](int) TENSORNORM_INLINE_LAMBDA { return v; });
  }
  TENSORNORM_INLINE scalar operator[](int lane) const { return part[lane / V::size][lane % V::size]; }
  TENSORNORM_INLINE void set(int lane, scalar s) { part[lane / V::size].set(lane % V::size, s); }

  friend TENSORNORM_INLINE tile operator+(const tile& a, const tile& b) {
    return make([&](int k) TENSORNORM_INLINE_LAMBDA { return a.part[k] + b.part[k]; });
  }
  friend TENSORNORM_INLINE tile operator-(const tile& a, const tile& b) {
    return make([&](int k) TENSORNORM_INLINE_LAMBDA { return a.part[k] - b.part[k]; });
  }
  friend TENSORNORM_INLINE tile operator*(const tile& a, const tile& b) {
    return make([&](int k) TENSORNORM_INLINE_LAMBDA { return a.part[k] * b.part[k]; });
  }
  friend TENSORNORM_INLINE tile operator/(const tile& a, const tile& b) {
    return make([&](int k) TENSORNORM_INLINE_LAMBDA { return a.part[k] / b.part[k]; });
  }
};

template <class V, int K>
TENSORNORM_INLINE tile<V, K> fma(const tile<V, K>& a, const tile<V, K>& b, const tile<V, K>& c) {
  return tile<V, K>::make([&](int k)
                              TENSORNORM_INLINE_LAMBDA { return fma(a.part[k], b.part[k], c.part[k]); });
}
template <class V, int K>
TENSORNORM_INLINE tile<V, K> times(const tile<V, K>& a, const tile<V, K>& b) {
  return tile<V, K>::make([&](int k) TENSORNORM_INLINE_LAMBDA { return times(a.part[k], b.part[k]); });
}
template <class V, int K>
TENSORNORM_INLINE tile<V, K> sqrt(const tile<V, K>& a) {
  return tile<V, K>::make([&](int k) TENSORNORM_INLINE_LAMBDA { return sqrt(a.part[k]); });
}
template <class V, int K>
TENSORNORM_INLINE tile<V, K> abs(const tile<V, K>& a) {
  return tile<V, K>::make([&](int k) TENSORNORM_INLINE_LAMBDA { return abs(a.part[k]); });
}

template <class V, int K>
TENSORNORM_INLINE tile<V, K> larger(const tile<V, K>& a, const tile<V, K>& b) {
  return tile<V, K>::make([&](int k) TENSORNORM_INLINE_LAMBDA { return larger(a.part[k], b.part[k]); });
}

/// Which lanes of a tile.
template <class V, int K>
struct tile_mask {
  vec_mask<typename V::isa, typename V::scalar, V::size> part[K];
};
template <class V, int K>
TENSORNORM_INLINE tile_mask<V, K> operator<(const tile<V, K>& a, const tile<V, K>& b) {
  tile_mask<V, K> mask;
  TENSORNORM_UNROLL
  for (int k = 0; k < K; ++k) mask.part[k] = a.part[k] < b.part[k];
  return mask;
}
template <class V, int K>
TENSORNORM_INLINE tile<V, K> select(const tile_mask<V, K>& mask, const tile<V, K>& yes,
                                    const tile<V, K>& no) {
  return tile<V, K>::make(
      [&](int k) TENSORNORM_INLINE_LAMBDA { return select(mask.part[k], yes.part[k], no.part[k]); });
}

/// True if a lane is outside [low, high], or NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE bool any_outside(const vec<Isa, T, N>& a, T low, T high) {
  return any(outside(a, low, high));
}
template <class V, int K, class T>
TENSORNORM_INLINE bool any_outside(const tile<V, K>& a, T low, T high) {
  auto mask = outside(a.part[0], low, high);
  TENSORNORM_UNROLL
  for (int k = 1; k < K; ++k) mask = mask | outside(a.part[k], low, high);
  return any(mask);
}

template <class V, int K>
TENSORNORM_INLINE auto lower(const tile<V, K>& a) {
  if constexpr (K == 1)
    return lower(a.part[0]);
  else
    return tile<V, K / 2>::make([&a](int k) TENSORNORM_INLINE_LAMBDA { return a.part[k]; });
}
template <class V, int K>
TENSORNORM_INLINE auto upper(const tile<V, K>& a) {
  if constexpr (K == 1)
    return upper(a.part[0]);
  else
    return tile<V, K / 2>::make([&a](int k) TENSORNORM_INLINE_LAMBDA { return a.part[K / 2 + k]; });
}

/// The 64 lanes of a row in registers of Isa.
template <class Isa, class T>
using row_lanes = tile<native_vec<Isa, T>, lane_count / vec_size<Isa, T>>;

/// L::size numbers from p on.
template <class L, class S>
TENSORNORM_INLINE L load_lanes(const S* p) {
  if constexpr (requires(L l) { l.part; }) {
    using V = std::remove_cvref_t<decltype(L::part[0])>;
    return L::make([p](int k) TENSORNORM_INLINE_LAMBDA { return load<V>(p + k * V::size); });
  } else {
    return load<L>(p);
  }
}

/// Every lane rounded to the values of S.
template <class S, class V, int K>
TENSORNORM_INLINE tile<V, K> round_to(const tile<V, K>& a) {
  return tile<V, K>::make([&](int k) TENSORNORM_INLINE_LAMBDA { return round_to<S>(a.part[k]); });
}

/// The lanes numbered first and up of a, the others of b.
template <class V, int K>
TENSORNORM_INLINE tile<V, K> lanes_from(int first, const tile<V, K>& a, const tile<V, K>& b) {
  return tile<V, K>::make([&](int k) TENSORNORM_INLINE_LAMBDA {
    return select(lanes_from<V>(first - k * V::size), a.part[k], b.part[k]);
  });
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
