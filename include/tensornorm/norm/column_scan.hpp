// Rows that lie across memory: channels of N,C,H,W, the rows of a column-major matrix, short or
// strided rows. Each lane of a register belongs to another row, and steps through its elements in
// the very order of a contiguous row, so that the bits are the same.
#pragma once

#include "parameters.hpp"
#include "rescale.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Where element i of a row lies, from its first.
struct element_offset {
  rows_shape rows;
  rows_strides strides;

  TENSORNORM_INLINE index operator()(index i) const {
    if (rows.blocks == 1) return i * strides.element;
    return i / rows.run * strides.block + i % rows.run * strides.element;
  }
};

/// What lane l of a contiguous row would hold of elements [begin, end): every 64th, and one of the tail,
/// which fills the last lanes. read(i) gives element i of all the rows.
template <class State, class Read>
TENSORNORM_INLINE State column_lane(index begin, index end, index l, const State& start, const Read& read) {
  State state = start;
  const index tail = end - (end - begin) % lane_count;
  const index last = end - lane_count + l;
  for (index i = begin + l;; i += lane_count) {
    if (i >= tail) {
      if (last < tail) break;
      i = last;
    }
    state.absorb(read(i));
    if (i >= tail) break;
  }
  return state;
}

/// The 64 sums of a row, then their tree, at most a block. Lanes l, l + 32, l + 16 and l + 48 meet in
/// registers; these fours meet in the order of the tree, which takes the bits of l from the highest to the
/// lowest.
template <class State, class Read>
TENSORNORM_INLINE State reduce_columns(index begin, index end, const State& start, const Read& read) {
  return pairwise<State, 5>(16, [&](index four) TENSORNORM_INLINE_LAMBDA {
    const index l = (four & 1) << 3 | (four & 2) << 1 | (four & 4) >> 1 | (four & 8) >> 3;
    State low = column_lane(begin, end, l, start, read);
    low.merge(column_lane(begin, end, l + 32, start, read));
    State high = column_lane(begin, end, l + 16, start, read);
    high.merge(column_lane(begin, end, l + 48, start, read));
    low.merge(high);
    return low;
  });
}

/// Reads a tile of rows, one for each lane. Several registers of them are full and side by side in
/// memory; in a single register, lanes from `count` on have no row.
template <class Isa, class T, int K, bool Rescaled>
struct column_scan {
  using compute = compute_t<T>;
  using V = native_vec<Isa, compute>;
  using rows = tile<V, K>;
  static constexpr bool is_rescaled = Rescaled;

  const T* x;  // of lane 0
  element_offset offset;
  int count;
  rows scale;

  TENSORNORM_INLINE rows read(index i) const {
    const T* const p = x + offset(i);
    const rows value = rows::make([&](int k) TENSORNORM_INLINE_LAMBDA {
      if constexpr (K > 1)
        return load<V>(p + k * V::size);
      else
        return some(p);
    });
    if constexpr (Rescaled)
      return value * scale;
    else
      return value;
  }

  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> reduce_block(index begin, index end, const rows& shift) const {
    return reduce_columns(begin, end, Reducer<rows>::start(shift),
                          [&](index i) TENSORNORM_INLINE_LAMBDA { return read(i); });
  }

 private:
  /// As many rows as there are, zeros in the other lanes.
  TENSORNORM_INLINE V some(const T* p) const {
    if (offset.strides.inner == 1) return count == V::size ? load<V>(p) : load_first<V>(p, count);
    T buffer[V::size] = {};
    for (int c = 0; c < count; ++c) buffer[c] = p[c * offset.strides.inner];
    return load<V>(buffer);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
