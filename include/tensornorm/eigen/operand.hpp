// q, k, v, masks and biases as callers hand them in: four axes in memory.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "../view/heads.hpp"
#include "plan.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// An argument in memory, of any rank up to 4, with its axes aligned at the last one: 1 and 0 in place of
/// missing axes. An expression is evaluated and owned.
template <class Scalar>
struct operand {
  const Scalar* data = nullptr;
  sizes<4> size{1, 1, 1, 1};
  sizes<4> stride{0, 0, 0, 0};
  std::shared_ptr<const void> owner;

  extent memory() const { return extent_of(data, size, stride); }
};

/// The shape of a matrix is always rows x columns here, also that of a vector.
template <class X>
auto shape_in_full(const X& x) {
  if constexpr (any_tensor<X>) {
    return shape_of(x);
  } else {
    return shape_of_as<2>(x);
  }
}

template <class X>
operand<scalar_of<X>> read_operand(const X& x) {
  if constexpr (plain_tensor<X> || plain_matrix<X>) {
    operand<scalar_of<X>> result;
    result.data = x.data();
    const auto s = shape_in_full(x);
    static_assert(s.rank <= 4,
                  "tensornorm takes attention over at most four axes: batch, heads, tokens and dim");
    for (std::size_t axis = 0; axis < s.size.size(); ++axis) {
      result.size[axis + 4 - s.size.size()] = s.size[axis];
      result.stride[axis + 4 - s.size.size()] = s.stride[axis];
    }
    return result;
  } else {
    using value = std::conditional_t<
        any_tensor<X>,
        Eigen::Tensor<scalar_of<X>, rank_of<X>, row_major<X> ? Eigen::RowMajor : Eigen::ColMajor>,
        Eigen::Matrix<scalar_of<X>, Eigen::Dynamic, Eigen::Dynamic,
                      row_major<X> ? Eigen::RowMajor : Eigen::ColMajor>>;
    const auto owned = std::make_shared<const value>(x);
    auto result = read_operand(*owned);
    result.owner = owned;
    return result;
  }
}

/// Sizes in words, without the axes that were not there.
inline std::string operand_text(const sizes<4>& size, int rank) {
  return shape_text(size_span(size).subspan(static_cast<std::size_t>(4 - rank)));
}

/// batch x heads x tokens x dim, from whichever order they come in.
template <class Scalar>
void tokens_behind_heads(operand<Scalar>& x) {
  std::swap(x.size[1], x.size[2]);
  std::swap(x.stride[1], x.stride[2]);
}

inline kernel::heads_strides heads_strides_of(const sizes<4>& stride) {
  return {stride[0], stride[1], stride[2], stride[3]};
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
