// Gradients of weight and bias: sums over all rows. Rows form blocks of a fixed size, blocks merge pairwise,
// neighbours first: the tree is a function of the number of rows alone, whoever works on which part of it.
#pragma once

#include "../reduce/array_sums.hpp"
#include "gradient_problem.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Contiguous rows to a block. Within it a sum is a chain.
inline constexpr index rows_of_block = 16;

/// At most this many parts of the tree are worked out side by side.
inline constexpr index most_slabs = 32;

/// How blocks are dealt out: `slabs` whole subtrees of `blocks_of_slab`, a power of two; the last one may
/// have fewer.
struct block_tree {
  index blocks;
  index blocks_of_slab;
  index slabs;
  index levels;  // of a subtree

  explicit constexpr block_tree(index count) : blocks(count), blocks_of_slab(1), slabs(0), levels(1) {
    while (blocks_of_slab * most_slabs < blocks) blocks_of_slab *= 2, ++levels;
    slabs = ceil_div(blocks, blocks_of_slab);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
