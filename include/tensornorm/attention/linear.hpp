// Linear layers over tokens on the products of attention: y = x · Wᵀ + b, and the gradients of x, W and b.
#pragma once

#include "../reduce/array_sums.hpp"
#include "gradient_block.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Numbers of tokens: element (token, channel) at data[token * step + channel].
template <class T>
struct token_rows {
  T* data;
  index step;

  head_view<T> view() const { return {data, step, 1}; }
};

/// y(t, o) = bias[o] + Σ_c weight(o, c) · x(t, c), or that added to what y holds. bias may be null.
template <class S, class R>
struct linear_problem {
  using compute = compute_t<S>;

  index tokens = 0;
  index in = 0;
  index out = 0;
  token_rows<const S> x{nullptr, 0};
  broadcast_matrix<compute> weight{nullptr, 0, 0};  // rows are channels of y
  const compute* bias = nullptr;
  token_rows<R> y{nullptr, 0};
  bool accumulate = false;

  /// Channels of y to a unit: one token keeps several threads busy.
  static constexpr index unit_rows = 256;

  index row_blocks() const { return ceil_div(out, unit_rows); }
  index memory(index lanes) const {
    using arena = memory_arena<compute>;
    const index rows = out < unit_rows ? out : unit_rows;
    return arena::padded(in * lanes) + 2 * arena::padded(rows * lanes) + arena::padded(lanes);
  }
};

/// Units are blocks of channels of y, block of tokens after block of tokens.
struct linear_kernel {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    using T = typename P::compute;
    using V = native_vec<Isa, T>;
    constexpr index width = query_lanes<Isa, T>;
    memory_arena<T> arena{memory};
    const index most_rows = p.out < P::unit_rows ? p.out : P::unit_rows;
    T* const inputs = arena.take(p.in * width);
    T* const outputs = arena.take(most_rows * width);
    T* const old = arena.take(most_rows * width);
    T* const ones = arena.take(width);
    std::fill_n(ones, width, T{1});
    index packed = -1;
    for (index unit = first; unit < last; ++unit) {
      const index block = unit / p.row_blocks();
      const index from = block * width;
      const index count = p.tokens - from < width ? p.tokens - from : width;
      const index lanes = ceil_div(count, V::size) * V::size;
      if (block != packed) pack_lanes<Isa>(p.x.view(), from, count, p.in, inputs, lanes);
      packed = block;
      const index row = unit % p.row_blocks() * P::unit_rows;
      const index rows = p.out - row < P::unit_rows ? p.out - row : P::unit_rows;
      const broadcast_matrix<T> weight{p.weight.data + row * p.weight.row_step, p.weight.row_step,
                                       p.weight.depth_step};
      multiply<Isa>(product_in_lanes<Isa>(weight, rows, inputs, p.in, outputs, lanes));
      auto y = p.y.view();
      y.data += row;
      if (p.accumulate) {
        using R = std::remove_pointer_t<decltype(y.data)>;
        pack_lanes<Isa>(head_view<const R>{y.data, y.token_step, 1}, from, count, rows, old, lanes);
      }
      for (index o = 0; o < rows; ++o)
        for (index lane = 0; lane < lanes; lane += V::size) {
          T* const place = outputs + o * lanes + lane;
          V value = V::load(place);
          if (p.bias) value = value + V::splat(p.bias[row + o]);
          if (p.accumulate) value = value + V::load(old + o * lanes + lane);
          value.store(place);
        }
      unpack_lanes<Isa>(static_cast<const T*>(outputs), lanes, static_cast<const T*>(ones), y, from, count,
                        rows);
    }
  }
};

template <class P>
index linear_units(const P& p, isa_level level = active_isa()) {
  return ceil_div(p.tokens, query_lanes_at<typename P::compute>(level)) * p.row_blocks();
}

/// Gradients of weight and bias:  weight(o, c) += Σ_t dy(t, o) · x(t, c),  bias[o] += Σ_t dy(t, o). W is the
/// scalar type of the parameters, whose gradients are rounded once. bias may be null.
template <class S, class W>
struct linear_gradient_problem {
  using compute = compute_t<S>;

