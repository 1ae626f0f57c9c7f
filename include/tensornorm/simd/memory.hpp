// Between memory and registers: widening loads, rounding stores, stores past the cache, prefetch.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "convert.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_GNU_VECTORS
/// The numbers whose 16-bit patterns of S are given.
template <class V, class S>
TENSORNORM_INLINE V widened(const typename conversion<V::size>::short_bits& patterns) {
  V value;
  if constexpr (std::is_same_v<S, float16> && V::isa::has_f16c) {
    widen_by_f16c<V::size>(patterns, value.v);
  } else {
    typename conversion<V::size>::bits wide;
    spread<typename V::isa, V::size>(patterns, wide);
    if constexpr (std::is_same_v<S, bfloat16>)
      widen_bfloat16(wide, value.v);
    else
      widen_float16(wide, value.v);
  }
  return value;
}
#endif

/// V::size numbers of type S, widened (or a double narrowed to float) to those of V.
template <class V, class S>
TENSORNORM_INLINE V load(const S* p) {
  using T = typename V::scalar;
  if constexpr (std::is_same_v<S, T>) {
    return V::load(p);
  } else if constexpr (V::size == 1) {
    return V::splat(widen<T>(*p));
  } else {
#if TENSORNORM_GNU_VECTORS
    using c = conversion<V::size>;
    if constexpr (sizeof(S) == 2) {
      const typename c::short_bits patterns = *reinterpret_cast<const typename c::short_bits_in_memory*>(p);
      return widened<V, S>(patterns);
    } else if constexpr (std::is_same_v<T, double>) {
      return {__builtin_convertvector(*reinterpret_cast<const typename c::floats_in_memory*>(p),
                                      typename V::native)};
    } else {
      return {__builtin_convertvector(*reinterpret_cast<const typename c::doubles_in_memory*>(p),
                                      typename V::native)};
    }
#else
    return V::make([p](int lane) { return widen<T>(p[lane]); });
#endif
  }
}

/// The numbers of type S that lie in the lanes of v, two in each, widened: W has a lane for each.
template <class W, class S, class V>
TENSORNORM_INLINE W widen_halves(const V& v) {
  static_assert(sizeof(S) == 2 && W::size == 2 * V::size);
#if TENSORNORM_GNU_VECTORS
  return widened<W, S>(__builtin_bit_cast(typename conversion<W::size>::short_bits, v.v));
#else
  S halves[static_cast<std::size_t>(W::size)];
  std::memcpy(halves, v.v, sizeof(halves));
  return load<W>(halves);
#endif
}

/// The first and the second of the two numbers of type S that lie in each lane of v, widened.
template <class S, class V>
TENSORNORM_INLINE void separate_halves(const V& v, V& first, V& second) {
  static_assert(sizeof(S) == 2 && sizeof(typename V::scalar) == 4);
#if TENSORNORM_GNU_VECTORS
  using bits = typename conversion<V::size>::bits;
  using native = typename V::native;
  const bits both = __builtin_bit_cast(bits, v.v);
  if constexpr (std::is_same_v<S, bfloat16>) {
    first = shift_bits_left<16>(v);
    second = {__builtin_bit_cast(native, both & 0xffff0000u)};
  } else {
    widen_float16(both & 0xffffu, first.v);
    widen_float16(both >> 16, second.v);
  }
#else
  S halves[static_cast<std::size_t>(2 * V::size)];
  std::memcpy(halves, v.v, sizeof(halves));
  first = V::make([&](int lane) { return widen<typename V::scalar>(halves[2 * lane]); });
  second = V::make([&](int lane) { return widen<typename V::scalar>(halves[2 * lane + 1]); });
#endif
}

/// Stores the lanes of v as S, rounded to nearest, ties to even.
template <class V, class S>
TENSORNORM_INLINE void store(const V& v, S* p) {
  if constexpr (std::is_same_v<S, typename V::scalar>) {
    v.store(p);
  } else if constexpr (V::size == 1) {
    *p = narrow<S>(v[0]);
  } else {
#if TENSORNORM_GNU_VECTORS
    typename conversion<V::size>::short_bits bits;
    narrow_bits<S>(v, bits);
    *reinterpret_cast<typename conversion<V::size>::short_bits_in_memory*>(p) = bits;
#else
    for (int lane = 0; lane < V::size; ++lane) p[lane] = narrow<S>(v[lane]);
#endif
  }
}

/// Whether the machine can load or store some lanes of V alone. (Clang has the same builtins, but not
/// for functions that are yet to be inlined where the instructions are.)
template <class V, class S>
inline constexpr bool has_masked_memory = bool{TENSORNORM_GCC_X86} &&
                                          std::is_same_v<S, typename V::scalar>&& V::isa::bytes >= 32 &&
                                          V::size * sizeof(S) >= 32;

/// The first `count` lanes from p on, zeros in the others. Touches nothing else.
template <class V, class S>
TENSORNORM_INLINE V load_first(const S* p, int count) {
#if TENSORNORM_GCC_X86
  if constexpr (has_masked_memory<V, S>) {
    const unsigned bits = (1u << count) - 1;
    using native = typename V::native;
    if constexpr (sizeof(V) == 64 && sizeof(S) == 4)
      return {__builtin_ia32_loadups512_mask(p, native{}, static_cast<unsigned short>(bits))};
    else if constexpr (sizeof(V) == 64)
      return {__builtin_ia32_loadupd512_mask(p, native{}, static_cast<unsigned char>(bits))};
    else if constexpr (sizeof(S) == 4)
      return {
          __builtin_ia32_maskloadps256(reinterpret_cast<const native*>(p), *lane_window<V>::first(count))};
    else
      return {__builtin_ia32_maskloadpd256(
          reinterpret_cast<const native*>(p),
          reinterpret_cast<typename lane_window<V>::words>(*lane_window<V>::first(count)))};
  }
#endif
  S buffer[static_cast<std::size_t>(V::size)] = {};
  for (int c = 0; c < count; ++c) buffer[c] = p[c];
  return load<V>(buffer);
}

