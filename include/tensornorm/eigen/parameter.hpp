// Learned parameters as callers hand them in: absent, stored as they are, or stored minus one.
#pragma once

#include <algorithm>
#include <memory>

#include "argument.hpp"
#include "errors.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// A missing weight or bias:  layer_norm(x, none, b).
struct none_t {};
inline constexpr none_t none{};

/// A weight kept as weight − 1, as Gemma's checkpoints do; made by unit_offset(w).
template <class W>
struct unit_offset_t {
  const W& weight;
};

/// Multiplies by 1 + w instead of w. The sum is taken in accumulator_t, so that a bfloat16 w loses
/// nothing.
template <detail::eigen_argument W>
unit_offset_t<W> unit_offset(const W& w) {
  return {w};
}

namespace detail {

template <class P>
struct parameter_traits {
  using scalar = void;
};
template <eigen_argument P>
struct parameter_traits<P> {
  using scalar = scalar_of<P>;
};
template <class W>
struct parameter_traits<unit_offset_t<W>> {
  using scalar = scalar_of<W>;
};

/// A parameter of which a layer knows at run time only whether it exists: empty, it is absent.
template <class P>
struct unless_empty_t {
  const P& parameter;
};
template <class P>
unless_empty_t<P> unless_empty(const P& p) {
  return {p};
}
template <class P>
struct parameter_traits<unless_empty_t<P>> {
  using scalar = scalar_of<P>;
};
template <class P>
constexpr bool may_be_empty = false;
template <class P>
constexpr bool may_be_empty<unless_empty_t<P>> = true;

template <class P>
concept plain_parameter = plain_tensor<P> || plain_matrix<P>;

/// What may stand for a weight or a bias.
template <class P>
concept norm_parameter =
    std::is_same_v<P, none_t> || eigen_argument<P> || !std::is_void_v<typename parameter_traits<P>::scalar>;

/// The scalar in which a kernel reads parameter P of data X; that of X where P is absent.
template <class P, class X>
using parameter_scalar = std::conditional_t<std::is_void_v<typename parameter_traits<P>::scalar>,
                                            scalar_of<X>, typename parameter_traits<P>::scalar>;

/// A parameter ready for a kernel: one value after another, in the storage order of x.
template <class Scalar>
struct parameter {
  const Scalar* data = nullptr;  // absent: null
  index count = 0;
  bool plus_one = false;
  std::shared_ptr<Scalar[]> copy;  // where the caller's memory has gaps or another order
};

/// The step through dense memory of the given sizes along an axis.
inline index dense_stride(size_span size, std::size_t axis, bool row_major) {
  index step = 1;
  for (std::size_t other = 0; other < size.size(); ++other)
    if (row_major ? other > axis : other < axis) step *= size[other];
  return step;
}

/// A parameter has exactly the normalized shape, or is flat, in row-major order whatever the
/// storage. True if p is flat; throws if it is neither.
template <int Rank, bool RowMajor>
bool is_flat(const call_site& call, const char* name, size_span normalized, const shape<Rank, RowMajor>& p) {
  if (std::ranges::equal(p.size, normalized)) return false;
  const index count = count_of(normalized);
  if (Rank == 1 && p.size[0] == count) return true;
  if (Rank == 1 && normalized.size() == 1)
    fail(call.function, name, " has ", p.size[0], " elements, expected ", count, call);
  fail(call.function, name, " has shape ", shape_text(p.size), ", expected ", shape_text(normalized),
       normalized.size() > 1 ? " or as many elements in one axis" : "", call);
}

/// Reads p for data whose normalized axes have the sizes given, stored row-major or not. Points into
/// p where it can; copies where p has gaps, has another order, or is `temporary`.
template <plain_parameter P>
parameter<scalar_of<P>> read_plain(const call_site& call, const char* name, size_span normalized,
                                   bool x_row_major, const P& p, bool temporary = false) {
  const auto own = shape_of(p);
  const bool flat = is_flat(call, name, normalized, own);
  const auto step = [&](std::size_t axis) {
    return flat ? dense_stride(normalized, axis, true) * own.stride[0]
                : own.stride[std::min(axis, own.stride.size() - 1)];
  };
  parameter<scalar_of<P>> result{p.data(), count_of(normalized), false, nullptr};
  bool in_order = !temporary;
  for (std::size_t axis = 0; axis < normalized.size(); ++axis)
    in_order =
        in_order && (normalized[axis] == 1 || step(axis) == dense_stride(normalized, axis, x_row_major));
  if (in_order) return result;

  result.copy = std::shared_ptr<scalar_of<P>[]>(new scalar_of<P>[static_cast<std::size_t>(result.count)]);
  for (index i = 0; i < result.count; ++i) {
    index offset = 0;
    for (std::size_t axis = 0; axis < normalized.size(); ++axis)
      offset += i / dense_stride(normalized, axis, x_row_major) % normalized[axis] * step(axis);
    result.copy[i] = p.data()[offset];
  }
  result.data = result.copy.get();
  return result;
}

/// Reads any parameter of data X; an expression is evaluated first.
template <class X, norm_parameter P>
parameter<parameter_scalar<P, X>> read_parameter(const call_site& call, const char* name,
                                                 size_span normalized, const P& p) {
  if constexpr (std::is_same_v<P, none_t>) {
    return {};
  } else if constexpr (may_be_empty<P>) {
    if (p.parameter.size() == 0) return {};
    return read_parameter<X>(call, name, normalized, p.parameter);
  } else if constexpr (!eigen_argument<P>) {
    auto result = read_parameter<X>(call, name, normalized, p.weight);
    result.plus_one = true;
    return result;
  } else if constexpr (plain_parameter<P>) {
    return read_plain(call, name, normalized, row_major<X>, p);
  } else if constexpr (any_tensor<P>) {
    const Eigen::Tensor<scalar_of<P>, rank_of<P>, row_major<P> ? Eigen::RowMajor : Eigen::ColMajor> value = p;
    return read_plain(call, name, normalized, row_major<X>, value, true);
  } else {
    const typename P::PlainObject value = p;
    return read_plain(call, name, normalized, row_major<X>, value, true);
  }
}

}  // namespace detail
}  // namespace tensornorm::inline TENSORNORM_ABI
