// s = x · alpha + skip, before a norm.
#pragma once

#include "piece.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The sum of one piece. `kept` is s once more, for a norm that is to find it in the cache, where s itself
/// goes past it.
template <class T>
struct residual_piece {
  piece_memory<const T> x;
  piece_memory<const T> skip;
  piece_memory<T> s;
  piece_memory<T> kept;
  compute_t<T> alpha;
};

/// Adds up a piece, one fused multiply-add for each element, rounded once.
struct add_residual {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const pieces& all, const piece& at, const residual_piece<T>& p) {
    const rows_shape& rows = all.rows();
    const index size = all.run_size(at);
    const index x_step = all.run_step(p.x);
    const index skip_step = all.run_step(p.skip);
    const index s_step = all.run_step(p.s);
    for (index n = 0; n < all.runs(at); ++n) {
      const piece_run r = all.run(at, n);
      const T* const x = p.x.at(rows, r.row, r.element);
      const T* const skip = p.skip.at(rows, r.row, r.element);
      T* const s = p.s.at(rows, r.row, r.element);
      if (p.kept.data)
        past_cache<Isa>(x, skip, s, p.kept.at(rows, r.row, r.element), size, p.alpha, all.work_size());
      else if (x_step == 1 && skip_step == 1 && s_step == 1)
        dense<Isa>(x, skip, s, size, p.alpha);
      else
        for (index i = 0; i < size; ++i)
          store(sum<vec<Isa, compute_t<T>, 1>>(x + i * x_step, skip + i * skip_step, p.alpha),
                s + i * s_step);
    }
  }

 private:
  template <class V, class T>
  static TENSORNORM_INLINE V sum(const T* x, const T* skip, compute_t<T> alpha) {
    return fma(load<V>(x), V::splat(alpha), load<V>(skip));
  }
  template <class V, class T>
  static TENSORNORM_INLINE V first_of_sum(const T* x, const T* skip, compute_t<T> alpha, int count) {
    return fma(load_first<V>(x, count), V::splat(alpha), load_first<V>(skip, count));
  }

  template <class Isa, class T>
  static TENSORNORM_INLINE void dense(const T* x, const T* skip, T* s, index size, compute_t<T> alpha) {
    using V = native_vec<Isa, compute_t<T>>;
    const auto some = [&](index i, index count) TENSORNORM_INLINE_LAMBDA {
      const int n = static_cast<int>(count);
      store_first(first_of_sum<V>(x + i, skip + i, alpha, n), s + i, n);
    };
    index i = elements_to_aligned(s, V::size);
    i = i < size ? i : size;
    if (i > 0) some(0, i);
    for (; i + V::size <= size; i += V::size) store(sum<V>(x + i, skip + i, alpha), s + i);
    if (i < size) some(i, size - i);
  }

  template <class Isa, class T>
  static TENSORNORM_INLINE void past_cache(const T* x, const T* skip, T* s, T* kept, index size,
                                           compute_t<T> alpha, index ahead) {
    using V = native_vec<Isa, compute_t<T>>;
    const auto some = [&](index i, index count) TENSORNORM_INLINE_LAMBDA {
      const int n = static_cast<int>(count);
      const V value = first_of_sum<V>(x + i, skip + i, alpha, n);
      stream_first(value, s + i, n);
      store_first(value, kept + i, n);
    };
    index i = elements_to_aligned(s, V::size);
    i = i < size ? i : size;
    if (i > 0) some(0, i);
    for (; i + V::size <= size; i += V::size) {
      prefetch<cache_level::second>(x + i + ahead);
      prefetch<cache_level::second>(skip + i + ahead);
      const V value = sum<V>(x + i, skip + i, alpha);
      stream(value, s + i);
      store(value, kept + i);
    }
    if (i < size) some(i, size - i);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
