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

/// Reads a tile of rows, one for each lane. Of the lanes, `count` have a row; the others repeat zero.
template <class Isa, class T, int K, bool Rescaled>
struct column_scan {
  using compute = compute_t<T>;
  using V = native_vec<Isa, compute>;
  using rows = tile<V, K>;
  static constexpr bool is_rescaled = Rescaled;

  const T* x;
  element_offset offset;
  int count;
  rows scale;
  mutable bool read_ahead;

  TENSORNORM_INLINE rows read(index i) const {
    const T* p = x + offset(i);
    if (read_ahead) {
      TENSORNORM_UNROLL
      for (int line = 0; line < rows::size * static_cast<int>(sizeof(T)); line += 64)
        prefetch<cache_level::second>(reinterpret_cast<const char*>(p + rows::size) + line);
    }
    rows value;
    if (K > 1 || (count == rows::size && offset.strides.inner == 1)) {
      value = load_lanes<rows>(p);
    } else {
      T buffer[rows::size];
      gather(p, buffer);
      value = load_lanes<rows>(buffer);
    }
    if constexpr (Rescaled)
      return value * scale;
    else
      return value;
  }

  /// As contiguous_scan::reduce, for a tile of rows: the 64 sums of a row, then their tree.
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> reduce(index begin, index end, const rows& shift) const {
    const auto result = reduce_blocks<Reducer<rows>>(begin, end, [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
      return reduce_block<Reducer>(first, last, shift);
    });
    read_ahead = false;
    return result;
  }

 private:
  /// Lanes l, l + 32, l + 16 and l + 48 meet in registers; these fours meet in the order of the
  /// tree, which takes the bits of l from the highest to the lowest.
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> reduce_block(index begin, index end, const rows& shift) const {
    return pairwise<Reducer<rows>, 5>(16, [&](index four) TENSORNORM_INLINE_LAMBDA {
      const index l = (four & 1) << 3 | (four & 2) << 1 | (four & 4) >> 1 | (four & 8) >> 3;
      Reducer<rows> low = lane<Reducer>(begin, end, l, shift);
      low.merge(lane<Reducer>(begin, end, l + 32, shift));
      Reducer<rows> high = lane<Reducer>(begin, end, l + 16, shift);
      high.merge(lane<Reducer>(begin, end, l + 48, shift));
      low.merge(high);
      return low;
    });
  }

  /// What lane l of a contiguous row would hold: every 64th element, and one of the tail, which fills
  /// the last lanes.
  template <template <class> class Reducer>
  TENSORNORM_INLINE Reducer<rows> lane(index begin, index end, index l, const rows& shift) const {
    Reducer<rows> state = Reducer<rows>::start(shift);
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

  /// Gathers one element of each row. Not inlined: the slow way, for rows that no load can take.
  TENSORNORM_NOINLINE void gather(const T* p, T* buffer) const {
    for (int c = 0; c < rows::size; ++c) buffer[c] = c < count ? p[c * offset.strides.inner] : T{};
  }
};

/// The parts that the kernels for columns share. A unit of work is a tile of rows side by side.
template <class Formula, class Isa>
struct column_tiles {
  template <int K, bool Rescaled, class P>
  static TENSORNORM_INLINE auto scan(const P& p, index outer, index column, int count) {
    using type = column_scan<Isa, typename P::data_type, K, Rescaled>;
    return type{p.x + outer * p.x_strides.outer + column * p.x_strides.inner, {p.rows, p.x_strides}, count,
                type::rows::splat(1), false};
  }

  template <class Scan, class P, class Constants>
  static TENSORNORM_INLINE void write(const Scan& s, const P& p, index outer, index column, const Constants& c) {
    if (p.rstd)
      for (int lane = 0; lane < s.count; ++lane) save(p, outer * p.rows.inner + column + lane, c, s.scale, lane);
    const element_offset offset{p.rows, p.y_strides};
    auto* const y = p.y + outer * p.y_strides.outer + column * p.y_strides.inner;
    const index first = p.parameters.per_block ? outer % p.parameters.groups * p.rows.blocks : 0;
    with_affine<Formula>(p, [&](const auto& affine) TENSORNORM_INLINE_LAMBDA {
      const index n = p.rows.size();
      for (index i = 0; i < n; ++i) {
        const index parameter = p.parameters.per_block ? first + i / p.rows.run : i;
        put(affine.shared(parameter)(Formula::apply(s.read(i), c)), y + offset(i), p.y_strides.inner, s.count);
      }
    });
  }

 private:
  template <class V, int K, class T>
  static TENSORNORM_INLINE void put(const tile<V, K>& value, T* y, index stride, int count) {
    if (K > 1 || (count == V::size && stride == 1)) {
      TENSORNORM_UNROLL
      for (int k = 0; k < K; ++k) store(value.part[k], y + k * V::size);
    } else {
      T buffer[V::size];
      store(value.part[0], buffer);
      for (int c = 0; c < count; ++c) y[c * stride] = buffer[c];
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
