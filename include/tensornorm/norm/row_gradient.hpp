// The gradients of one contiguous row.
#pragma once

#include <cstdint>

#include "gradient_problem.hpp"
#include "row_write.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// A weight for each element, stored as it is or minus one, or none at all.
template <class T, class W>
struct element_weight {
  const W* weight;
  compute_t<T> offset;

  template <class L>
  TENSORNORM_INLINE L times(const L& dy, index i) const {
    if (!weight) return dy;
    return kernel::times(dy, load_lanes<L>(weight + i) + L::splat(offset));
  }
};

/// One weight for all elements.
template <class T>
struct same_weight {
  compute_t<T> weight;

  template <class L>
  TENSORNORM_INLINE L times(const L& dy, index) const {
    return kernel::times(dy, L::splat(weight));
  }
};

struct no_weight {
  template <class L>
  TENSORNORM_INLINE L times(const L& dy, index) const {
    return dy;
  }
};

/// The weight of block or element i of a row that is not each element's own.
template <class P>
TENSORNORM_INLINE same_weight<typename P::data_type> weight_of(const P& p, index i) {
  using compute = typename P::compute;
  return {p.weight ? widen<compute>(p.weight[i]) + compute(p.weight_plus_one ? 1 : 0) : compute(1)};
}

/// What the gradient of x is made of:  dx = r · (g − mean_g − direction · slope).
template <class L>
struct gradient_constants {
  row_constants<L> row;
  L mean_g;
  L slope;

  template <class Formula>
  TENSORNORM_INLINE L dx(const L& x, const L& g) const {
    const L rest = Formula::subtracts_mean ? g - mean_g : g;
    return times(row.rstd, fma(L::splat(0) - Formula::direction(x, row), slope, rest));
  }
};

/// The constants of a row whose Σ g and Σ g·x̂ are known.
template <class L>
TENSORNORM_INLINE gradient_constants<L> gradient_constants_of(const row_constants<L>& row,
                                                              const gradient_sums<L>& sums, index n,
                                                              index correction) {
  using T = typename L::scalar;
  return {row, sums.state[0] / L::splat(static_cast<T>(n)),
          sums.state[1] / L::splat(static_cast<T>(n - correction))};
}

/// One row, or a run of its elements. Null outputs are not wanted.
template <class Formula, class Isa, class P>
struct row_gradient {
  using T = typename P::data_type;
  using compute = typename P::compute;
  using V = native_vec<Isa, compute>;
  using piece = vec<Isa, compute, 16 / static_cast<int>(sizeof(T))>;
  using one = vec<Isa, compute, 1>;
  using lanes = row_lanes<Isa, compute>;

  const T* x;
  const T* dy;
  T* dx;
  const T* addend;
  T* branch;
  compute alpha;
  compute* weight_sums;
  compute* bias_sums;

  TENSORNORM_INLINE row_gradient(const P& p, index row)
      : x(p.x + row_offset(p.rows, p.x_strides, row)),
        dy(p.dy + row_offset(p.rows, p.dy_strides, row)),
        dx(p.dx ? p.dx + row_offset(p.rows, p.dx_strides, row) : nullptr),
        addend(p.addend ? p.addend + row_offset(p.rows, p.addend_strides, row) : nullptr),
        branch(p.branch ? p.branch + row_offset(p.rows, p.branch_strides, row) : nullptr),
        alpha(static_cast<compute>(p.alpha)),
        weight_sums(nullptr),
        bias_sums(nullptr) {}

  /// Moves on to a run of elements.
  TENSORNORM_INLINE void move(index elements) {
    x += elements;
    dy += elements;
    if (dx) dx += elements;
    if (addend) addend += elements;
    if (branch) branch += elements;
  }

