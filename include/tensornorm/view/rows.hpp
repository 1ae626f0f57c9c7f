// What a norm sees of a tensor: rows, and where their elements lie. Knows pointers and strides only.
#pragma once

#include <cstddef>

#include "../config.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

using index = std::ptrdiff_t;

constexpr index ceil_div(index a, index b) { return (a + b - 1) / b; }

/// How many rows there are and how long they are. Row (o, j) has o < outer and j < inner, and the
/// number o * inner + j. Its elements are numbered i = block * run + k, k < run.
struct rows_shape {
  index outer = 0;
  index inner = 1;
  index blocks = 1;
  index run = 0;

  constexpr index size() const { return blocks * run; }
  constexpr index rows() const { return outer * inner; }
};

/// Steps, in elements, from one outer, inner, block or element to the next.
struct rows_strides {
  index outer = 0;
  index inner = 1;
  index block = 0;
  index element = 1;
};

/// Where row number `row` begins.
constexpr index row_offset(const rows_shape& shape, const rows_strides& strides, index row) {
  if (shape.inner == 1) return row * strides.outer;
  return row / shape.inner * strides.outer + row % shape.inner * strides.inner;
}

/// The elements of a row lie side by side in memory.
constexpr bool contiguous(const rows_shape& shape, const rows_strides& strides) {
  return (strides.element == 1 || shape.run == 1) && (shape.blocks == 1 || strides.block == shape.run) &&
         (shape.run != 1 || shape.blocks == 1 || strides.block == 1);
}

/// Which parameter belongs to an element: one per element, or (group_norm) one per block, where the
/// outer rows take turns through `groups` sets of them.
struct parameter_shape {
  bool per_block = false;
  index groups = 1;
  index first = 0;  // outer row 0 of a problem that is part of another is that one's

  /// The set of outer row o.
  constexpr index group(index o) const { return (first + o) % groups; }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
