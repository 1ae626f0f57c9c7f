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

/// The statistics of `count` rows from `row` on: part of a tile where rows lie side by side, else any.
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
  // The forward pass itself, without y.
  norm_problem<typename P::data_type> forward;
  forward.x = p.x;
  forward.rows = p.rows;
  forward.x_strides = forward.y_strides = p.x_strides;
  forward.parameters = p.parameters;
  forward.eps = p.eps;
  forward.correction = p.correction;
  if constexpr (Formula::has_mean) {
    forward.mean = to.mean;
    forward.mean_residual = to.mean_residual;
  }
  forward.rstd = to.rstd;
  forward.first_saved = row;
  if (takes_columns(forward)) {
    const index tile =
        row / p.rows.inner * ceil_div(p.rows.inner, column_tile) + row % p.rows.inner / column_tile;
    normalize<Formula>(forward, tile, tile + 1, Isa::level);
  } else {
    normalize<Formula>(forward, row, row + count, Isa::level);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
