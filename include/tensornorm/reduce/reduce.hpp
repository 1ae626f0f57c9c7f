// The shared reduction core: what a reducer is, and the order in which states merge.
#pragma once

#include <concepts>

#include "../view/rows.hpp"
#include "lanes.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// What to do with lanes. A driver owns the loop, the unrolling and the tail; lanes without an
/// element hold pad(), which changes nothing. Lanes stay apart until fold().
template <class R>
concept reducer = requires(R r, const R& other, const typename R::lanes& x) {
  { R::start(x) } -> std::same_as<R>;  // the empty state; x is what the reducer subtracts, if it does
  { r.pad() } -> std::convertible_to<typename R::lanes>;
  r.absorb(x);
  r.merge(other);
  { r.state[R::count - 1] } -> std::convertible_to<typename R::lanes>;
};

/// A run of elements is summed in blocks of this many, so that a lane adds at most 32 numbers one
/// after another; the sums of blocks merge pairwise. Rounding grows with the logarithm of the length only.
inline constexpr index block_length = 32 * lane_count;

/// Statistics of a row are taken in chunks of this many elements, which stay in the second-level
/// cache between the passes over them; chunks merge pairwise too.
inline constexpr index chunk_length = 32 * block_length;

/// Merges leaf(0), leaf(1), ... leaf(count - 1) as a balanced tree, neighbours first. The shape of
/// the tree depends on count alone. State needs merge(); at least one
/// leaf, at most 2^Depth - 1 leaves.
template <class State, int Depth, class Leaf>
TENSORNORM_INLINE State pairwise(index count, const Leaf& leaf) {
  State pending[Depth];
  int depth = 0;
  index i = 0;
  do {
    const State next = leaf(i++);
    if (count == 1) return next;  // the common case stays in registers
    pending[depth++] = next;
    for (index done = i; (done & 1) == 0; done >>= 1, --depth) pending[depth - 2].merge(pending[depth - 1]);
  } while (i < count);
  for (; depth > 1; --depth) pending[depth - 2].merge(pending[depth - 1]);
  return pending[0];
}

/// Reduces elements [begin, end), at most a chunk, block by block: block(first, last) is the folded
/// state of a block.
template <class State, class Block>
TENSORNORM_INLINE State reduce_blocks(index begin, index end, const Block& block) {
  return pairwise<State, 7>(ceil_div(end - begin, block_length), [&](index number) TENSORNORM_INLINE_LAMBDA {
    const index first = begin + number * block_length;
    return block(first, first + block_length < end ? first + block_length : end);
  });
}

/// Reduces elements [begin, end) of the rows that a scan reads, at most a chunk; begin is a multiple of it.
template <template <class> class Reducer, class Scan>
TENSORNORM_INLINE auto reduce(const Scan& scan, index begin, index end, const typename Scan::rows& shift) {
  return reduce_blocks<Reducer<typename Scan::rows>>(
      begin, end, [&](index first, index last) TENSORNORM_INLINE_LAMBDA {
        return scan.template reduce_block<Reducer>(first, last, shift);
      });
}

/// Merges the lanes of a state: the upper half into the lower, until one is left. The same tree on
/// every machine.
template <template <class> class R, class L>
TENSORNORM_INLINE auto fold(const R<L>& r) {
  if constexpr (L::size == 1) {
    return r;
  } else {
    using half = R<decltype(lower(r.state[0]))>;
    half low;
    half high;
    TENSORNORM_UNROLL
    for (int n = 0; n < R<L>::count; ++n) {
      low.state[n] = lower(r.state[n]);
      high.state[n] = upper(r.state[n]);
    }
    low.merge(high);
    return fold(low);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
