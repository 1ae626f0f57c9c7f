// The statistics of rows in a backward pass: those that the forward pass saved, or the same bits worked out
// again.
#pragma once

#include "gradient_problem.hpp"
#include "normalize.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Statistics of a few rows.
template <class T, int Count>
struct few_statistics {
  T mean[Count] = {};
  T mean_residual[Count] = {};
  T rstd[Count] = {};

  /// Those of row `row`, or in lanes those of the rows from it on.
  template <class L>
  TENSORNORM_INLINE row_constants<L> at(index row) const {
    return {load_lanes<L>(mean + row), load_lanes<L>(mean_residual + row), L::splat(0),
            load_lanes<L>(rstd + row)};
  }
};

/// The statistics of `count` contiguous rows from `row` on.
template <class Formula, class Isa, class P, class Statistics>
TENSORNORM_INLINE void statistics_of(const P& p, index row, index count, Statistics& to) {
  if (p.rstd) {
    for (index r = 0; r < count; ++r) {
      to.rstd[r] = p.rstd[row + r];
      if (!p.mean) continue;
      to.mean[r] = p.mean[row + r];
      to.mean_residual[r] = p.mean_residual[row + r];
    }
    return;
  }
  // The forward pass itself, without y. Inner rows that are contiguous have no common stride with the others.
  norm_problem<typename P::data_type> forward;
  forward.parameters = p.parameters;
  forward.eps = p.eps;
  forward.correction = p.correction;
  forward.x_strides = forward.y_strides = p.x_strides;
  const index together = p.rows.inner == 1 ? count : 1;
  for (index r = 0; r < count; r += together) {
    forward.x = p.x + row_offset(p.rows, p.x_strides, row + r);
    forward.rows = {together, 1, p.rows.blocks, p.rows.run};
    if constexpr (Formula::has_mean) {
      forward.mean = to.mean + r;
      forward.mean_residual = to.mean_residual + r;
    }
    forward.rstd = to.rstd + r;
    normalize<Formula>(forward, 0, norm_units(forward), Isa::level);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
