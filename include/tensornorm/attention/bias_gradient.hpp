// Gradients of what attention adds to scores: of a bias, summed over the axes it is broadcast over, and of
// sinks.
#pragma once

#include "gradient_block.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Sizes of a bias: each that of the scores, or 1.
struct bias_shape {
  index batch;
  index heads;
  index queries;
  index keys;

  index size() const { return batch * heads * queries * keys; }
};

/// Memory of these kernels.
template <class P>
struct bias_gradient_memory {
  using T = typename P::compute;

  gradient_queries<P> queries;
  gradient_tile<P> tile;
  key_operands<P> operands;

  static index size(const P& p) {
    return gradient_queries<P>::size(p.shape) + gradient_tile<P>::size() + key_operands<P>::size(p);
  }
  bias_gradient_memory(const P& p, memory_arena<T> arena) : queries(p.shape, arena), tile(arena) {
    operands.take_memory(p, arena);
  }
};

/// Units of the gradient of a bias: no two of them add to the same sums.
template <class P>
index bias_gradient_units(const P& p, const bias_shape& bias) {
  const index blocks = bias.queries > 1 ? ceil_div(p.shape.queries, gradient_lanes<typename P::compute>) : 1;
  return bias.batch * bias.heads * blocks;
}

/// Adds gradients of scores to `sums`, bias.size() zeros, for units [first, last). Terms add up in double, in
/// the order of batch, head, query and key.
struct bias_gradient {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const bias_shape& bias, const index& first, const index& last,
                                    double* const& sums, typename P::compute* const& memory) {
    using T = typename P::compute;
    constexpr index lanes = gradient_lanes<T>;
    bias_gradient_memory<P> m(p, {memory});
    const index blocks = ceil_div(p.shape.queries, lanes);
    const bool per_block = bias.queries > 1;
    for (index unit = first; unit < last; ++unit) {
      const index slice = per_block ? unit / blocks : unit;
      const key_range batches = one_or_all(bias.batch, slice / bias.heads, p.shape.batch);
      const key_range heads = one_or_all(bias.heads, slice % bias.heads, p.shape.heads);
      const key_range those = one_or_all(per_block ? blocks : 1, per_block ? unit % blocks : 0, blocks);
      double* const of_slice = sums + slice * bias.queries * bias.keys;
      for (index b = batches.first; b < batches.last; ++b)
        for (index h = heads.first; h < heads.last; ++h)
          for (index n = those.first; n < those.last; ++n)
            add<Isa>(p, bias, queries_of(p, b * p.shape.heads + h, n * lanes, lanes), of_slice, m);
    }
  }

 private:
  static constexpr key_range one_or_all(index size, index which, index all) {
    return size > 1 ? key_range{which, which + 1} : key_range{0, all};
  }

  template <class Isa, class P>
  static TENSORNORM_INLINE void add(const P& p, const bias_shape& bias, const query_block& at, double* sums,
                                    bias_gradient_memory<P>& m) {
    m.queries.template read<Isa>(p, at);
    const key_range visible = intersection(p.modifiers.visible(at), {0, at.keys});
    m.operands.template look_at<Isa>(p, at, visible);
    const gradient_block<Isa, P> block{p, m.queries, m.tile, at, m.operands.keys, m.operands.values};
    for (index j = visible.first; j < visible.last; j += key_block) {
      const index last = j + key_block < visible.last ? j + key_block : visible.last;
      block.look_at(j, last, false, score_gradient::of_bias);
      for (index key = j; key < last; ++key)
        for (index i = at.first; i < at.last; ++i)
          sums[(bias.queries > 1 ? i * bias.keys : 0) + (bias.keys > 1 ? key : 0)] += static_cast<double>(
              m.tile.slopes[(key - j) * gradient_lanes<typename P::compute> + i - at.first]);
    }
  }
};

/// Writes gradients of the sinks of heads [first, last): what reaches a logit that is part of every softmax
/// and has no value,  -Σ e^(sink - LSE) · delta  over batch and queries.
struct sink_gradient {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last, double* const& sums,
                                    typename P::compute* const& memory) {
    using T = typename P::compute;
    bias_gradient_memory<P> m(p, {memory});
    for (index head = first; head < last; ++head) {
      const double sink = static_cast<double>(p.sinks[head]);
      double sum = 0;
      for (index b = 0; b < p.shape.batch; ++b)
        for (index q = 0; q < p.shape.queries; q += gradient_lanes<T>) {
          const query_block at = queries_of(p, b * p.shape.heads + head, q, gradient_lanes<T>);
          m.queries.template read<Isa>(p, at);
          const auto lse = head_of(p.lse, p.lse_strides, b, head);
          for (index i = at.first; i < at.last; ++i) {
            const double weight = std::exp(sink - static_cast<double>(lse.data[i * lse.token_step]));
            if (sink >= std::numeric_limits<double>::lowest())
              sum -= weight * static_cast<double>(m.queries.delta[i - at.first]);
          }
        }
      sums[head] = sum;
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
