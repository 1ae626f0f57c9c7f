// normalize(): a norm over the rows of a problem, by the kernel that fits how they lie.
#pragma once

#include "column_norm.hpp"
#include "row_stream.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Rows shorter than this are taken side by side even where they are contiguous.
inline constexpr index short_row = 16;

/// True if the rows of p are taken side by side, a lane for each.
template <class P>
bool takes_columns(const P& p) {
  if (!contiguous(p.rows, p.x_strides) || !contiguous(p.rows, p.y_strides)) return true;
  return p.rows.inner == 1 && p.rows.size() < short_row && !p.parameters.per_block;
}

/// p with the rows side by side as its inner rows, where it has none.
template <class P>
P side_by_side(P p) {
  if (p.rows.inner > 1 || p.parameters.groups > 1) return p;
  p.rows.inner = p.rows.outer;
  p.rows.outer = 1;
  p.x_strides.inner = p.x_strides.outer;
  p.y_strides.inner = p.y_strides.outer;
  return p;
}

/// The pieces of work that a problem splits into. Any split gives the same bits.
template <class P>
index norm_units(const P& p) {
  if (!takes_columns(p)) return p.rows.rows();
  const rows_shape rows = side_by_side(p).rows;
  return rows.outer * ceil_div(rows.inner, column_tile);
}

/// Normalizes units [first, last) of a checked problem.
template <class Formula, class P>
void normalize(const P& p, index first, index last, isa_level level = active_isa()) {
  if (takes_columns(p))
    dispatch_at<column_norm<Formula>>(level, side_by_side(p), first, last);
  else if (streams(p))
    dispatch_at<row_stream_norm<Formula>>(level, p, first, last);
  else
    dispatch_at<row_norm<Formula>>(level, p, first, last);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
