// Reads rows whose elements lie side by side, in registers along the row, some rows at a time.
#pragma once

#include <type_traits>

#include "../reduce/reduce.hpp"
#include "problem.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Elements [begin, end) of a row, fewer than 64, in the last lanes, and pad in the others:
/// read.operator()<L>(i) gives L::size elements from i on.
template <class Lanes, class Read>
TENSORNORM_INLINE Lanes last_lanes(index begin, index end, const Lanes& pad, const Read& read) {
  using V = std::remove_cvref_t<decltype(pad.part[0])>;
  using compute = typename V::scalar;
  const int first = lane_count - static_cast<int>(end - begin);
  if (end >= lane_count) return lanes_from(first, read.template operator()<Lanes>(end - lane_count), pad);
  compute buffer[lane_count];
  TENSORNORM_UNROLL
  for (int k = 0; k < lane_count / V::size; ++k) pad.part[k].store(buffer + k * V::size);
  if (end >= V::size) {
    TENSORNORM_UNROLL
    for (int i = 0; i < lane_count - V::size; i += V::size)
      if (i + V::size <= end) read.template operator()<V>(i).store(buffer + first + i);
    read.template operator()<V>(end - V::size).store(buffer + lane_count - V::size);
  } else {
    for (index i = 0; i < end; ++i)
      read.template operator()<vec<typename V::isa, compute, 1>>(i).store(buffer + first + i);
  }
  return load_lanes<Lanes>(buffer);
}

/// A few contiguous rows; lanes without a row repeat the last. Rescaled rows are multiplied by a power
/// of two as they are read.
template <class Isa, class T, bool Rescaled>
struct row_scan {
  using compute = compute_t<T>;
  using V = native_vec<Isa, compute>;
  // A number for each row. Not wider: rows are few, and division and root take twice as long.
  using rows = vec<Isa, compute, (Isa::bytes < 32 ? Isa::bytes : 32) / static_cast<int>(sizeof(compute))>;
  using lanes = row_lanes<Isa, compute>;
  static constexpr bool is_rescaled = Rescaled;

  const T* x[rows::size];
  int count;
  rows scale;

  /// L::size elements of a row, from p on.
  template <class L>
  TENSORNORM_INLINE L read(int row, const T* p) const {
    const L value = load_lanes<L>(p);
    if constexpr (Rescaled)
      return value * L::splat(scale[row]);
    else
      return value;
  }

  /// Reduces elements [begin, end) of each row, at most a block. The rows are taken one after the other,
  /// so that the machine adds up the lanes of one while it reads the next.
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> reduce_block(index begin, index end, const rows& shift) const {
    compute shifts[rows::size];
    shift.store(shifts);
    Reducer<rows> result = Reducer<rows>::start(shift);
    for (int row = 0; row < count; ++row) {
      const auto state = fold(reduce_row<Reducer>(row, begin, end, shifts[row]));
      // Into the lanes of this row and of those to come. Not by way of memory: a register loaded from
      // what was stored piece by piece waits for every store before.
      const auto lanes_left = lanes_from<rows>(row);
      TENSORNORM_UNROLL
      for (int s = 0; s < Reducer<rows>::count; ++s)
        result.state[s] = select(lanes_left, rows::splat(state.state[s][0]), result.state[s]);
    }
    return result;
  }

 private:
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<lanes> reduce_row(int row, index begin, index end, compute shift) const {
    const T* const p = x[row];
    Reducer<lanes> state = Reducer<lanes>::start(lanes::splat(shift));
    index i = begin;
    for (; i + lane_count <= end; i += lane_count) {
      state.absorb(read<lanes>(row, p + i));
    }
    if (i < end)
      state.absorb(last_lanes<lanes>(i, end, state.pad(), [&]<class L>(index k) TENSORNORM_INLINE_LAMBDA {
        return this->template read<L>(row, p + k);
      }));
    return state;
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
