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

  index memory(index lanes) const {
    return memory_arena<compute>::padded(in * lanes) + memory_arena<compute>::padded(row_block * lanes);
  }
};

/// Units are blocks of positions, image after image.
struct project_kernel {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    using T = typename P::compute;
    using V = native_vec<Isa, T>;
    constexpr index width = query_lanes<Isa, T>;
    memory_arena<T> arena{memory};
    T* const inputs = arena.take(p.in * width);
    T* const outputs = arena.take(row_block * width);
    const index blocks = ceil_div(p.positions, width);
    for (index unit = first; unit < last; ++unit) {
      const index image = unit / blocks;
      const index from = unit % blocks * width;
      const index count = p.positions - from < width ? p.positions - from : width;
      const index lanes = ceil_div(count, V::size) * V::size;
      pack_lanes<Isa>(
          head_view<const typename P::data_type>{p.x + image * p.in * p.positions, 1, p.positions}, from,
          count, p.in, inputs, lanes);
      for (index row = 0; row < p.out; row += row_block) {
        const index rows = p.out - row < row_block ? p.out - row : row_block;
        auto product = product_in_lanes<Isa>(weight_rows(p, row), rows, inputs, p.in, outputs, lanes);
        auto* const y = p.y + (image * p.out + row) * p.positions + from;
        product.ahead = rows_ahead::of(y, p.positions, rows, 1, count);
        if (row + rows < p.out) product.ahead = product.ahead.then(first_depths(p, row + rows));
        multiply<Isa>(product);
        write<V>(p, y, row, rows, count, outputs, lanes);
      }
    }
  }

 private:
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
