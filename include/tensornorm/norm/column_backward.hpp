// The backward kernel for rows that lie across memory: a lane for each, in the very order of contiguous rows.
#pragma once

#include "column_norm.hpp"
#include "row_backward.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// 64 rows side by side, or the `count` that are left.
template <class Formula, class Isa, class P>
struct column_gradient {
  using T = typename P::data_type;
  using compute = typename P::compute;
  using lanes = row_lanes<Isa, compute>;
  using one = vec<Isa, compute, 1>;

  const P& p;
  index outer;
  index column;
  int count;

  TENSORNORM_INLINE column_gradient(const P& problem, index unit)
      : p(problem),
        outer(unit / ceil_div(problem.rows.inner, column_tile)),
        column(unit % ceil_div(problem.rows.inner, column_tile) * column_tile),
        count(static_cast<int>(problem.rows.inner - column < column_tile ? problem.rows.inner - column
                                                                         : column_tile)) {}

  index first_row() const { return outer * p.rows.inner + column; }

  /// Element i of the rows; zeros in lanes without a row.
  TENSORNORM_INLINE lanes read(const T* data, const rows_strides& strides, index i) const {
    const T* const from = at(data, strides, i);
    if (strides.inner == 1 && count == lane_count) return load_lanes<lanes>(from);
    T buffer[lane_count];
    gather(from, strides.inner, count, buffer);
    return load_lanes<lanes>(buffer);
  }

  TENSORNORM_INLINE void write(const lanes& value, T* data, const rows_strides& strides, index i) const {
    using V = native_vec<Isa, compute>;
    T* const to = at(data, strides, i);
    T buffer[lane_count];
    const bool dense = strides.inner == 1 && count == lane_count;
    TENSORNORM_UNROLL
    for (int k = 0; k < lane_count / V::size; ++k)
      store(value.part[k], (dense ? to : &buffer[0]) + k * V::size);
    if (!dense) scatter(buffer, strides.inner, count, to);
  }

  /// Σ g and Σ g·x̂ of elements [begin, end), g being dy times the weight that weight(i) gives.
  template <class Weight>
  TENSORNORM_INLINE gradient_sums<lanes> sums(const row_constants<lanes>& c, index begin, index end,
                                              const Weight& weight) const {
    return reduce_row<gradient_sums<lanes>>(
        end - begin, [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
          return reduce_columns(first, last, gradient_sums<lanes>::start(),
                                [&](index k) TENSORNORM_INLINE_LAMBDA {
                                  const index i = begin + k;
                                  return gradient_pair<lanes>{weight(i).times(read(p.dy, p.dy_strides, i), i),
                                                              Formula::apply(read(p.x, p.x_strides, i), c)};
                                });
        });
  }

  /// Writes what is wanted of element i of the rows, and returns the sums over the rows of dy and dy·x̂.
  template <class Weight>
  TENSORNORM_INLINE gradient_sums<one> put(const gradient_constants<lanes>& c, index i,
                                           const Weight& weight) const {
    const lanes x = read(p.x, p.x_strides, i);
    const lanes dy = read(p.dy, p.dy_strides, i);
    if (p.dx || p.branch) {
      lanes result = c.template dx<Formula>(Formula::direction(x, c.row), weight.times(dy, i));
      if (p.addend) result = result + read(p.addend, p.addend_strides, i);
      if (p.branch)
        write(result * lanes::splat(static_cast<compute>(p.alpha)), p.branch, p.branch_strides, i);
      if (p.dx) write(result, p.dx, p.dx_strides, i);
    }
    if (!p.wants_parameters() || p.parameters.per_block) return gradient_sums<one>::start();
    // Lanes without a row have no dy; their x̂ must not be NaN either.
    const lanes zero = lanes::splat(0);
    const lanes products = times(dy, Formula::apply(x, c.row));
    return fold(gradient_sums<lanes>{{{dy, lanes_before(count, products, zero)}}});
  }

 private:
  template <class D>
  TENSORNORM_INLINE D* at(D* data, const rows_strides& strides, index i) const {
    return data + outer * strides.outer + column * strides.inner + element_offset{p.rows, strides}(i);
  }
  // Out of line: these are slow anyhow, and they are needed in many places.
  static TENSORNORM_NOINLINE void gather(const T* from, index step, int count, T* to) {
    for (int lane = 0; lane < count; ++lane) to[lane] = from[lane * step];
    for (int lane = count; lane < lane_count; ++lane) to[lane] = T();
  }
  static TENSORNORM_NOINLINE void scatter(const T* from, index step, int count, T* to) {
    for (int lane = 0; lane < count; ++lane) to[lane * step] = from[lane];
  }