  /// Σ g and Σ g·x̂ of the first n elements.
  template <class Weight>
  TENSORNORM_INLINE gradient_sums<one> sums(const Weight& weight, const row_constants<one>& c,
                                            index n) const {
    const row_constants<lanes> constants = splat<lanes>(c);
    return reduce_row<gradient_sums<one>>(n, [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
      auto state = gradient_sums<lanes>::start();
      index i = first;
      for (; i + lane_count <= last; i += lane_count)
        state.absorb(pair(weight, constants, i, load_lanes<lanes>(x + i), load_lanes<lanes>(dy + i)));
      if (i < last) {
        const lanes zero = lanes::splat(0);
        const lanes normalized = Formula::apply(tail(x, i, last), constants);
        const lanes g = last_lanes<lanes>(i, last, zero, [&]<class L>(index k) TENSORNORM_INLINE_LAMBDA {
          return weight.template times<L>(load_lanes<L>(dy + k), k);
        });
        const int empty = lane_count - static_cast<int>(last - i);
        state.absorb({g, lanes_from(empty, normalized, zero)});
      }
      return fold(state);
    });
  }

  /// Writes what is wanted of the first n elements, past the cache if `past_cache`.
  template <class Weight>
  TENSORNORM_INLINE void write(const Weight& weight, const gradient_constants<one>& c, index n,
                               bool past_cache, read_ahead* ahead) const {
    index i = 0;
    if (past_cache) {
      const index to_piece = unaligned(0, piece::size);
      run<one, false>(weight, c, i, to_piece < n ? to_piece : n);
      const index to_whole = i + unaligned(i, V::size);
      if (to_whole + V::size <= n) run<piece, true>(weight, c, i, to_whole);
      run<V, true>(weight, c, i, n, ahead);
      run<piece, true>(weight, c, i, n);
    } else {
      run<V, false>(weight, c, i, n);
      if constexpr (V::size > piece::size) run<piece, false>(weight, c, i, n);
    }
    run<one, false>(weight, c, i, n);
  }

 private:
  template <class L>
  static TENSORNORM_INLINE row_constants<L> splat(const row_constants<one>& c) {
    return {L::splat(c.mean[0]), L::splat(c.residual[0]), L::splat(0), L::splat(c.rstd[0])};
  }

  template <class L, class Weight>
  static TENSORNORM_INLINE gradient_pair<L> pair(const Weight& weight, const row_constants<L>& c, index i,
                                                 const L& x, const L& dy) {
    return {weight.times(dy, i), Formula::apply(x, c)};
  }

  static TENSORNORM_INLINE lanes tail(const T* p, index begin, index end) {
    return last_lanes<lanes>(begin, end, lanes::splat(0),
                             [&]<class L>(index k) TENSORNORM_INLINE_LAMBDA { return load_lanes<L>(p + k); });
  }

  TENSORNORM_INLINE index unaligned(index begin, index width) const {
    const auto bytes = static_cast<std::uintptr_t>(width) * sizeof(T);
    return static_cast<index>((0 - reinterpret_cast<std::uintptr_t>(dx + begin)) % bytes / sizeof(T));
  }

  /// Elements i, i + 1, ... as far as whole registers of L reach.
  template <class L, bool PastCache, class Weight>
  TENSORNORM_INLINE void run(const Weight& weight, const gradient_constants<one>& constants, index& i,
                             index end, read_ahead* ahead = nullptr) const {
    const gradient_constants<L> c{splat<L>(constants.row), L::splat(constants.mean_g[0]),
                                  L::splat(constants.slope[0])};
    for (; i + L::size <= end; i += L::size) {
      if (ahead) ahead[0].bytes(L::size * sizeof(T)), ahead[1].bytes(L::size * sizeof(T));
      const L value = load<L>(x + i);
      const L gradient = load<L>(dy + i);
      if (weight_sums)
        fma(gradient, Formula::apply(value, c.row), L::load(weight_sums + i)).store(weight_sums + i);
      if (bias_sums) (L::load(bias_sums + i) + gradient).store(bias_sums + i);
      if (!dx && !branch) continue;
      L result = c.template dx<Formula>(value, weight.times(gradient, i));
      if (addend) result = result + load<L>(addend + i);
      if (branch) store(result * L::splat(alpha), branch + i);
      if (!dx) continue;
      if constexpr (PastCache)
        stream(result, dx + i);
      else
        store(result, dx + i);
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