/// Stores the first `count` lanes. Touches nothing else.
template <class V, class S>
TENSORNORM_INLINE void store_first(const V& v, S* p, int count) {
#if TENSORNORM_GCC_X86
  if constexpr (has_masked_memory<V, S>) {
    const unsigned bits = (1u << count) - 1;
    using native = typename V::native;
    if constexpr (sizeof(V) == 64 && sizeof(S) == 4)
      __builtin_ia32_storeups512_mask(p, v.v, static_cast<unsigned short>(bits));
    else if constexpr (sizeof(V) == 64)
      __builtin_ia32_storeupd512_mask(p, v.v, static_cast<unsigned char>(bits));
    else if constexpr (sizeof(S) == 4)
      __builtin_ia32_maskstoreps256(reinterpret_cast<native*>(p), *lane_window<V>::first(count), v.v);
    else
      __builtin_ia32_maskstorepd256(
          reinterpret_cast<native*>(p),
          reinterpret_cast<typename lane_window<V>::words>(*lane_window<V>::first(count)), v.v);
    return;
  }
#endif
  S buffer[static_cast<std::size_t>(V::size)];
  store(v, buffer);
  for (int c = 0; c < count; ++c) p[c] = buffer[c];
}

/// v rounded to the values of S.
template <class S, class V>
TENSORNORM_INLINE V round_to(const V& v) {
  S stored[static_cast<std::size_t>(V::size)];
  store(v, stored);
  return load<V>(stored);
}

/// Whether stream() goes past the cache. Elsewhere it is a plain store.
inline constexpr bool has_stream =
#if TENSORNORM_X86_LEVELS || (defined(__clang__) && TENSORNORM_GNU_VECTORS)
    true;
#else
    false;
#endif

/// store() past the cache, for results larger than it. p is aligned to the bytes written. End a
/// series with stream_fence().
template <class V, class S>
TENSORNORM_INLINE void stream(const V& v, S* p) {
#if TENSORNORM_GNU_VECTORS
  if constexpr (has_stream && V::size * sizeof(S) >= 16) {
    constexpr int bytes = V::size * static_cast<int>(sizeof(S));
    using packet = typename conversion<bytes / 4>::floats;
    packet bits;
    if constexpr (sizeof(S) == 2) {
      typename conversion<V::size>::short_bits narrowed;
      narrow_bits<S>(v, narrowed);
      bits = reinterpret_cast<packet>(narrowed);
    } else {
      bits = reinterpret_cast<packet>(v.v);
    }
#if defined(__clang__)
    __builtin_nontemporal_store(bits, reinterpret_cast<packet*>(p));
#elif defined(__x86_64__)
    if constexpr (bytes == 64)
      __builtin_ia32_movntps512(reinterpret_cast<float*>(p), bits);
    else if constexpr (bytes == 32)
      __builtin_ia32_movntps256(reinterpret_cast<float*>(p), bits);
    else
      __builtin_ia32_movntps(reinterpret_cast<float*>(p), bits);
#endif
    return;
  }
#endif
  store(v, p);
}

/// Stores the first `count` lanes past the cache, in pieces of 16 bytes as far as p is aligned to them: a
/// line that is written through the cache as well has to be fetched first, and all stores behind it wait.
template <class V, class S>
TENSORNORM_INLINE void stream_first(const V& v, S* p, int count) {
  using packet = vec<typename V::isa, float, 4>;
  constexpr int size = 16 / static_cast<int>(sizeof(S));
  S buffer[static_cast<std::size_t>(V::size)];
  store(v, buffer);
  for (int k = 0; k < count;) {
    if (k + size <= count && reinterpret_cast<std::uintptr_t>(p + k) % 16 == 0) {
      stream(packet::load(reinterpret_cast<const float*>(buffer + k)), reinterpret_cast<float*>(p + k));
      k += size;
    } else {
      p[k] = buffer[k];
      ++k;
    }
  }
}

/// Orders the stores of stream() before whatever other threads do next.
inline void stream_fence() {
#if TENSORNORM_X86_LEVELS
  __builtin_ia32_sfence();
#endif
}

/// How many elements from p on come before the first that is aligned to `width` of them, as stream() needs
/// it.
template <class S>
TENSORNORM_INLINE std::ptrdiff_t elements_to_aligned(const S* p, int width) {
  const auto bytes = static_cast<std::uintptr_t>(width) * sizeof(S);
  return static_cast<std::ptrdiff_t>((0 - reinterpret_cast<std::uintptr_t>(p)) % bytes / sizeof(S));
}

enum class cache_level { first, second };

/// Asks for the line at p to come to a cache. Any address will do.
template <cache_level Level>
TENSORNORM_INLINE void prefetch(const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, 0, Level == cache_level::first ? 3 : 2);
#else
  static_cast<void>(p);
#endif
}

/// Results of more bytes than this are written past the cache. A number and not a question to the
/// system: virtual machines answer with the caches of a whole host (320 MiB seen where one core had
/// 32), and beyond a few tens of MiB a core's share of any cache is used up.
inline constexpr std::size_t past_cache_bytes = std::size_t{32} << 20;

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
