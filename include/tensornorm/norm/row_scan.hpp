// Reads rows whose elements lie side by side, in registers along the row, several rows at a time.
#pragma once

#include "../reduce/reduce.hpp"
#include "problem.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Brings the rows that come next closer while these are worked on, some lines at each step.
struct read_ahead {
  const char* next = nullptr;  // null: leave it to the machine
  bool near = false;           // to the first-level cache, else to the second

  TENSORNORM_INLINE void lines(int count) {
    if (!next) return;
    for (int n = 0; n < count; ++n) {
      if (near)
        prefetch<cache_level::first>(next + n * 64);
      else
        prefetch<cache_level::second>(next + n * 64);
    }
    next += count * 64;
  }
};

/// R contiguous rows. Rescaled rows are multiplied by a power of two as they are read.
template <class Isa, class T, int R, bool Rescaled>
struct row_scan {
  using compute = compute_t<T>;
  using rows = vec<Isa, compute, R>;  // a number for each row
  using lanes = row_lanes<Isa, compute>;
  using V = native_vec<Isa, compute>;
  static constexpr bool is_rescaled = Rescaled;

  const T* x[R];
  rows scale;
  mutable read_ahead ahead;
  int lines_per_row;  // to read ahead while 64 elements of a row are read

  /// L::size elements of a row, from p on.
  template <class L>
  TENSORNORM_INLINE L read(int row, const T* p) const {
    const L value = load_lanes<L>(p);
    if constexpr (Rescaled)
      return value * L::splat(scale[row]);
    else
      return value;
  }

  /// Reduces elements [begin, end) of each row. end - begin is at most chunk_length; begin is a
  /// multiple of it.
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> reduce(index begin, index end, const rows& shift) const {
    // As many rows together as leave registers to work with.
    constexpr int fit = 16 / (lane_count / V::size * Reducer<lanes>::count);
    constexpr int group = fit < 1 ? 1 : fit < R ? fit : R;
    return reduce_blocks<Reducer<rows>>(begin, end, [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
      Reducer<rows> result = Reducer<rows>::start(shift);
      TENSORNORM_UNROLL
      for (int row = 0; row < R; row += group) reduce_rows<group>(row, first, last, shift, result);
      return result;
    });
  }

 private:
  /// The folded states of rows [first, first + Group), into result.
  template <int Group, template <class> class Reducer>
  TENSORNORM_INLINE void reduce_rows(int first, index begin, index end, const rows& shift,
                                     Reducer<rows>& result) const {
    Reducer<lanes> state[Group];
    const T* p[Group];
    TENSORNORM_UNROLL
    for (int r = 0; r < Group; ++r) {
      p[r] = x[first + r];
      state[r] = Reducer<lanes>::start(lanes::splat(shift[first + r]));
    }
    index i = begin;
    for (; i + lane_count <= end; i += lane_count) {
      ahead.lines(lines_per_row * Group);
      TENSORNORM_UNROLL
      for (int r = 0; r < Group; ++r) state[r].absorb(read<lanes>(first + r, p[r] + i));
    }
    if (i < end) {
      TENSORNORM_UNROLL
      for (int r = 0; r < Group; ++r) state[r].absorb(tail(first + r, p[r], i, end, state[r].pad()));
    }
    TENSORNORM_UNROLL
    for (int r = 0; r < Group; ++r) {
      const auto folded = fold(state[r]);
      TENSORNORM_UNROLL
      for (int s = 0; s < Reducer<rows>::count; ++s) result.state[s].set(first + r, folded.state[s][0]);
    }
  }

  /// Elements [begin, end), fewer than 64, in the last lanes; pad in the others.
  TENSORNORM_INLINE lanes tail(int row, const T* p, index begin, index end, const lanes& pad) const {
    const int first = lane_count - static_cast<int>(end - begin);
    if (end >= lane_count) return lanes_from(first, read<lanes>(row, p + end - lane_count), pad);
    compute buffer[lane_count];
    TENSORNORM_UNROLL
    for (int k = 0; k < lane_count / V::size; ++k) pad.part[k].store(buffer + k * V::size);
    if (end >= V::size) {
      TENSORNORM_UNROLL
      for (int i = 0; i < lane_count - V::size; i += V::size)
        if (i + V::size <= end) read<V>(row, p + i).store(buffer + first + i);
      read<V>(row, p + end - V::size).store(buffer + lane_count - V::size);
    } else {
      for (index i = 0; i < end; ++i) read<vec<Isa, compute, 1>>(row, p + i).store(buffer + first + i);
    }
    return load_lanes<lanes>(buffer);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
