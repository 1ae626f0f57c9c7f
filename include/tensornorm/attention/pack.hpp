// Queries come to lie side by side, results go back to where they belong, 16-bit keys and values are widened.
#pragma once

#include "../simd/transpose.hpp"
#include "../view/heads.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// lanes[d * width + i] = x(first + i, d) for i < count, and zero for i from there to width, a multiple of
/// the vector size.
template <class Isa, class T, class S>
TENSORNORM_INLINE void pack_lanes(const head_view<const S>& x, index first, index count, index dim, T* lanes,
                                  index width) {
  using P = packet<Isa, T>;
  const S* const from = x.data + first * x.token_step;
  if (x.dim_step == 1) {
    const index whole = dim - dim % P::size;
    for (index i = 0; i < width; i += P::size) {
      for (index d = 0; d < whole; d += P::size) {
        P row[static_cast<std::size_t>(P::size)];
        TENSORNORM_UNROLL
        for (int r = 0; r < P::size; ++r)
          row[r] = i + r < count ? load<P>(from + (i + r) * x.token_step + d) : P::splat(0);
        transpose(row);
        TENSORNORM_UNROLL
        for (int r = 0; r < P::size; ++r) row[r].store(lanes + (d + r) * width + i);
      }
    }
    for (index d = whole; d < dim; ++d)
      for (index i = 0; i < width; ++i)
        lanes[d * width + i] = i < count ? widen<T>(from[i * x.token_step + d]) : T{0};
  } else {
    for (index d = 0; d < dim; ++d) {
      T* const to = lanes + d * width;
      index i = 0;
      if (x.token_step == 1)
        for (; i + P::size <= count; i += P::size) load<P>(from + i + d * x.dim_step).store(to + i);
      for (; i < count; ++i) to[i] = widen<T>(from[i * x.token_step + d * x.dim_step]);
      for (; i < width; ++i) to[i] = T{0};
    }
  }
}

/// x(first + i, d) = lanes[d * width + i] * factor[i], rounded, for i < count. A zero is +0, whatever was
/// added up to make it.
template <class Isa, class T, class S>
TENSORNORM_INLINE void unpack_lanes(const T* lanes, index width, const T* factor, const head_view<S>& x,
                                    index first, index count, index dim) {
  using P = packet<Isa, T>;
  S* const to = x.data + first * x.token_step;
  const auto scaled = [&](index d, index i) TENSORNORM_INLINE_LAMBDA {
    return fma(P::load(lanes + d * width + i), P::load(factor + i), P::splat(0));
  };
  for (index i = 0; i < count; i += P::size) {
    const index rows = count - i < P::size ? count - i : P::size;
    index d = 0;
    if (x.dim_step == 1) {
      for (; d + P::size <= dim; d += P::size) {
        P row[static_cast<std::size_t>(P::size)];
        TENSORNORM_UNROLL
        for (int r = 0; r < P::size; ++r) row[r] = scaled(d + r, i);
        transpose(row);
        TENSORNORM_UNROLL
        for (int r = 0; r < P::size; ++r)
          if (r < rows) store(row[r], to + (i + r) * x.token_step + d);
      }
    }
    for (; d < dim; ++d) {
      const P value = scaled(d, i);
      S* const place = to + i * x.token_step + d * x.dim_step;
      if (x.token_step == 1 && rows == P::size)
        store(value, place);
      else
        for (int r = 0; r < rows; ++r) place[r * x.token_step] = narrow<S>(value[r]);
    }
  }
}

/// rows[token * dim + d] = x(token, d).
template <class Isa, class T, class S>
TENSORNORM_INLINE void pack_rows(const head_view<const S>& x, index tokens, index dim, T* rows) {
  using V = native_vec<Isa, T>;  // the machine converts no fewer halves at a time than fill a register
  for (index t = 0; t < tokens; ++t) {
    const S* const from = x.data + t * x.token_step;
    index d = 0;
    if (x.dim_step == 1)
      for (; d + V::size <= dim; d += V::size) load<V>(from + d).store(rows + t * dim + d);
    for (; d < dim; ++d) rows[t * dim + d] = widen<T>(from[d * x.dim_step]);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
