// 1x1 convolutions: every position of an image has its channels multiplied by one matrix. The products are
// those of attention, with positions side by side in lanes.
#pragma once

#include "operands.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// y[n][o][p] = bias[o] + Σ_c weight[o][c] · x[n][c][p]; positions of a channel lie side by side. bias may be
/// null. x and y do not overlap.
template <class T>
struct projection_problem {
  using data_type = T;
  using compute = compute_t<T>;

  index batch = 0;
  index in = 0;
  index out = 0;
  index positions = 0;
  const T* x = nullptr;
  const compute* weight = nullptr;  // out x in
  const compute* bias = nullptr;
  T* y = nullptr;

  /// Units whose inputs are kept at once: each row of the weight, which comes from far, serves all of them.
  /// They fill half of the second level of the cache where that is small.
  index together(index lanes) const {
    constexpr index most = 8, bytes = 512 << 10;
    const index fit = bytes / (in * lanes * static_cast<index>(sizeof(compute)) + 1);
    return fit < 1 ? 1 : fit < most ? fit : most;
  }
  index memory(index lanes) const {
    using arena = memory_arena<compute>;
    return together(lanes) * arena::padded(in * lanes) + arena::padded(row_block * lanes);
  }
};

/// Units are blocks of positions, image after image.
struct project_kernel {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    const index blocks = ceil_div(p.positions, width<Isa, P>);
    const index together = p.together(width<Isa, P>);
    for (index unit = first; unit < last;) {
      const index in_image = blocks - unit % blocks;
      const index left = in_image < last - unit ? in_image : last - unit;
      const index count = ceil_div(left, ceil_div(left, together));
      project<Isa>(p, unit / blocks, unit % blocks, count, memory);
      unit += count;
    }
  }

 private:
  template <class Isa, class P>
  static constexpr index width = query_lanes<Isa, typename P::compute>;

  /// Positions side by side.
  struct position_block {
    index first;
    index count;
    index lanes;  // up to a multiple of the vector size
  };
  /// Block n of an image: all have as many vectors, or one less.
  template <class Isa, class P>
  static TENSORNORM_INLINE position_block block_of(const P& p, index n) {
    constexpr index size = vec_size<Isa, typename P::compute>;
    const index blocks = ceil_div(p.positions, width<Isa, P>);
    const index vectors = ceil_div(p.positions, size);
    const index first = n * vectors / blocks * size;
    const index end = (n + 1) * vectors / blocks * size;
    return {first, (end < p.positions ? end : p.positions) - first, end - first};
  }

  /// Blocks [first, first + count) of an image.
  template <class Isa, class P>
  static TENSORNORM_INLINE void project(const P& p, index image, index first, index count,
                                        typename P::compute* memory) {
    using T = typename P::compute;
    using V = native_vec<Isa, T>;
    memory_arena<T> arena{memory};
    T* const outputs = arena.take(row_block * width<Isa, P>);
    T* const inputs = arena.next;
    const index step = memory_arena<T>::padded(p.in * width<Isa, P>);
    for (index n = 0; n < count; ++n) {
      const position_block at = block_of<Isa>(p, first + n);
      pack_lanes<Isa>(
          head_view<const typename P::data_type>{p.x + image * p.in * p.positions, 1, p.positions}, at.first,
          at.count, p.in, inputs + n * step, at.lanes);
    }
    for (index row = 0; row < p.out; row += row_block) {
      const index rows = p.out - row < row_block ? p.out - row : row_block;
      for (index n = 0; n < count; ++n) {
        const position_block at = block_of<Isa>(p, first + n);
        auto product =
            product_in_lanes<Isa>(weight_rows(p, row), rows, inputs + n * step, p.in, outputs, at.lanes);
        auto* const y = p.y + (image * p.out + row) * p.positions + at.first;
        product.ahead = rows_ahead::of(y, p.positions, rows, 1, at.count);
        if (n + 1 == count && row + rows < p.out)
          product.ahead = product.ahead.then(first_depths(p, row + rows));
        multiply<Isa>(product);
        write<V>(p, y, row, rows, at.count, outputs, at.lanes);
      }
    }
  }

  template <class P>
  static auto weight_rows(const P& p, index row) {
    return broadcast_matrix<typename P::compute>{p.weight + row * p.in, p.in, 1};
  }
  /// What the product of the rows from `row` on begins with.
  template <class P>
  static TENSORNORM_INLINE rows_ahead first_depths(const P& p, index row) {
    const index rows = p.out - row < row_block ? p.out - row : row_block;
    return rows_ahead::of(p.weight + row * p.in, p.in, rows, 1, p.in < depth_block ? p.in : depth_block);
  }

  template <class V, class P, class T>
  static TENSORNORM_INLINE void write(const P& p, typename P::data_type* y, index row, index rows,
                                      index count, const T* outputs, index lanes) {
    for (index o = 0; o < rows; ++o) {
      const V bias = V::splat(p.bias ? p.bias[row + o] : T{0});
      auto* const to = y + o * p.positions;
      for (index i = 0; i < count; i += V::size) {
        const V value = V::load(outputs + o * lanes + i) + bias;
        if (i + V::size <= count)
          store(value, to + i);
        else
          store_first(value, to + i, static_cast<int>(count - i));
      }
    }
  }
};

template <class P>
index projection_units(const P& p, isa_level level = active_isa()) {
  return p.batch * ceil_div(p.positions, query_lanes_at<typename P::compute>(level));
}

/// Projects units [first, last). memory holds p.memory(query_lanes_at()) numbers, at a multiple of 64.
template <class P>
void project(const P& p, index first, index last, typename P::compute* memory,
             isa_level level = active_isa()) {
  dispatch_at<project_kernel>(level, p, first, last, memory);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