  index tokens = 0;
  index in = 0;
  index out = 0;
  token_rows<const S> x{nullptr, 0};
  token_rows<const S> dy{nullptr, 0};
  token_rows<W> weight{nullptr, 0};
  W* bias = nullptr;

  /// Rows of the weight to a unit, and tokens to a product.
  static constexpr index unit_rows = 64;
  static constexpr index together = depth_block;

  index sums_length() const { return unit_rows * (padded_dim<compute>(in) + 1); }
  index levels() const {
    index count = 1;
    for (index n = ceil_div(tokens, together * gradient_chain); n > 1; n = ceil_div(n, 2)) ++count;
    return count;
  }
  index memory() const {
    using arena = memory_arena<compute>;
    return arena::padded(levels() * sums_length()) + arena::padded(together * padded_dim<compute>(in)) +
           arena::padded(together * unit_rows);
  }
  index units() const { return ceil_div(out, unit_rows); }
};

/// Units are rows of the weight. The order of the sums is that of the tokens, whoever works on what.
struct linear_gradient_kernel {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    using T = typename P::compute;
    memory_arena<T> arena{memory};
    T* const sums = arena.take(p.levels() * p.sums_length());
    T* const inputs = arena.take(P::together * padded_dim<T>(p.in));
    T* const gradients = arena.take(P::together * P::unit_rows);
    for (index unit = first; unit < last; ++unit) {
      const index row = unit * P::unit_rows;
      const index rows = p.out - row < P::unit_rows ? p.out - row : P::unit_rows;
      pending_sums<Isa, T> tree(sums, sums + p.sums_length(), p.sums_length());
      index t = 0;
      do {
        T* const chain = tree.next_zeros();
        for (index n = 0; n < gradient_chain && t < p.tokens; ++n, t += P::together)
          add<Isa>(p, row, rows, t, p.tokens - t < P::together ? p.tokens - t : P::together, inputs,
                   gradients, chain);
        tree.done();
      } while (t < p.tokens);
      tree.finish();
      write(p, row, rows, sums);
    }
  }

 private:
  template <class Isa, class P, class T>
  static TENSORNORM_INLINE void add(const P& p, index row, index rows, index t, index count, T* inputs,
                                    T* gradients, T* sums) {
    const index columns = padded_dim<T>(p.in);
    pack_padded_rows<Isa>(p.x.view(), t, count, p.in, inputs);
    const auto dy = p.dy.view();
    pack_padded_rows<Isa>(decltype(dy){dy.data + row, dy.token_step, 1}, t, count, rows, gradients);
    const index step = padded_dim<T>(rows);
    multiply_wide<Isa>(
        product_problem<T>{
            {gradients, 1, step}, rows, inputs, columns, count, sums, columns, tile_vectors, meet::add},
        columns);
    T bias[static_cast<std::size_t>(P::unit_rows)] = {};
    for (index i = 0; i < count; ++i)
      for (index r = 0; r < rows; ++r) bias[r] += gradients[i * step + r];
    for (index r = 0; r < rows; ++r) sums[P::unit_rows * columns + r] += bias[r];
  }

  template <class P, class T>
  static TENSORNORM_INLINE void write(const P& p, index row, index rows, const T* sums) {
    const index columns = padded_dim<T>(p.in);
    for (index r = 0; r < rows; ++r) {
      auto* const to = p.weight.data + (row + r) * p.weight.step;
      for (index c = 0; c < p.in; ++c) add_to(to[c], sums[r * columns + c]);
    }
    if (!p.bias) return;
    for (index r = 0; r < rows; ++r) add_to(p.bias[row + r], sums[P::unit_rows * columns + r]);
  }
  template <class W, class T>
  static TENSORNORM_INLINE void add_to(W& to, T sum) {
    using wide = std::conditional_t<(sizeof(W) > sizeof(T)), W, T>;
    to = narrow<W>(widen<wide>(to) + static_cast<wide>(sum));
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
