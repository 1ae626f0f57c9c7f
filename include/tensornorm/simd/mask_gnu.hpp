// Which lanes of a vector, over GCC's and Clang's vector extensions. Include vec.hpp.
#pragma once

#include <array>

#include "vec_gnu.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Masks of V in memory: none of the lanes, then all of them, then none. A window on it starts or ends
/// where it is wanted.
template <class V>
struct lane_window {
  using lane = int_of_size<sizeof(typename V::scalar)>;
  typedef lane bits_in_memory __attribute__((vector_size(sizeof(V)), aligned(alignof(lane)), may_alias));
  typedef long long words __attribute__((vector_size(sizeof(V))));  // what builtins for doubles take

  static constexpr auto steps = []<int... Lane>(std::integer_sequence<int, Lane...>) {
    return std::array<lane, 3 * V::size>{static_cast<lane>(Lane / V::size == 1 ? -1 : 0)...};
  }
  (std::make_integer_sequence<int, 3 * V::size>());

  /// Lanes numbered first and up.
  static TENSORNORM_INLINE const bits_in_memory* from(int first) {
    return reinterpret_cast<const bits_in_memory*>(steps.data() + V::size - first);
  }
  /// The first `count` lanes.
  static TENSORNORM_INLINE const bits_in_memory* first(int count) {
    return reinterpret_cast<const bits_in_memory*>(steps.data() + 2 * V::size - count);
  }
};

/// Which lanes: all bits of a lane are set, or none.
template <class Isa, class T, int N>
struct vec_mask {
  using bits = typename vec<Isa, T, N>::bits;
  typedef long long words __attribute__((vector_size(N * sizeof(T) < 8 ? 8 : N * sizeof(T))));
  static constexpr int word_count = static_cast<int>(N * sizeof(T) / 8);

  bits m;
  friend TENSORNORM_INLINE vec_mask operator|(const vec_mask& a, const vec_mask& b) { return {a.m | b.m}; }
};
template <class Isa, class T>
struct vec_mask<Isa, T, 1> {
  bool m;
  friend TENSORNORM_INLINE vec_mask operator|(const vec_mask& a, const vec_mask& b) { return {a.m || b.m}; }
};

#if TENSORNORM_GCC_X86
// GCC takes comparisons apart, lane by lane, where they are written for registers that the flags of
// the translation unit do not have, before it inlines them where they are. Its builtins stay whole.

/// Which lanes of a 64-byte vector: one bit for each.
template <class Isa, class T, int N>
requires(N * sizeof(T) == 64) struct vec_mask<Isa, T, N> {
  static constexpr unsigned all = (1u << N) - 1;
  unsigned m;
  friend TENSORNORM_INLINE vec_mask operator|(const vec_mask& a, const vec_mask& b) { return {a.m | b.m}; }
};

/// How a comparison is told to the instruction.
enum class predicate { unordered = 3, less = 17, not_less_equal = 22, not_greater_equal = 25 };

template <predicate How, class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> compare(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  using mask = vec_mask<Isa, T, N>;
  constexpr int how = static_cast<int>(How);
  if constexpr (sizeof(a) == 64 && sizeof(T) == 4)
    return {__builtin_ia32_cmpps512_mask(a.v, b.v, how, static_cast<unsigned short>(-1), 4)};
  else if constexpr (sizeof(a) == 64)
    return {__builtin_ia32_cmppd512_mask(a.v, b.v, how, static_cast<unsigned char>(-1), 4)};
  else if constexpr (sizeof(T) == 4)
    return {reinterpret_cast<typename mask::bits>(__builtin_ia32_cmpps256(a.v, b.v, how))};
  else
    return {reinterpret_cast<typename mask::bits>(__builtin_ia32_cmppd256(a.v, b.v, how))};
}

/// Whether masks of N numbers of type T go by way of builtins.
template <class Isa, class T, int N>
inline constexpr bool has_mask_builtins = N * sizeof(T) == 64 || (N * sizeof(T) == 32 && Isa::bytes >= 32);
#endif

