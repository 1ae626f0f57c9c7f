// From a shape and the axes of a norm to the rows a kernel sees, with every check on the way.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "argument.hpp"
#include "errors.hpp"
#include "options.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// The axes a norm runs over, counted from 0.
struct axis_run {
  std::size_t first;
  std::size_t last;
};

inline axis_run checked_axes(const char* function, axis_range axes, size_span size) {
  const int rank = static_cast<int>(size.size());
  const int first = axes.first < 0 ? axes.first + rank : axes.first;
  const int last = axes.last < 0 ? axes.last + rank : axes.last;
  if (first < 0 || last >= rank || first > last)
    fail(function, "axes {", axes.first, ", ", axes.last, "} do not name a run of the ", rank, " axes of x, ",
         shape_text(size));
  return {static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
}

/// The number of bytes of an argument must be a number.
inline void check_sizes(const char* function, size_span size, std::size_t bytes, const char* name = "x") {
  index limit = std::numeric_limits<index>::max() / static_cast<index>(bytes);
  for (index n : size) {
    if (n == 0) return;
    limit /= n;
  }
  if (limit == 0) fail(function, name, " has more elements than memory can address, ", shape_text(size));
}

/// eps and the divisor of the variance. Data without rows needs no divisor.
inline void check_formula(const call_site& call, const kernel::rows_shape& rows, double eps,
                          index correction) {
  if (!(eps >= 0) || !std::isfinite(eps))
    fail(call.function, "eps is ", eps, ", expected a finite number that is not negative");
  if (rows.rows() > 0 && rows.size() - correction <= 0)
    fail(call.function, "each row has ", rows.size(), " elements, and the divisor N - ", correction,
         " must be positive", call);
}

/// Splits the axes into those that change slowest in memory, the normalized ones, and those that
/// change fastest. Of several normalized axes the slowest counts the blocks.
inline kernel::rows_shape rows_of(size_span size, axis_run axes, bool row_major) {
  const index before = count_of(size.first(axes.first));
  const index after = count_of(size.subspan(axes.last + 1));
  const size_span normalized = size.subspan(axes.first, axes.last - axes.first + 1);
  const index blocks = normalized.size() == 1 ? 1 : row_major ? normalized.front() : normalized.back();
  const size_span run =
      normalized.size() == 1 ? normalized : normalized.subspan(row_major, normalized.size() - 1);
  return {row_major ? before : after, row_major ? after : before, blocks, count_of(run)};
}

/// The strides that go with rows_of: each group of axes steps by its fastest axis. A group has gaps
/// only in matrices, where it is a single axis.
inline kernel::rows_strides strides_of(size_span stride, axis_run axes, bool row_major) {
  const bool none_after = axes.last + 1 == stride.size();
  const index before = axes.first == 0 ? 0 : row_major ? stride[axes.first - 1] : stride.front();
  const index after = none_after ? 0 : row_major ? stride.back() : stride[axes.last + 1];
  return {row_major ? before : after, row_major ? after : before, stride[row_major ? axes.first : axes.last],
          stride[row_major ? axes.last : axes.first]};
}

/// The first byte and the one past the last, to see whether two pieces of memory touch.
struct extent {
  const char* begin;
  const char* end;

  bool overlaps(const extent& other) const { return begin < other.end && other.begin < end; }
};

template <class Scalar>
extent extent_of(const Scalar* data, size_span size, size_span stride) {
  index low = 0;
  index high = 0;
  for (std::size_t axis = 0; axis < size.size(); ++axis) {
    if (size[axis] == 0) return {nullptr, nullptr};
    (stride[axis] < 0 ? low : high) += (size[axis] - 1) * stride[axis];
  }
  return {reinterpret_cast<const char*>(data + low), reinterpret_cast<const char*>(data + high + 1)};
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
