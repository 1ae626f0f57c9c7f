// From a shape and the axes of a norm to the rows a kernel sees, with every check on the way.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "argument.hpp"
#include "errors.hpp"
#include "options.hpp"
#include "parameter.hpp"

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

/// The rows of a norm over x, checked.
template <class X>
struct row_plan {
  const char* function;
  shape_of_t<X> shape;
  axis_run axes;
  kernel::rows_shape rows;
  kernel::parameter_shape parameters;

  call_site site() const {
    return {function, shape.size, axes.first, parameters.per_block ? axes.first : axes.last};
  }
  /// The sizes of weight and bias.
  size_span normalized() const {
    return size_span(shape.size).subspan(axes.first, parameters.per_block ? 1 : axes.last - axes.first + 1);
  }
  /// The strides of memory that has the axes of x with these strides.
  kernel::rows_strides strides(const sizes<rank_of<X>>& stride) const {
    if constexpr (rank_of < X >> 1)
      if (parameters.per_block)
        return {shape.size[1] / parameters.groups * stride[1], row_major<X> ? 0 : 1, stride[1],
                row_major<X> ? 1 : shape.size[0] * shape.size[1]};
    return strides_of(stride, axes, row_major<X>);
  }
};

template <class X>
constexpr void check_data_type() {
  static_assert(
      supported_scalar<scalar_of<X>>,
      "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: cast x to one of these");
  static_assert(rank_of<X> > 0, "tensornorm normalizes over axes, and a scalar tensor has none: reshape x");
}

/// The rows of a norm over a run of axes, with a parameter for each normalized element.
template <class X>
row_plan<X> plan_rows(const char* function, const X& x, axis_range range) {
  check_data_type<X>();
  const auto s = shape_of(x);
  check_sizes(function, s.size, sizeof(scalar_of<X>));
  const axis_run axes = checked_axes(function, range, s.size);
  return {function, s, axes, rows_of(s.size, axes, row_major<X>), {}};
}

/// The rows of a norm over groups of channels, with a parameter for each channel.
template <class X>
row_plan<X> plan_groups(const char* function, const X& x, index groups) {
  static_assert(any_tensor<X>,
                "group_norm takes a tensor of batch, channels and any further axes: wrap a matrix in a "
                "TensorMap");
  check_data_type<X>();
  static_assert(rank_of<X> > 1, "group_norm needs a batch axis and a channel axis: reshape x");
  const auto s = shape_of(x);
  check_sizes(function, s.size, sizeof(scalar_of<X>));
  if (groups <= 0 || s.size[1] % groups != 0)
    fail(function, "groups is ", groups, ", expected a divisor of the ", s.size[1], " channels",
         call_site{function, s.size, 1, 1});
  const index batch = s.size[0];
  const index positions = count_of(size_span(s.size).subspan(2));
  return {function,
          s,
          {1, s.size.size() - 1},
          {row_major<X> ? batch * groups : groups, row_major<X> ? 1 : batch, s.size[1] / groups, positions},
          {true, groups}};
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

/// Elements in memory: where they are, and by which steps.
template <int Rank>
struct placed {
  const void* data = nullptr;
  extent memory{nullptr, nullptr};
  sizes<Rank> stride{};

  /// Both are the same elements.
  bool is(const placed& other) const { return data == other.data && stride == other.stride; }
};
template <class Scalar, int Rank, bool RowMajor>
placed<Rank> placed_at(const Scalar* data, const shape<Rank, RowMajor>& s) {
  return {data, extent_of(data, s.size, s.stride), s.stride};
}

template <class Scalar>
extent memory_of(const parameter<Scalar>& p) {
  return {reinterpret_cast<const char*>(p.data), reinterpret_cast<const char*>(p.data + p.count)};
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
