// The backward kernel for rows whose elements lie side by side.
#pragma once

#include "gradient_statistics.hpp"
#include "gradient_write.hpp"
#include "parameter_sums.hpp"
#include "row_stream.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The gradient of x goes past the cache if it is large and not written over what is read.
template <class P>
bool streams_gradient(const P& p) {
  const void* const dx = p.dx;
  return has_stream && dx && dx != p.x && dx != p.dy && dx != p.addend &&
         static_cast<std::size_t>(p.rows.rows() * p.rows.size()) * sizeof(*p.dx) > past_cache_bytes;
}

/// dx, weight and the gradients of all parameters are there, and nothing else is.
template <class Formula, class P>
bool is_training(const P& p) {
  return p.dx && p.weight && p.wants_weight && p.wants_bias == Formula::has_bias && !p.addend && !p.branch;
}

/// Rows of a problem without a weight for each block.
template <class Formula, class Isa, class P>
struct gradient_rows {
  using T = typename P::data_type;
  using compute = typename P::compute;
  using gradient = row_gradient<Formula, Isa, P>;
  using one = typename gradient::one;
  static constexpr int most = 8;

  const P& p;
  bool past_cache;

  /// Rows [first, last); adds to the sums that are not null.
  TENSORNORM_INLINE void run(index first, index last, compute* weight_sums, compute* bias_sums) const {
    const element_weight<T> weight{p.weight};
    // x and dy of these rows stay in the first-level cache between the passes over them.
    constexpr index bytes = 8 << 10;
    const index n = p.rows.size();
    const bool training = is_training<Formula>(p);
    // Past the cache the two rows of a pair must be aligned alike.
    const bool alike = p.rows.inner == 1 && p.dx_strides.outer * static_cast<index>(sizeof(T)) % 64 == 0;
    const bool pairs = training && (!past_cache || alike);
    const index fit = bytes / (n * static_cast<index>(sizeof(T)));
    // Long rows on their way past the cache come one by one where streams of memory are scarcer than loads of
    // sums.
    const index step = past_cache && fit < 3 && !reads_streams_side_by_side() ? 1
                       : fit < 2                                              ? 2
                       : fit < most                                           ? fit
                                                                              : most;
    for (index row = first; row < last; row += step) {
      const index count = last - row < step ? last - row : step;
      few_statistics<compute, most> statistics;
      statistics_of<Formula, Isa>(p, row, count, statistics);
      gradient_constants<one> constants[static_cast<std::size_t>(most)];
      for (index r = 0; r < count; ++r) {
        const auto c = direction_constants<one>::of(statistics.template at<one>(r));
        auto sums = gradient_sums<one>::start();
        const gradient here(p, row + r);
        if (p.dx || p.branch)
          sums = here.sums(weight, c, n, here.to_come(count * n), past_cache ? nullptr : here.dx);
        constants[r] = gradient_constants_of(c, sums, n, p.correction);
      }
      index r = 0;
      if (pairs)
        for (; r + 2 <= count; r += 2) {
          const gradient both[] = {gradient(p, row + r), gradient(p, row + r + 1)};
          training_writer<Formula, Isa, P, 2>{both, constants + r, p.weight, weight_sums, bias_sums}.write(
              n, count * n, past_cache);
        }
      for (; r < count; ++r) {
        const gradient here(p, row + r);
        if (training)
          training_writer<Formula, Isa, P, 1>{&here, constants + r, p.weight, weight_sums, bias_sums}.write(
              n, count * n, past_cache);
        else
          gradient_writer<Formula, Isa, P>{here, constants[r], weight_sums, bias_sums, past_cache}.write(
              weight, n, count * n);
      }
    }
  }
};

/// Units [first, last) of the tree of blocks if gradients of parameters are wanted, else rows. The sums of
/// unit n come to stand in array n of `sums`; `memory` is this thread's.
template <class Formula>
struct row_backward {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& sums, typename P::compute* const& memory) {
    const gradient_rows<Formula, Isa, P> rows{p, streams_gradient(p)};
    if (!p.wants_parameters()) {
      rows.run(first, last, nullptr, nullptr);
    } else {
      const block_tree tree(ceil_div(p.rows.rows(), rows_of_block));
      for (index slab = first; slab < last; ++slab) slab_of(p, rows, tree, slab, sums, memory);
    }
    if (rows.past_cache) stream_fence();
  }

 private:
  template <class P, class Rows>
  static TENSORNORM_INLINE void slab_of(const P& p, const Rows& rows, const block_tree& tree, index slab,
                                        typename P::compute* sums, typename P::compute* memory) {
    using isa = typename Rows::one::isa;
    const index length = p.sums_length();
    pending_sums<isa, typename P::compute> pending(sums + slab * length, memory, length);
    const index first = slab * tree.blocks_of_slab;
    const index last = first + tree.blocks_of_slab < tree.blocks ? first + tree.blocks_of_slab : tree.blocks;
    for (index block = first; block < last; ++block) {
      auto* const of_block = pending.next_zeros();
      const index row = block * rows_of_block;
      rows.run(row, row + rows_of_block < p.rows.rows() ? row + rows_of_block : p.rows.rows(),
               p.wants_weight ? of_block : nullptr,
               p.wants_bias ? of_block + (p.wants_weight ? p.parameter_count() : 0) : nullptr);
      pending.done();
    }
    pending.finish();
  }
};

/// Rows [first, last) of a problem with a weight for each block of a row (group_norm). Each row has sums of
/// its own, which are of one batch element: array n of `sums` for element n.
template <class Formula>
struct group_backward {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& sums) {
    using compute = typename P::compute;
    using gradient = row_gradient<Formula, Isa, P>;
    using one = typename gradient::one;
    const bool past_cache = streams_gradient(p);
    for (index row = first; row < last; ++row) {
      few_statistics<compute, row_scan<Isa, typename P::data_type, false>::rows::size> statistics;
      statistics_of<Formula, Isa>(p, row, 1, statistics);
      const auto c = direction_constants<one>::of(statistics.template at<one>(0));
      const index channel = p.channel_of(row);
      compute* const row_sums = sums ? sums + p.batch_element(row) * p.sums_length() + channel : nullptr;
      const auto total = pairwise<gradient_sums<one>,
                                  48>(p.rows.blocks, [&](index block) TENSORNORM_INLINE_LAMBDA {
        gradient g(p, row);
        g.move(block * p.rows.run);
        const auto of_block = g.sums(no_weight(), c, p.rows.run, g.to_come(p.rows.run), nullptr);
        if (row_sums) {
          if (p.wants_weight) row_sums[block] = of_block.state[1][0];
          if (p.wants_bias)
            row_sums[block + (p.wants_weight ? p.parameter_count() : 0)] = of_block.state[0][0];
        }
        const auto weight = weight_of(p, channel + block);
        return gradient_sums<one>{{{weight.times(of_block.state[0], 0), weight.times(of_block.state[1], 0)}}};
      });
      const auto constants = gradient_constants_of(c, total, p.rows.size(), p.correction);
      if (!p.dx && !p.branch) continue;
      for (index block = 0; block < p.rows.blocks; ++block) {
        gradient g(p, row);
        g.move(block * p.rows.run);
        gradient_writer<Formula, Isa, P>{g, constants, nullptr, nullptr, past_cache}.write(
            weight_of(p, channel + block), p.rows.run, p.rows.run);
      }
    }
    if (past_cache) stream_fence();
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