  static TENSORNORM_INLINE lanes lanes_before(int end, const lanes& a, const lanes& b) {
    return lanes_from(end, b, a);
  }
};

/// Units [first, last): of the tree of blocks, a tile of rows being a block, if gradients of parameters are
/// wanted; else tiles. Of group_norm tiles always, whose rows have sums of their own.
template <class Formula>
struct column_backward {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& sums, typename P::compute* const& memory) {
    using compute = typename P::compute;
    if constexpr (Formula::has_bias)
      if (p.parameters.per_block) {
        for (index unit = first; unit < last; ++unit) group_tile<Isa>(p, unit, sums);
        return;
      }
    if (!p.wants_parameters()) {
      for (index unit = first; unit < last; ++unit) tile<Isa>(p, unit, static_cast<compute*>(nullptr));
    } else {
      const index length = p.sums_length();
      const block_tree tree(p.rows.outer * ceil_div(p.rows.inner, column_tile));
      for (index slab = first; slab < last; ++slab) {
        pending_sums<Isa, compute> pending(sums + slab * length, memory, length);
        const index end = (slab + 1) * tree.blocks_of_slab;
        for (index unit = slab * tree.blocks_of_slab; unit < (end < tree.blocks ? end : tree.blocks);
             ++unit) {
          tile<Isa>(p, unit, pending.next());
          pending.done();
        }
        pending.finish();
      }
    }
  }

 private:
  template <class Isa, class P>
  static TENSORNORM_INLINE void tile(const P& p, index unit, typename P::compute* sums) {
    const column_gradient<Formula, Isa, P> g(p, unit);
    using lanes = typename column_gradient<Formula, Isa, P>::lanes;
    few_statistics<typename P::compute, lane_count> statistics;
    statistics_of<Formula, Isa>(p, g.first_row(), g.count, statistics);
    const auto c = statistics.template at<lanes>(0);
    const index n = p.rows.size();
    const auto weight = [&](index i) TENSORNORM_INLINE_LAMBDA { return weight_of(p, i); };
    auto total = gradient_sums<lanes>::start();
    if (p.dx || p.branch) total = g.sums(c, 0, n, weight);
    const auto constants = gradient_constants_of(c, total, n, p.correction);
    for (index i = 0; i < n; ++i) {
      const auto of_element = g.put(constants, i, weight(i));
      if (p.wants_weight) sums[i] = of_element.state[1][0];
      if (p.wants_bias) sums[i + (p.wants_weight ? n : 0)] = of_element.state[0][0];
    }
  }

  template <class Isa, class P>
  static TENSORNORM_INLINE void group_tile(const P& p, index unit, typename P::compute* sums) {
    const column_gradient<Formula, Isa, P> g(p, unit);
    using lanes = typename column_gradient<Formula, Isa, P>::lanes;
    few_statistics<typename P::compute, lane_count> statistics;
    statistics_of<Formula, Isa>(p, g.first_row(), g.count, statistics);
    const auto c = statistics.template at<lanes>(0);
    const index channel = g.outer % p.parameters.groups * p.rows.blocks;
    const auto one = [](index) TENSORNORM_INLINE_LAMBDA { return no_weight(); };
    const auto total = pairwise<gradient_sums<lanes>,
                                48>(p.rows.blocks, [&](index block) TENSORNORM_INLINE_LAMBDA {
      const auto of_block = g.sums(c, block * p.rows.run, (block + 1) * p.rows.run, one);
      if (sums) keep(p, g, of_block, channel + block, sums);
      const auto weight = weight_of(p, channel + block);
      return gradient_sums<lanes>{{{weight.times(of_block.state[0], 0), weight.times(of_block.state[1], 0)}}};
    });
    if (!p.dx && !p.branch) return;
    const auto constants = gradient_constants_of(c, total, p.rows.size(), p.correction);
    for (index i = 0; i < p.rows.size(); ++i) g.put(constants, i, weight_of(p, channel + i / p.rows.run));
  }

  template <class P, class G, class Sums>
  static TENSORNORM_INLINE void keep(const P& p, const G& g, const Sums& of_block, index channel,
                                     typename P::compute* sums) {
    for (int lane = 0; lane < g.count; ++lane) {
      auto* const to =
          sums + group_backward<Formula>::batch_element(p, g.first_row() + lane) * p.sums_length() + channel;
      if (p.wants_weight) to[0] = of_block.state[1][lane];
      if (p.wants_bias) to[p.wants_weight ? p.parameter_count() : 0] = of_block.state[0][lane];
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
