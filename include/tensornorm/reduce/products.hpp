// What backward passes reduce: Σ g and Σ g·x̂.
#pragma once

#include "moments.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The gradient g that reaches normalized elements, and these themselves.
template <class L>
struct gradient_pair {
  L g;
  L normalized;
};

/// Σ g and Σ g·x̂. Units of g.
template <class L>
struct gradient_sums : sums<L, 2> {
  static TENSORNORM_INLINE gradient_sums start() {
    gradient_sums r;
    r.clear();
    return r;
  }
  TENSORNORM_INLINE void absorb(const gradient_pair<L>& x) {
    this->state[0] = this->state[0] + x.g;
    this->state[1] = fma(x.g, x.normalized, this->state[1]);
  }
};

/// Elements [begin, end), block by block as reduce() takes them: block(first, last) is the folded state of at
/// most a block. The whole of a row is one tree here, however long: a gradient is not read twice.
template <class State, class Block>
TENSORNORM_INLINE State reduce_row(index size, const Block& block) {
  return pairwise<State, 48>(ceil_div(size, block_length), [&](index number) TENSORNORM_INLINE_LAMBDA {
    const index first = number * block_length;
    return block(first, first + block_length < size ? first + block_length : size);
  });
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
