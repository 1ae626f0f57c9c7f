// The gradients of one contiguous row.
#pragma once

#include "formula.hpp"
#include "gradient_problem.hpp"
#include "row_scan.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// A weight for each element, or none at all.
template <class T>
struct element_weight {
  const compute_t<T>* weight;

  template <class L>
  TENSORNORM_INLINE L times(const L& dy, index i) const {
    if (!weight) return dy;
    return kernel::times(dy, load_lanes<L>(weight + i));
  }
  /// The same for lanes that are loaded in another way.
  template <class L, class Lanes>
  TENSORNORM_INLINE L times(const L& dy, index i, const Lanes& lanes) const {
    if (!weight) return dy;
    return kernel::times(dy, lanes.template load<L>(weight + i));
  }
};

/// One weight for all elements.
template <class T>
struct same_weight {
  compute_t<T> weight;

  template <class L, class... Lanes>
  TENSORNORM_INLINE L times(const L& dy, index, const Lanes&...) const {
    return kernel::times(dy, L::splat(weight));
  }
};

struct no_weight {
  template <class L>
  TENSORNORM_INLINE L times(const L& dy, index) const {
    return dy;
  }
};

/// The weight of channel i.
template <class P>
TENSORNORM_INLINE same_weight<typename P::data_type> weight_of(const P& p, index i) {
  return {p.weight ? p.weight[i] : 1};
}

/// What elements of a row are normalized with: d = x − mean;  x̂ = d · rstd + shift.
template <class L>
struct direction_constants {
  L minus_mean;
  L shift;  // what the mean is off by, normalized: next to nothing
  L rstd;

  template <class One>
  static TENSORNORM_INLINE direction_constants of(const row_constants<One>& c) {
    return {L::splat((One::splat(0) - c.mean)[0]), L::splat((times(One::splat(0) - c.residual, c.rstd))[0]),
            L::splat(c.rstd[0])};
  }

  /// Never x · rstd - mean · rstd, which leaves rounding noise where x is the mean.
  TENSORNORM_INLINE L centred(const L& x) const { return fma(x + minus_mean, rstd, shift); }
  /// The normalized element.
  template <class Formula>
  TENSORNORM_INLINE L normalized(const L& x) const {
    return Formula::subtracts_mean ? centred(x) : times(x, rstd);
  }
  /// The direction in which x changes rstd: what a gradient has none of.
  template <class Formula>
  TENSORNORM_INLINE L direction(const L& x, const L& normalized) const {
    return Formula::has_mean && !Formula::subtracts_mean ? centred(x) : normalized;
  }
};

/// What the gradient of x is made of:  dx = r · (g − mean(g) − direction · slope). The mean goes first: of
/// one element nothing must be left.
template <class L>
struct gradient_constants {
  direction_constants<L> row;
  L mean_g;
  L slope;  // negative

  template <class Formula>
  TENSORNORM_INLINE L dx(const L& direction, const L& g) const {
    return times(row.rstd, fma(direction, slope, Formula::subtracts_mean ? g - mean_g : g));
  }
};

/// The constants of a row whose Σ g and Σ g·x̂ are known.
template <class L>
TENSORNORM_INLINE gradient_constants<L> gradient_constants_of(const direction_constants<L>& row,
                                                              const gradient_sums<L>& sums, index n,
                                                              index correction) {
  using T = typename L::scalar;
  return {row, sums.state[0] / L::splat(static_cast<T>(n)),
          (L::splat(0) - sums.state[1]) / L::splat(static_cast<T>(n - correction))};
}

/// The constants of one row in all lanes of L.
template <class L, class One>
TENSORNORM_INLINE direction_constants<L> splat_constants(const direction_constants<One>& c) {
  return {L::splat(c.minus_mean[0]), L::splat(c.shift[0]), L::splat(c.rstd[0])};
}
template <class L, class One>
TENSORNORM_INLINE gradient_constants<L> splat_constants(const gradient_constants<One>& c) {
  return {splat_constants<L>(c.row), L::splat(c.mean_g[0]), L::splat(c.slope[0])};
}

