// What follows a norm in the same pass: functions of each element, and the results.
#pragma once

#include "elementwise.hpp"
#include "piece.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The parameters of `count` elements that each have their own, from number i on.
struct own_parameters {
  index i;
  int count;

  template <class V, class W>
  TENSORNORM_INLINE V read(const W* parameters) const {
    return count == V::size ? load<V>(parameters + i) : load_first<V>(parameters + i, count);
  }
};

/// Parameter i, for all elements.
struct common_parameter {
  index i;

  template <class V, class W>
  TENSORNORM_INLINE V read(const W* parameters) const {
    return V::splat(widen<typename V::scalar>(parameters[i]));
  }
};

// Steps of a chain: each takes normalized elements in the type that the norm is computed in, and where their
// parameters are. Products go into sums elsewhere, hence times().

/// f(y).
template <class F>
struct element_function {
  F f;
  template <class V, class Parameters>
  TENSORNORM_INLINE V operator()(const V& y, const Parameters&) const {
    return f(y);
  }
};
/// y · factor.
template <class T>
struct times_number {
  T factor;
  template <class V, class Parameters>
  TENSORNORM_INLINE V operator()(const V& y, const Parameters&) const {
    return times(y, V::splat(factor));
  }
};
/// y · gamma.
template <class W>
struct times_parameter {
  const W* gamma;
  template <class V, class Parameters>
  TENSORNORM_INLINE V operator()(const V& y, const Parameters& at) const {
    return times(y, at.template read<V>(gamma));
  }
};
/// y + beta.
template <class W>
struct plus_parameter {
  const W* beta;
  template <class V, class Parameters>
  TENSORNORM_INLINE V operator()(const V& y, const Parameters& at) const {
    return fma(y, V::splat(1), at.template read<V>(beta));  // y may be a product: nothing to contract
  }
};
/// y.
struct unchanged {
  template <class V, class Parameters>
  TENSORNORM_INLINE V operator()(const V& y, const Parameters&) const {
    return y;
  }
};
/// step(first(y)).
template <class First, class Step>
struct chained {
  First first;
  Step step;
  template <class V, class Parameters>
  TENSORNORM_INLINE V operator()(const V& y, const Parameters& at) const {
    return step(first(y, at), at);
  }
};

/// A chain over the elements of one run of a piece. Own: each has parameters of its own.
template <class Isa, bool Own, class Chain, class T>
struct run_values {
  using V = native_vec<Isa, T>;
  const Chain& chain;
  const T* from;
  index parameter;

  /// Elements i, i + 1, ...: a whole register, or the first `count` lanes of one.
  TENSORNORM_INLINE V whole(index i) const { return of(load<V>(from + i), i, V::size); }
  TENSORNORM_INLINE V some(index i, int count) const { return of(load_first<V>(from + i, count), i, count); }

 private:
  TENSORNORM_INLINE V of(const V& y, index i, int count) const {
    if constexpr (Own)
      return chain(y, own_parameters{parameter + i, count});
    else
      return chain(y, common_parameter{parameter});
  }
};

/// What a piece of results goes to memory with.
struct write_mode {
  bool past_cache = false;
  const char* ahead = nullptr;  // what is read next; as much of it comes closer as is written
  index ahead_bytes = 0;        // for each number
};

/// Writes a piece of y: the chain of what a norm left in work memory, rounded once.
struct write_after {
  template <class Isa, class Chain, class W, class T>
  static TENSORNORM_INLINE void run(const pieces& all, const piece& at, const Chain& chain,
                                    const piece_memory<W>& work, const piece_memory<T>& y,
                                    const write_mode& mode) {
    if (all.own_parameters())
      write<Isa, true>(all, at, chain, work, y, mode);
    else
      write<Isa, false>(all, at, chain, work, y, mode);
  }

 private:
  template <class Isa, bool Own, class Chain, class W, class T>
  static TENSORNORM_INLINE void write(const pieces& all, const piece& at, const Chain& chain,
                                      const piece_memory<W>& work, const piece_memory<T>& y,
                                      const write_mode& mode) {
    using values = run_values<Isa, Own, Chain, W>;
    using V = typename values::V;
    const index size = all.run_size(at);
    const index step = all.run_step(y);
    for (index n = 0; n < all.runs(at); ++n) {
      const piece_run r = all.run(at, n);
      const values from{chain, work.at(all.rows(), r.row, r.element), r.parameter};
      T* const to = y.at(all.rows(), r.row, r.element);
      index i = 0;
      if (step == 1) {
        // Registers that straddle two lines of the cache cost twice.
        i = elements_to_aligned(to, V::size);
        i = i < size ? i : size;
        if (i > 0) put(from.some(0, static_cast<int>(i)), to, 1, static_cast<int>(i), mode.past_cache);
        if (mode.past_cache) {
          read_ahead ahead{mode.ahead + n * size * mode.ahead_bytes};
          for (; i + V::size <= size; i += V::size) {
            ahead.bytes(static_cast<std::size_t>(V::size * mode.ahead_bytes));
            stream(from.whole(i), to + i);
          }
        } else {
          for (; i + V::size <= size; i += V::size) store(from.whole(i), to + i);
        }
      }
      for (; i < size; i += V::size) {
        const int count = static_cast<int>(size - i < V::size ? size - i : V::size);
        put(from.some(i, count), to + i * step, step, count, mode.past_cache);
      }
    }
  }

  template <class V, class T>
  static TENSORNORM_INLINE void put(const V& value, T* to, index step, int count, bool past_cache) {
    if (step == 1 && past_cache) return stream_first(value, to, count);
    if (step == 1) return store_first(value, to, count);
    T buffer[V::size];
    store(value, buffer);
    for (int k = 0; k < count; ++k) to[k * step] = buffer[k];
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
