// From what chunks of keys say to a few queries, to the results.
#pragma once

#include "decode_memory.hpp"
#include "result.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Merges the chunks as the tree of fused_attention does, and writes the results. Units are key heads.
struct decode_merge {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& shared) {
    const chunk_states<P> states(p, shared);
    for (index head = first; head < last; ++head)
      for (index row = 0; row < states.rows; ++row) {
        for (index step = 1; step < states.chunks; step *= 2)
          for (index c = 0; c + step < states.chunks; c += 2 * step)
            merge<Isa>(p, states, head, row, c, c + step);
        write<Isa>(p, states, head, row);
      }
  }

 private:
  template <class Isa, class P>
  static TENSORNORM_INLINE void merge(const P& p, const chunk_states<P>& states, index head, index row,
                                      index to, index from) {
    using T = typename P::compute;
    using one = vec<Isa, T, 1>;
    T* const mine = states.softmax(head, to, row);
    const T* const other = states.softmax(head, from, row);
    softmax_sum<one> sum{{one::splat(mine[0]), one::splat(mine[1])}};
    const auto f = sum.merge_with_factors({{one::splat(other[0]), one::splat(other[1])}});
    sum.state[0].store(mine);
    sum.state[1].store(mine + 1);
    T* const values = states.values(head, to, row);
    const T* const others = states.values(head, from, row);
    for (index d = 0; d < p.shape.value_dim; ++d)
      fma(one::splat(others[d]), f.others, times(one::splat(values[d]), f.mine)).store(values + d);
  }

  template <class Isa, class P>
  static TENSORNORM_INLINE void write(const P& p, const chunk_states<P>& states, index head, index row) {
    using T = typename P::compute;
    using S = typename P::data_type;
    using one = vec<Isa, T, 1>;
    const T* const state = states.softmax(head, 0, row);
    const index batch = head / p.shape.key_heads;
    const index query_head = head % p.shape.key_heads * p.shape.group() + row / p.shape.queries;
    const index query = row % p.shape.queries;
    softmax_sum<one> sum{{one::splat(state[0]), one::splat(state[1])}};
    const one factor = close_softmax(p, query_head, sum);
    const auto o = head_of(p.o, p.o_strides, batch, query_head);
    for (index d = 0; d < p.shape.value_dim; ++d)
      o.data[query * o.token_step + d * o.dim_step] =
          narrow<S>(fma(one::splat(states.values(head, 0, row)[d]), factor, one::splat(0))[0]);
    if (!p.lse) return;
    const auto lse = head_of(p.lse, p.lse_strides, batch, query_head);
    lse.data[query * lse.token_step] = natural_lse(sum.state[0][0], sum.state[1][0]);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
