// differentiate(): the backward pass of a norm over the rows of a problem, by the kernel that fits how they
// lie.
#pragma once

#include <cstddef>

#include "column_backward.hpp"
#include "normalize.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

template <class P>
bool takes_gradient_columns(const P& p) {
  const bool across = !all_arrays(
      p, [&](const auto* data, const rows_strides& strides) { return !data || contiguous(p.rows, strides); });
  return across || (p.rows.inner == 1 && p.rows.size() < short_row && !p.parameters.per_block);
}

/// p with the rows side by side as its inner rows, where it has none.
template <class P>
P gradient_side_by_side(P p) {
  if (p.rows.inner > 1 || p.parameters.groups > 1) return p;
  p.rows.inner = p.rows.outer;
  p.rows.outer = 1;
  for (rows_strides* strides :
       {&p.x_strides, &p.dy_strides, &p.dx_strides, &p.addend_strides, &p.branch_strides})
    strides->inner = strides->outer;
  return p;
}

/// How a backward pass splits into pieces of work, and the memory that it needs, in numbers of compute.
struct gradient_work {
  index units = 0;          // any split of these gives the same bits
  index arrays = 0;         // of sums, shared by all threads: merge_arrays() them when all is done
  index length = 0;         // of each
  index thread_memory = 0;  // for each call of differentiate()

  template <class P>
  explicit gradient_work(const P& p) {
    const bool columns = takes_gradient_columns(p);
    const rows_shape rows = columns ? gradient_side_by_side(p).rows : p.rows;
    const index tiles = rows.outer * ceil_div(rows.inner, column_tile);
    units = columns ? tiles : rows.rows();
    if (!p.wants_parameters()) return;
    length = p.sums_length();
    if (p.parameters.per_block) {
      arrays = p.rows.rows() / p.parameters.groups;
    } else {
      const block_tree tree(columns ? tiles : ceil_div(rows.rows(), rows_of_block));
      units = arrays = tree.slabs;
      thread_memory = tree.levels * length;
    }
  }
};

/// Units [first, last) of a checked problem with at least one row.
template <class Formula, class P>
void differentiate(const P& p, index first, index last, typename P::compute* sums,
                   typename P::compute* thread_memory, isa_level level = active_isa()) {
  if (takes_gradient_columns(p))
    return dispatch_at<column_backward<Formula>>(level, gradient_side_by_side(p), first, last, sums,
                                                 thread_memory);
  if constexpr (Formula::has_bias)
    if (p.parameters.per_block) return dispatch_at<group_backward<Formula>>(level, p, first, last, sums);
  dispatch_at<row_backward<Formula>>(level, p, first, last, sums, thread_memory);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
