// Rows whose elements lie side by side: read in registers along the row, several rows at a time.
#pragma once

#include "parameters.hpp"
#include "rescale.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Brings the next row to the second-level cache while this one is worked on, a few lines for each
/// block of 64 elements.
struct read_ahead {
  const char* next = nullptr;

  TENSORNORM_INLINE void lines(int count) {
    if (!next) return;
    for (int n = 0; n < count; ++n) prefetch(next + n * 64);
    next += count * 64;
  }
};

/// Reads R contiguous rows of n elements. Rescaled rows are multiplied by a power of two as they are
/// read.
template <class Isa, class T, int R, bool Rescaled>
struct contiguous_scan {
  using compute = compute_t<T>;
  using rows = vec<Isa, compute, R>;  // a number for each row
  using lanes = row_lanes<Isa, compute>;
  using V = native_vec<Isa, compute>;
  static constexpr bool is_rescaled = Rescaled;

  const T* x[R];
  rows scale;
  int lines_per_block;
  mutable read_ahead ahead;

  template <class L>
  TENSORNORM_INLINE L read(int row, index i) const {
    L value;
    if constexpr (requires { L::part; })
      value = load_tile<L>(x[row] + i);
    else
      value = load<L>(x[row] + i);
    if constexpr (Rescaled)
      return value * L::splat(scale[row]);
    else
      return value;
  }

  /// Reduces elements [begin, end) of each row. end - begin is at most chunk_length; begin is a
  /// multiple of it.
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> reduce(index begin, index end, const rows& shift) const {
    return reduce_blocks<Reducer<rows>>(begin, end, [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
      return reduce_block<Reducer>(first, last, shift);
    });
  }

 private:
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> reduce_block(index begin, index end, const rows& shift) const {
    Reducer<lanes> state[R];
    TENSORNORM_UNROLL
    for (int row = 0; row < R; ++row) state[row] = Reducer<lanes>::start(lanes::splat(shift[row]));
    index i = begin;
    for (; i + lane_count <= end; i += lane_count) {
      ahead.lines(lines_per_block);
      TENSORNORM_UNROLL
      for (int row = 0; row < R; ++row) state[row].absorb(read<lanes>(row, i));
    }
    if (i < end) {
      TENSORNORM_UNROLL
      for (int row = 0; row < R; ++row) state[row].absorb(tail(row, i, end, state[row].pad()));
    }
    Reducer<rows> result = Reducer<rows>::start(shift);
    TENSORNORM_UNROLL
    for (int row = 0; row < R; ++row) {
      const auto folded = fold(state[row]);
      TENSORNORM_UNROLL
      for (int s = 0; s < Reducer<rows>::count; ++s) result.state[s].set(row, folded.state[s][0]);
    }
    return result;
  }

  /// Elements [begin, end), fewer than 64, in the last lanes; pad in the others.
  TENSORNORM_INLINE lanes tail(int row, index begin, index end, const lanes& pad) const {
    const int first = lane_count - static_cast<int>(end - begin);
    if (end >= lane_count) return lanes_from(first, read<lanes>(row, end - lane_count), pad);
    compute buffer[lane_count];
    TENSORNORM_UNROLL
    for (int k = 0; k < lane_count / V::size; ++k) pad.part[k].store(buffer + k * V::size);
    if (end >= V::size) {
      for (index i = 0; i + V::size <= end; i += V::size) read<V>(row, i).store(buffer + first + i);
      read<V>(row, end - V::size).store(buffer + lane_count - V::size);
    } else {
      for (index i = 0; i < end; ++i) read<vec<Isa, compute, 1>>(row, i).store(buffer + first + i);
    }
    return load_tile<lanes>(buffer);
  }
};

/// Writes R contiguous rows; a single one past the cache where `past_cache` says so.
template <class Formula, class Scan, class T>
struct contiguous_writer {
  using compute = typename Scan::compute;
  using V = typename Scan::V;
  static constexpr int R = Scan::rows::size;

  const Scan& scan;
  bool past_cache;
  T* y[R];
  row_constants<typename Scan::rows> constants;

  /// Elements [begin, end), each with its own parameters.
  template <class Affine>
  TENSORNORM_INLINE void write(const Affine& affine, index begin, index end) const {
    run(begin, end, [&](const auto& v, index i) TENSORNORM_INLINE_LAMBDA { return affine(v, i); });
  }

  /// Elements [begin, end), all with the parameters of element `parameter`.
  template <class Affine>
  TENSORNORM_INLINE void write_shared(const Affine& affine, index begin, index end, index parameter) const {
    run(begin, end, [&](const auto& v, index) TENSORNORM_INLINE_LAMBDA { return affine.shared(v, parameter); });
  }

 private:
  template <class L>
  TENSORNORM_INLINE row_constants<L> splat(int row) const {
    return {L::splat(constants.mean[row]), L::splat(constants.residual[row]), L::splat(constants.variance[row]),
            L::splat(constants.rstd[row])};
  }

  template <class Finish>
  TENSORNORM_INLINE void run(index begin, index end, const Finish& finish) const {
    if (end - begin < V::size) return run_single(begin, end, finish);
    row_constants<V> c[R];
    V last[R];  // read before anything is written: y may be x
    TENSORNORM_UNROLL
    for (int row = 0; row < R; ++row) {
      c[row] = splat<V>(row);
      last[row] = scan.template read<V>(row, end - V::size);
    }
    index i = begin;
    const bool aligned_stores = R == 1 && past_cache;
    if (aligned_stores) {
      const auto over = reinterpret_cast<std::uintptr_t>(y[0] + begin) % (V::size * sizeof(T));
      if (over != 0) {
        store(finish(Formula::apply(scan.template read<V>(0, i), c[0]), i), y[0] + i);
        i += V::size - static_cast<index>(over / sizeof(T));
      }
    }
    for (; i + V::size <= end; i += V::size) {
      if (aligned_stores && i % lane_count < V::size) scan.ahead.lines(scan.lines_per_block);
      TENSORNORM_UNROLL
      for (int row = 0; row < R; ++row) {
        const V v = finish(Formula::apply(scan.template read<V>(row, i), c[row]), i);
        if (aligned_stores)
          stream(v, y[row] + i);
        else
          store(v, y[row] + i);
      }
    }
    if (i == end) return;
    TENSORNORM_UNROLL
    for (int row = 0; row < R; ++row)
      store(finish(Formula::apply(last[row], c[row]), end - V::size), y[row] + end - V::size);
  }

  template <class Finish>
  TENSORNORM_INLINE void run_single(index begin, index end, const Finish& finish) const {
    using one = vec<typename V::isa, compute, 1>;
    TENSORNORM_UNROLL
    for (int row = 0; row < R; ++row) {
      const row_constants<one> c = splat<one>(row);
      for (index i = begin; i < end; ++i)
        store(finish(Formula::apply(scan.template read<one>(row, i), c), i), y[row] + i);
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