/// Asks for x and dy of a row that is yet to come, evenly through both passes over one before it: the first
/// half of each array during the first pass. Memory is then busy all the time.
template <class T>
struct row_to_come {
  static constexpr index line = 64 / static_cast<index>(sizeof(T));

  const T* x;
  const T* dy;

  /// Elements [i, i + lane_count) are worked on for the first time.
  TENSORNORM_INLINE void in_first_pass(index i) const {
    TENSORNORM_UNROLL
    for (index k = 0; k < lane_count / 2; k += line) {
      prefetch<cache_level::second>(x + i / 2 + k);
      prefetch<cache_level::second>(dy + i / 2 + k);
    }
  }
  /// Those from i on, at most a line of them, are worked on for the second time, of n.
  TENSORNORM_INLINE void in_second_pass(index n, index i) const {
    prefetch<cache_level::second>((i / line % 2 == 0 ? x : dy) + (n + i) / 2);
  }
};

/// One row, or a run of its elements: what is read and written of it.
template <class Formula, class Isa, class P>
struct row_gradient {
  using T = typename P::data_type;
  using compute = typename P::compute;
  using V = native_vec<Isa, compute>;
  using one = vec<Isa, compute, 1>;
  using lanes = row_lanes<Isa, compute>;

  const T* x;
  const T* dy;
  T* dx;
  const T* addend;
  T* branch;
  compute alpha;

  TENSORNORM_INLINE row_gradient(const P& p, index row)
      : x(p.x + row_offset(p.rows, p.x_strides, row)),
        dy(p.dy + row_offset(p.rows, p.dy_strides, row)),
        dx(p.dx ? p.dx + row_offset(p.rows, p.dx_strides, row) : nullptr),
        addend(p.addend ? p.addend + row_offset(p.rows, p.addend_strides, row) : nullptr),
        branch(p.branch ? p.branch + row_offset(p.rows, p.branch_strides, row) : nullptr),
        alpha(static_cast<compute>(p.alpha)) {}

  /// Moves on to a run of elements.
  TENSORNORM_INLINE void move(index elements) {
    x += elements;
    dy += elements;
    if (dx) dx += elements;
    if (addend) addend += elements;
    if (branch) branch += elements;
  }

  /// The row that is so many elements further on.
  TENSORNORM_INLINE row_to_come<T> to_come(index ahead) const { return {x + ahead, dy + ahead}; }

  /// Σ g and Σ g·x̂ of the first n elements. `result`, if not null, is where their gradients are going to
  /// stand: its lines come closer, or the second pass would wait for each before it writes it.
  template <class Weight>
  TENSORNORM_INLINE gradient_sums<one> sums(const Weight& weight, const direction_constants<one>& c, index n,
                                            const row_to_come<T>& next, const T* result) const {
    const auto constants = splat_constants<lanes>(c);
    return reduce_row<gradient_sums<one>>(n, [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
      auto state = gradient_sums<lanes>::start();
      index i = first;
      for (; i + lane_count <= last; i += lane_count) {
        next.in_first_pass(i);
        if (result) {
          TENSORNORM_UNROLL
          for (index k = 0; k < lane_count; k += row_to_come<T>::line)
            prefetch<cache_level::first>(result + i + k);
        }
        state.absorb({weight.times(load_lanes<lanes>(dy + i), i),
                      constants.template normalized<Formula>(load_lanes<lanes>(x + i))});
      }
      if (i < last) {
        const lanes zero = lanes::splat(0);
        const lanes normalized = constants.template normalized<Formula>(tail(x, i, last));
        const lanes g = last_lanes<lanes>(i, last, zero, [&]<class L>(index k) TENSORNORM_INLINE_LAMBDA {
          return weight.template times<L>(load_lanes<L>(dy + k), k);
        });
        const int empty = lane_count - static_cast<int>(last - i);
        state.absorb({g, lanes_from(empty, normalized, zero)});
      }
      return fold(state);
    });
  }

 private:
  static TENSORNORM_INLINE lanes tail(const T* p, index begin, index end) {
    return last_lanes<lanes>(begin, end, lanes::splat(0),
                             [&]<class L>(index k) TENSORNORM_INLINE_LAMBDA { return load_lanes<L>(p + k); });
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
