// Queries come to lie side by side, results go back to where they belong, 16-bit keys and values are widened.
#pragma once

#include "../simd/transpose.hpp"
#include "../view/heads.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// to[n] = from[n], widened.
template <class Isa, class T, class S>
TENSORNORM_INLINE void widen_row(const S* from, index count, T* to) {
  using V = native_vec<Isa, T>;  // the machine converts no fewer halves at a time than fill a register
  index n = 0;
  for (; n + V::size <= count; n += V::size) load<V>(from + n).store(to + n);
  for (; n < count; ++n) to[n] = widen<T>(from[n]);
}

/// to[n] = from[n], rounded.
template <class Isa, class T, class S>
TENSORNORM_INLINE void narrow_row(const T* from, index count, S* to) {
  using V = native_vec<Isa, T>;
  index n = 0;
  for (; n + V::size <= count; n += V::size) store(V::load(from + n), to + n);
  for (; n < count; ++n) to[n] = narrow<S>(from[n]);
}

/// A packet of rows as they are transposed, so many numbers of each at a time.
template <class Isa, class T>
struct rows_of_packet {
  using P = packet<Isa, T>;
  static constexpr index most = 64;

  T row[static_cast<std::size_t>(P::size)][static_cast<std::size_t>(most)];
};

/// lanes[d * width + i] = x(first + i, d) for i < count, and zero for i from there to width, a multiple of
/// the vector size.
template <class Isa, class T, class S>
TENSORNORM_INLINE void pack_lanes(const head_view<const S>& x, index first, index count, index dim, T* lanes,
                                  index width) {
  using P = packet<Isa, T>;
  const S* const from = x.data + first * x.token_step;
  if (x.dim_step == 1) {
    const index whole = dim - dim % P::size;
    const auto transpose_rows = [&](index i, index begin, index end, const auto& at)
                                    TENSORNORM_INLINE_LAMBDA {
                                      for (index d = begin; d < end; d += P::size) {
                                        P row[static_cast<std::size_t>(P::size)];
                                        TENSORNORM_UNROLL
                                        for (int r = 0; r < P::size; ++r)
                                          row[r] = i + r < count ? P::load(at(r, d)) : P::splat(0);
                                        transpose(row);
                                        TENSORNORM_UNROLL
                                        for (int r = 0; r < P::size; ++r)
                                          row[r].store(lanes + (d + r) * width + i);
                                      }
                                    };
    for (index i = 0; i < width; i += P::size) {
      if constexpr (std::is_same_v<S, T>) {
        transpose_rows(i, 0, whole, [&](int r, index d) TENSORNORM_INLINE_LAMBDA {
          return from + (i + r) * x.token_step + d;
        });
      } else {
        rows_of_packet<Isa, T> wide;
        for (index begin = 0; begin < whole; begin += wide.most) {
          const index end = begin + wide.most < whole ? begin + wide.most : whole;
          for (int r = 0; r < P::size && i + r < count; ++r)
            widen_row<Isa>(from + (i + r) * x.token_step + begin, end - begin, wide.row[r]);
          transpose_rows(i, begin, end,
                         [&](int r, index d) TENSORNORM_INLINE_LAMBDA { return wide.row[r] + (d - begin); });
        }
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
      const auto transpose_rows = [&](index end, const auto& put) TENSORNORM_INLINE_LAMBDA {
        for (; d + P::size <= end; d += P::size) {
          P row[static_cast<std::size_t>(P::size)];
          TENSORNORM_UNROLL
          for (int r = 0; r < P::size; ++r) row[r] = scaled(d + r, i);
          transpose(row);
          TENSORNORM_UNROLL
          for (int r = 0; r < P::size; ++r)
            if (r < rows) put(r, row[r]);
        }
      };
      if constexpr (std::is_same_v<S, T>) {
        transpose_rows(dim, [&](int r, const P& x_of_row) TENSORNORM_INLINE_LAMBDA {
          x_of_row.store(to + (i + r) * x.token_step + d);
        });
      } else {
        rows_of_packet<Isa, T> wide;
        for (index begin = 0; dim - begin >= P::size; begin = d) {
          transpose_rows(begin + wide.most < dim ? begin + wide.most : dim,
                         [&](int r, const P& x_of_row)
                             TENSORNORM_INLINE_LAMBDA { x_of_row.store(wide.row[r] + (d - begin)); });
          for (int r = 0; r < rows; ++r)
            narrow_row<Isa>(wide.row[r], d - begin, to + (i + r) * x.token_step + begin);
        }
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
  if (x.dim_step == 1) {
    for (index t = 0; t < tokens; ++t) widen_row<Isa>(x.data + t * x.token_step, dim, rows + t * dim);
    return;
  }
  // The numbers of a dim, which are nearer to each other than those of a token; of a few tokens at a time,
  // whose rows stay in the cache.
  constexpr index few = 64;
  for (index first = 0; first < tokens; first += few) {
    const index last = first + few < tokens ? first + few : tokens;
    for (index d = 0; d < dim; ++d)
      for (index t = first; t < last; ++t)
        rows[t * dim + d] = widen<T>(x.data[t * x.token_step + d * x.dim_step]);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
