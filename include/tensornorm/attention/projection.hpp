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
    return memory_arena<compute>::padded(in * lanes) + memory_arena<compute>::padded(out * lanes);
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
    T* const outputs = arena.take(p.out * width);
    const index blocks = ceil_div(p.positions, width);
    for (index unit = first; unit < last; ++unit) {
      const index image = unit / blocks;
      const index from = unit % blocks * width;
      const index count = p.positions - from < width ? p.positions - from : width;
      const index lanes = ceil_div(count, V::size) * V::size;
      pack_lanes<Isa>(
          head_view<const typename P::data_type>{p.x + image * p.in * p.positions, 1, p.positions}, from,
          count, p.in, inputs, lanes);
      multiply<Isa>(product_problem<T>{{p.weight, p.in, 1},
                                       p.out,
                                       inputs,
                                       lanes,
                                       p.in,
                                       outputs,
                                       lanes,
                                       static_cast<int>(lanes / V::size)});
      write<V>(p, image, from, count, outputs, lanes);
    }
  }

 private:
  template <class V, class P, class T>
  static TENSORNORM_INLINE void write(const P& p, index image, index from, index count, const T* outputs,
                                      index lanes) {
    for (index o = 0; o < p.out; ++o) {
      const V bias = V::splat(p.bias ? p.bias[o] : T{0});
      auto* const to = p.y + (image * p.out + o) * p.positions + from;
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
