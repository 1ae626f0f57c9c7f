// int8 with a scale for each row, after a norm.
#pragma once

#include <cmath>

#include "../simd/int8.hpp"
#include "after.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The largest magnitude of each lane; NaN if one of the numbers was.
template <class V>
struct magnitudes {
  V largest;
  V nan;

  static TENSORNORM_INLINE magnitudes none() { return {V::splat(0), V::splat(0)}; }
  TENSORNORM_INLINE void absorb(const V& y) {
    largest = larger(largest, abs(y));
    nan = select(is_nan(y), y, nan);
  }
  TENSORNORM_INLINE V value() const { return select(is_nan(nan), nan, largest); }
};

/// y / scale as integers for numbers of one scale or, in lanes, of one each: zeros where that is zero or not
/// finite.
template <class V>
struct quantizer {
  V scale;
  V limit;

  static TENSORNORM_INLINE quantizer of(const V& s) {
    const V zero = V::splat(0);
    const V most =
        select(s < V::splat(std::numeric_limits<typename V::scalar>::infinity()), V::splat(127), zero);
    return {s, select(zero < s, most, zero)};
  }
  /// A quotient of subnormal numbers may be beyond 127, and one of a scale that is none anything.
  TENSORNORM_INLINE V operator()(const V& y) const {
    const V quotient = y / scale;
    const V low = V::splat(0) - limit;
    const V above = select(low < quotient, quotient, low);
    return select(above < limit, above, limit);
  }
};

/// Quantizes a piece: the chain in place, then scale = max|y| / 127 of each row and q = y / scale, rounded to
/// nearest, ties to even. `scales` begins at the first row of the piece.
struct quantize_after {
  template <class Isa, class Chain, class T>
  static TENSORNORM_INLINE void run(const pieces& all, const piece& at, const Chain& chain,
                                    const piece_memory<T>& work, const piece_memory<signed char>& q,
                                    T* const& scales) {
    for (index r = 0; r < at.count; ++r) scales[r] = 0;
    if (all.own_parameters())
      measure<Isa, true>(all, at, chain, work, scales);
    else
      measure<Isa, false>(all, at, chain, work, scales);
    for (index r = 0; r < at.count; ++r) scales[r] = scales[r] / T(127);
    write<Isa>(all, at, work, q, scales);
  }

 private:
  template <class Isa, bool Own, class Chain, class T>
  static TENSORNORM_INLINE void measure(const pieces& all, const piece& at, const Chain& chain,
                                        const piece_memory<T>& work, T* scales) {
    using values = run_values<Isa, Own, Chain, T>;
    using V = typename values::V;
    const index size = all.run_size(at);
    for (index n = 0; n < all.runs(at); ++n) {
      const piece_run r = all.run(at, n);
      T* const y = work.at(all.rows(), r.row, r.element);
      const values from{chain, y, r.parameter};
      auto along = magnitudes<V>::none();
      for (index i = 0; i < size; i += V::size) {
        const int count = static_cast<int>(size - i < V::size ? size - i : V::size);
        const V value = count == V::size ? from.whole(i) : from.some(i, count);
        if (count == V::size)
          value.store(y + i);
        else
          store_first(value, y + i, count);
        // Lanes without an element hold the chain of a zero.
        const V counted = count == V::size ? value : load_first<V>(y + i, count);
        if (all.along()) {
          along.absorb(counted);
        } else {
          magnitudes<V> across{load_first<V>(scales + i, count), V::splat(0)};
          across.nan = across.largest;
          across.absorb(counted);
          store_first(across.value(), scales + i, count);
        }
      }
      if (all.along()) scales[r.row] = largest(scales[r.row], along.value());
    }
  }

  /// Of a number that is not negative and the lanes of v.
  template <class V, class T>
  static TENSORNORM_INLINE T largest(T most, const V& v) {
    for (int lane = 0; lane < V::size; ++lane)
      if (!(v[lane] <= most) && !std::isnan(most)) most = v[lane];
    return most;
  }

  template <class Isa, class T>
  static TENSORNORM_INLINE void write(const pieces& all, const piece& at, const piece_memory<T>& work,
                                      const piece_memory<signed char>& q, const T* scales) {
    using V = native_vec<Isa, T>;
    const index size = all.run_size(at);
    const index step = all.run_step(q);
    for (index n = 0; n < all.runs(at); ++n) {
      const piece_run r = all.run(at, n);
      const T* const y = work.at(all.rows(), r.row, r.element);
      signed char* const to = q.at(all.rows(), r.row, r.element);
      auto quantized = quantizer<V>::of(V::splat(scales[r.row]));
      for (index i = 0; i < size; i += V::size) {
        const int count = static_cast<int>(size - i < V::size ? size - i : V::size);
        const bool whole = count == V::size;
        if (!all.along())
          quantized = quantizer<V>::of(whole ? load<V>(scales + i) : load_first<V>(scales + i, count));
        const V value = quantized(whole ? load<V>(y + i) : load_first<V>(y + i, count));
        if (whole && step == 1)
          store_int8(value, to + i);
        else
          put(value, to + i * step, step, count);
      }
    }
  }

  template <class V>
  static TENSORNORM_INLINE void put(const V& value, signed char* to, index step, int count) {
    signed char buffer[V::size];
    store_int8(value, buffer);
    for (int k = 0; k < count; ++k) to[k * step] = buffer[k];
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
