// Gradients of attention without the matrix of scores: block of queries after block of queries, tile after
// tile of keys, for all query heads of a key head.
#pragma once

#include "../reduce/array_sums.hpp"
#include "gradient_block.hpp"
#include "gradient_result.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// How the queries and keys of a key head are taken.
template <class P>
struct gradient_plan {
  using T = typename P::compute;

  index query_blocks;  // of all query heads
  index key_blocks;
  index query_length;  // numbers to a sum over keys
  index key_length;    // numbers to a sum over queries: dk, then dv

  explicit gradient_plan(const P& p)
      : query_blocks(p.shape.group() * ceil_div(p.shape.queries, gradient_lanes<T>)),
        key_blocks(ceil_div(p.shape.keys, key_block)),
        query_length(p.dq ? p.shape.dim * gradient_lanes<T> : 0),
        key_length(p.shape.keys * ((p.dk ? padded_dim<T>(p.shape.dim) : 0) +
                                   (p.dv ? padded_dim<T>(p.shape.value_dim) : 0))) {}

  /// Numbers to the sums over keys, chains of them on their way up a tree.
  index query_sums() const {
    index arrays = 1;
    for (index n = ceil_div(key_blocks, gradient_chain); n > 1; n = ceil_div(n, 2)) ++arrays;
    return arrays * query_length;
  }
  /// Numbers to the sums over queries: all so far, and a chain. A tree of these would grow faster than the
  /// tokens.
  index key_sums() const { return (query_blocks > gradient_chain ? 2 : 1) * key_length; }
};

/// Everything that the kernel needs for a key head.
template <class P>
struct gradient_memory {
  using T = typename P::compute;
  using arena = memory_arena<T>;

  gradient_queries<P> queries;
  gradient_tile<P> tile;
  T* query_sums;
  T* key_sums;
  T* finite_keys;  // of each block of keys: whether all of them are
  key_operands<P> operands;

  static index size(const P& p) {
    const gradient_plan<P> plan(p);
    return gradient_queries<P>::size(p.shape) + gradient_tile<P>::size() + arena::padded(plan.query_sums()) +
           arena::padded(plan.key_sums()) + arena::padded(plan.key_blocks) + key_operands<P>::size(p);
  }
  gradient_memory(const P& p, arena memory)
      : queries(p.shape, memory),
        tile(memory),
        query_sums(memory.take(gradient_plan<P>(p).query_sums())),
        key_sums(memory.take(gradient_plan<P>(p).key_sums())),
        finite_keys(memory.take(gradient_plan<P>(p).key_blocks)) {
    operands.take_memory(p, memory);
  }
};

/// The gradients of one key head and its query heads.
template <class Isa, class P>
struct fused_key_head {
  using T = typename P::compute;
  using V = native_vec<Isa, T>;
  static constexpr index lanes = gradient_lanes<T>;

  const P& p;
  gradient_memory<P>& memory;
  index batch;
  index key_head;

  TENSORNORM_INLINE void run() {
    const gradient_plan<P> plan(p);
    const index blocks = ceil_div(p.shape.queries, lanes);
    T* const total = memory.key_sums;
    T* of_keys = total;
    std::fill_n(total, plan.key_length, T{0});
    const index first_head = batch * p.shape.heads + key_head * p.shape.group();
    memory.operands.template look_at<Isa>(p, queries_of(p, first_head, 0, lanes), {0, p.keys(batch)});
    look_at_keys();
    for (index n = 0; n < plan.query_blocks; ++n) {
      block(queries_of(p, first_head + n / blocks, n % blocks * lanes, lanes), of_keys);
      const index done = n + 1;
      if (of_keys != total && (done % gradient_chain == 0 || done == plan.query_blocks))
        add_sums::run<Isa>(total, static_cast<const T*>(of_keys), plan.key_length);
      if (done % gradient_chain == 0 && done < plan.query_blocks) {
        of_keys = total + plan.key_length;
        std::fill_n(of_keys, plan.key_length, T{0});
      }
    }
    if (p.wants_keys()) write_keys<Isa>(p, batch, key_head, static_cast<const T*>(total));
  }

 private:
  TENSORNORM_INLINE void look_at_keys() const {
    const broadcast_matrix<T>& k = memory.operands.keys;
    const index keys = p.keys(batch);
    for (index j = 0; j < keys; j += key_block) {
      const broadcast_matrix<T> block{k.data + j * k.row_step, k.row_step, k.depth_step};
      const bool finite = all_finite<V>(block, keys - j < key_block ? keys - j : key_block, p.shape.dim);
      memory.finite_keys[j / key_block] = finite ? T{1} : T{0};
    }
  }

  TENSORNORM_INLINE void block(const query_block& at, T* of_keys) {
    memory.queries.template read<Isa>(p, at);
    const gradient_block<Isa, P> b{p,  memory.queries,       memory.tile,
                                   at, memory.operands.keys, memory.operands.values};
    const key_range visible = intersection(p.modifiers.visible(at), {0, at.keys});
    if (!p.dq) return keys(b, visible, nullptr, of_keys);
    const gradient_plan<P> plan(p);
    constexpr index chain = gradient_chain * key_block;
    pending_sums<Isa, T> sums(memory.query_sums, memory.query_sums + plan.query_length, plan.query_length);
    index first = 0;
    do {
      keys(b, intersection({first, first + chain}, visible), sums.next_zeros(), of_keys);
      sums.done();
      first += chain;
    } while (first < at.keys);
    sums.finish();
    write_queries<Isa>(p, at, memory.query_sums, lanes);
  }

  TENSORNORM_INLINE void keys(const gradient_block<Isa, P>& b, const key_range& range, T* of_queries,
                              T* of_keys) const {
    T* const of_values = of_keys + (p.dk ? p.shape.keys * padded_dim<T>(p.shape.dim) : 0);
    const sums_of_gradients<T> to{of_queries, p.dk ? of_keys : nullptr, p.dv ? of_values : nullptr};
    for (index j = range.first - range.first % key_block; j < range.last; j += key_block) {
      const index last = j + key_block < range.last ? j + key_block : range.last;
      // Whether absent keys could be felt: 0 times infinity, or NaN, is not 0.
      const bool careful = !memory.queries.finite || memory.finite_keys[j / key_block] == 0;
      b.add(j, last, careful, to);
    }
  }
};

/// Gradients of key heads [first, last), counted through the batch. memory holds gradient_memory<P>::size()
/// numbers.
struct fused_attention_backward {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory) {
    gradient_memory<P> m(p, {memory});
    for (index head = first; head < last; ++head)
      fused_key_head<Isa, P>{p, m, head / p.shape.key_heads, head % p.shape.key_heads}.run();
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
