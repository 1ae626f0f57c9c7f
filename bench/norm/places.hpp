// Where a shape lies in memory, and which shapes are measured how.
#pragma once

#include <string>
#include <type_traits>

#include "shapes.hpp"

namespace bench {

/// outer x size x inner elements; the `size` axis is the one that is normalized, its members are the
/// channels of the data.
struct extents {
  index outer;
  index size;
  index inner;

  index count() const { return outer * size * inner; }
};

/// A shape and its layout. All layouts of a shape in one scalar type are views of the same memory and are
/// run interleaved.
struct place {
  std::string key;
  std::string title;
  extents shape;
  std::string layout;
  index byte_offset = 0;  // of the data from the start of a cache line
};

inline place rows_of(const row_shape& s) { return {s.key, s.title, {s.rows, s.dim, 1}, "rows"}; }

/// Data that starts where Eigen's allocator puts it in a build without -march: on 16 bytes.
inline place rows_on_16_bytes(const row_shape& s) {
  return {s.key, s.title, {s.rows, s.dim, 1}, "rows_on_16_bytes", 16};
}

inline place channels_last(const image_shape& s) {
  return {s.key, s.title, {s.batch * s.height * s.width, s.channels, 1}, "rows"};
}

/// float has every shape. The other types have one in the quick sweep, all but the largest in the full one.
template <class Scalar>
bool is_measured(const row_shape& s, sweep wanted) {
  if (std::is_same_v<Scalar, float>) return s.smallest <= wanted;
  if (wanted == sweep::quick) return &s == &row_shapes[0];
  return s.rows * s.dim <= 16384 * 4096;
}

/// Whether float is also measured in other layouts, off the cache lines, and on two threads: in the quick
/// sweep where many rows fit the cache, since there it shows.
inline bool has_variants(const row_shape& s, sweep wanted) {
  if (wanted == sweep::quick) return s.rows >= 64 && s.rows <= 1024 && s.dim <= 1024;
  return s.rows > 1 && s.rows * s.dim <= 16384 * 4096;
}

/// Whether the backward passes are measured, in float: they are where there are rows.
inline bool has_backward(const row_shape& s, sweep wanted) { return s.smallest <= wanted && s.rows >= 64; }

/// Whether fusion is measured, in float: in the quick sweep in cache, and once beyond it.
inline bool has_fusion(const row_shape& s, sweep wanted) {
  if (!has_backward(s, wanted)) return false;
  return wanted == sweep::full || (s.dim >= 1024 && s.rows * s.dim <= 16384 * 1024);
}

}  // namespace bench
