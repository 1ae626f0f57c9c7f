// Fits a request to an array: axes, sizes, and parameters in the array's own order.
#include "normalize.hpp"

#include <algorithm>

namespace {

using sizes = std::vector<std::ptrdiff_t>;

Eigen::Index count_of(sizes::const_iterator begin, sizes::const_iterator end) {
  Eigen::Index product = 1;
  for (; begin != end; ++begin) product *= *begin;
  return product;
}

/// An axis counted from the first, as an iterator into the shape.
sizes::const_iterator checked_axis(const sizes& shape, int axis) {
  const int rank = static_cast<int>(shape.size());
  if (axis < -rank || axis >= rank)
    throw misfit("axis " + std::to_string(axis) + " does not exist in an array of shape " +
                 npy::shape_text(shape) + ", whose axes are 0 to " + std::to_string(rank - 1));
  return shape.begin() + (axis < 0 ? axis + rank : axis);
}

/// The normalized axes; for group_norm the channels.
std::pair<sizes::const_iterator, sizes::const_iterator> normalized_axes(const sizes& shape,
                                                                        const norm_request& request) {
  if (shape.empty()) throw misfit("the input is a single number, and a norm needs an axis");
  if (request.kind == norm::group) {
    if (shape.size() < 2)
      throw misfit("group norm needs a batch axis and a channel axis, and the input has the shape " +
                   npy::shape_text(shape));
    return {shape.begin() + 1, shape.begin() + 2};
  }
  const auto first = checked_axis(shape, request.first_axis);
  const auto last = checked_axis(shape, request.last_axis);
  if (first > last)
    throw misfit("axes " + std::to_string(request.first_axis) + " to " + std::to_string(request.last_axis) +
                 " of an array of shape " + npy::shape_text(shape) +
                 " are no run: the first comes after the last");
  return {first, last + 1};
}

Eigen::Index row_size(const three_axes& axes, const norm_request& request) {
  return request.kind == norm::group ? axes.normalized / request.groups * axes.after : axes.normalized;
}

Eigen::Index row_count(const three_axes& axes, const norm_request& request) {
  return axes.before * (request.kind == norm::group ? request.groups : axes.after);
}

/// What the library would refuse too, but in terms of the three axes and not of the file's.
void check_divisors(const sizes& shape, const three_axes& axes, const norm_request& request) {
  if (request.kind == norm::group && (request.groups < 1 || axes.normalized % request.groups != 0))
    throw misfit(std::to_string(request.groups) + " groups do not divide the " +
                 std::to_string(axes.normalized) + " channels of the input, whose shape is " +
                 npy::shape_text(shape));
  const Eigen::Index correction = request.kind == norm::simple  ? 1
                                  : request.kind == norm::layer ? request.correction
                                                                : 0;
  if (correction < 0)
    throw misfit("the correction is " + std::to_string(correction) + ", and it must not be negative");
  const Eigen::Index size = row_size(axes, request);
  if (row_count(axes, request) > 0 && size <= correction)
    throw misfit("each row of the input has " + std::to_string(size) +
                 " elements, and the norm divides by N - " + std::to_string(correction));
}

/// The elements of an array with this shape, in the other storage order.
template <class Scalar>
std::vector<Scalar> in_other_order(const std::vector<Scalar>& values, const sizes& shape, bool to_fortran) {
  std::vector<Scalar> result(values.size());
  std::vector<std::size_t> step(shape.size());  // from one index to the next, in the order of `values`
  std::size_t total = 1;
  for (std::size_t n = 0; n < shape.size(); ++n) {
    const std::size_t axis = to_fortran ? shape.size() - 1 - n : n;
    step[axis] = total;
    total *= static_cast<std::size_t>(shape[axis]);
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    std::size_t rest = i, from = 0;
    for (std::size_t n = 0; n < shape.size(); ++n) {
      const std::size_t axis = to_fortran ? n : shape.size() - 1 - n;
      from += rest % static_cast<std::size_t>(shape[axis]) * step[axis];
      rest /= static_cast<std::size_t>(shape[axis]);
    }
    result[i] = values[from];
  }
  return result;
}

/// A weight or bias of exactly the normalized shape, or flat in C order, in the type that the library
/// computes with and in the storage order of the input. One that is absent is filled with the value that
/// changes nothing: tensornorm::none would do, but each way to leave something out is compiled apart.
template <class Scalar>
std::vector<Scalar> read_parameter(const char* name, const std::optional<npy::array>& parameter,
                                   Scalar neutral, const sizes& normalized, bool fortran_order) {
  const Eigen::Index count = count_of(normalized.begin(), normalized.end());
  if (!parameter) return std::vector<Scalar>(static_cast<std::size_t>(count), neutral);
  const bool flat = parameter->shape.size() == 1 && parameter->shape[0] == count;
  if (!flat && parameter->shape != normalized)
    throw misfit(std::string("the ") + name + " has the shape " + npy::shape_text(parameter->shape) +
                 ", and the normalized axes have " + npy::shape_text(normalized));
  std::vector<Scalar> values = std::visit(
      [](const auto& own) {
        std::vector<Scalar> result(own.size());
        std::transform(own.begin(), own.end(), result.begin(),
                       [](auto value) { return static_cast<Scalar>(value); });
        return result;
      },
      parameter->values);
  const bool stored_fortran = parameter->fortran_order && !flat;
  return stored_fortran == fortran_order ? values : in_other_order(values, normalized, fortran_order);
}

}  // namespace

norm_report normalize(npy::array& x, const norm_request& request) {
  const sizes& shape = x.shape;
  const auto [first, end] = normalized_axes(shape, request);
  const three_axes axes{count_of(shape.begin(), first), count_of(first, end), count_of(end, shape.end())};
  check_divisors(shape, axes, request);
  const sizes normalized(first, end);
  norm_report report = std::visit(
      [&]<class Scalar>(std::vector<Scalar>& values) {
        using number = tensornorm::accumulator_t<Scalar>;
        const auto weight = read_parameter<number>("weight", request.weight, 1, normalized, x.fortran_order);
        // Of the two zeros only the negative one changes nothing, not even the sign of a zero.
        const auto bias =
            read_parameter<number>("bias", request.bias, number(-0.0), normalized, x.fortran_order);
        return normalize_values(values, x.fortran_order, axes, request, weight, bias);
      },
      x.values);
  report.rows = row_count(axes, request);
  report.size = row_size(axes, request);
  return report;
}