template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> operator<(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
#if TENSORNORM_GCC_X86
  if constexpr (has_mask_builtins<Isa, T, N>)
    return compare<predicate::less>(a, b);
  else
#endif
    return {a.v < b.v};
}

/// Lanes that are NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> is_nan(const vec<Isa, T, N>& a) {
#if TENSORNORM_GCC_X86
  if constexpr (has_mask_builtins<Isa, T, N>)
    return compare<predicate::unordered>(a, a);
  else
#endif
    return {a.v != a.v};
}

/// Lanes where a is outside [low, high], or NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec_mask<Isa, T, N> outside(const vec<Isa, T, N>& a, T low, T high) {
  using V = vec<Isa, T, N>;
#if TENSORNORM_GCC_X86
  if constexpr (has_mask_builtins<Isa, T, N>)
    return compare<predicate::not_greater_equal>(a, V::splat(low)) |
           compare<predicate::not_less_equal>(a, V::splat(high));
  else
#endif
      if constexpr (N == 1)
    return {!(a.v >= low && a.v <= high)};
  else
    return {~((a.v >= V::splat(low).v) & (a.v <= V::splat(high).v))};
}

/// Lanes numbered `number` and up; all or none where there is no such lane.
template <class V>
TENSORNORM_INLINE vec_mask<typename V::isa, typename V::scalar, V::size> lanes_from(int number) {
  using mask = vec_mask<typename V::isa, typename V::scalar, V::size>;
  const int first = number < 0 ? 0 : number > V::size ? V::size : number;
  if constexpr (V::size == 1) {
    return mask{first < 1};
  } else if constexpr (requires { mask::all; }) {
    return mask{mask::all << first & mask::all};
  } else {
    return mask{*lane_window<V>::from(first)};
  }
}

template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> select(const vec_mask<Isa, T, N>& mask, const vec<Isa, T, N>& yes,
                                        const vec<Isa, T, N>& no) {
#if TENSORNORM_GCC_X86
  if constexpr (has_mask_builtins<Isa, T, N>) {
    if constexpr (sizeof(yes) == 64 && sizeof(T) == 4)
      return {__builtin_ia32_blendmps_512_mask(no.v, yes.v, static_cast<unsigned short>(mask.m))};
    else if constexpr (sizeof(yes) == 64)
      return {__builtin_ia32_blendmpd_512_mask(no.v, yes.v, static_cast<unsigned char>(mask.m))};
    else if constexpr (sizeof(T) == 4)
      return {__builtin_ia32_blendvps256(no.v, yes.v, reinterpret_cast<decltype(yes.v)>(mask.m))};
    else
      return {__builtin_ia32_blendvpd256(no.v, yes.v, reinterpret_cast<decltype(yes.v)>(mask.m))};
  } else
#endif
    return {mask.m ? yes.v : no.v};
}

/// The larger of each lane; a where either is NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> larger(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
#if TENSORNORM_GCC_X86
  if constexpr (has_mask_builtins<Isa, T, N>) {
    // The instruction takes the second of its operands where either is NaN.
    if constexpr (sizeof(a) == 64 && sizeof(T) == 4)
      return {__builtin_ia32_maxps512_mask(b.v, a.v, a.v, static_cast<unsigned short>(-1), 4)};
    else if constexpr (sizeof(a) == 64)
      return {__builtin_ia32_maxpd512_mask(b.v, a.v, a.v, static_cast<unsigned char>(-1), 4)};
    else if constexpr (sizeof(T) == 4)
      return {__builtin_ia32_maxps256(b.v, a.v)};
    else
      return {__builtin_ia32_maxpd256(b.v, a.v)};
  } else
#endif
    return select(a < b, b, a);
}

template <class Isa, class T, int N>
TENSORNORM_INLINE bool any(const vec_mask<Isa, T, N>& mask) {
  if constexpr (N == 1) {
    return mask.m;
  } else if constexpr (requires { mask.all; }) {
    return mask.m != 0;
  } else {
    const auto words = reinterpret_cast<typename vec_mask<Isa, T, N>::words>(mask.m);
    long long all = words[0];
    TENSORNORM_UNROLL
    for (int i = 1; i < mask.word_count; ++i) all |= words[i];
    return all != 0;
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
