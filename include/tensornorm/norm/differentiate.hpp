// differentiate(): the backward pass of a norm over the rows of a problem, however they lie.
#pragma once

#include "gather.hpp"
#include "row_backward.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The elements of some array lie across memory: rows are brought together, a block at a time.
template <class P>
bool needs_gathering(const P& p) {
  return !all_arrays(
      p, [&](const auto* data, const rows_strides& strides) { return !data || contiguous(p.rows, strides); });
}

/// How a backward pass splits into pieces of work, and the memory that it needs, in numbers of compute.
struct gradient_work {
  index units = 0;          // any split of these gives the same bits
  index arrays = 0;         // of sums, shared by all threads: merge_arrays() them when all is done
  index length = 0;         // of each
  index thread_memory = 0;  // for each call of differentiate()

  template <class P>
  explicit gradient_work(const P& p) {
    const index blocks = ceil_div(p.rows.rows(), rows_of_block);
    const bool gathers = needs_gathering(p);
    units = gathers ? blocks : p.rows.rows();
    if (p.wants_parameters()) {
      length = p.sums_length();
      arrays = p.rows.rows() / p.parameters.groups;
      if (!p.parameters.per_block) {
        const block_tree tree(blocks);
        units = arrays = tree.slabs;
        thread_memory = tree.levels * length;
      }
    }
    if (gathers) thread_memory += gathered_rows<P>::size(p);
  }
};

/// Units [first, last) of rows that are contiguous.
template <class Formula, class P>
void differentiate_rows(const P& p, index first, index last, typename P::compute* sums,
                        typename P::compute* thread_memory, isa_level level) {
  if constexpr (Formula::has_bias)
    if (p.parameters.per_block) return dispatch_at<group_backward<Formula>>(level, p, first, last, sums);
  dispatch_at<row_backward<Formula>>(level, p, first, last, sums, thread_memory);
}

/// Units [first, last) of a checked problem with at least one row.
template <class Formula, class P>
void differentiate(const P& p, index first, index last, typename P::compute* sums,
                   typename P::compute* thread_memory, isa_level level = active_isa()) {
  using compute = typename P::compute;
  using T = typename P::data_type;
  if (!needs_gathering(p)) return differentiate_rows<Formula>(p, first, last, sums, thread_memory, level);
  const bool has_tree = p.wants_parameters() && !p.parameters.per_block;
  const block_tree tree(ceil_div(p.rows.rows(), rows_of_block));
  T* const rows = reinterpret_cast<T*>(thread_memory + (has_tree ? tree.levels * p.sums_length() : 0));
  const auto block = [&](index number, compute* block_sums) {
    const gathered_rows<P> gathered(p, rows, number * rows_of_block, level);
    // Of the few rows of a block there is one unit with sums, the whole tree of them.
    const index units = has_tree ? 1 : gathered.problem().rows.rows();
    differentiate_rows<Formula>(gathered.problem(), 0, units, block_sums, nullptr, level);
    gathered.scatter();
  };
  if (!has_tree) {
    for (index number = first; number < last; ++number) block(number, sums);
    return;
  }
  for (index slab = first; slab < last; ++slab) {
    pending_sums<baseline, compute> pending(sums + slab * p.sums_length(), thread_memory, p.sums_length());
    const index end = (slab + 1) * tree.blocks_of_slab;
    for (index number = slab * tree.blocks_of_slab; number < (end < tree.blocks ? end : tree.blocks);
         ++number) {
      block(number, pending.next());
      pending.done();
    }
    pending.finish();
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
