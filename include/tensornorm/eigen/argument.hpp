// One view of everything that callers hand in: Tensor, TensorMap, TensorFixedSize, Matrix, Array,
// Map, Ref, Block. Sizes and strides at run time, rank and storage order at compile time.
#pragma once

#include <Eigen/Core>
#include <array>
#include <span>
#include <type_traits>
#include <unsupported/Eigen/CXX11/Tensor>

#include "../view/rows.hpp"
#include "scalar.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

using kernel::index;

template <class D>
std::true_type tensor_test(const Eigen::TensorBase<D, Eigen::ReadOnlyAccessors>*);
std::false_type tensor_test(...);
template <class D>
std::true_type matrix_test(const Eigen::DenseBase<D>*);
std::false_type matrix_test(...);

/// Anything of Eigen's Tensor module, expressions included.
template <class X>
concept any_tensor = decltype(tensor_test(static_cast<X*>(nullptr)))::value;
/// Anything of Eigen's dense module: matrices, arrays, vectors, maps, blocks, expressions.
template <class X>
concept any_matrix = decltype(matrix_test(static_cast<X*>(nullptr)))::value;
template <class X>
concept eigen_argument = any_tensor<X> || any_matrix<X>;

template <class X>
struct owns_memory : std::false_type {};
template <class S, int R, int O, class I>
struct owns_memory<Eigen::Tensor<S, R, O, I>> : std::true_type {};
template <class S, class D, int O, class I>
struct owns_memory<Eigen::TensorFixedSize<S, D, O, I>> : std::true_type {};
template <class P, int O, template <class> class M>
struct owns_memory<Eigen::TensorMap<P, O, M>> : std::true_type {};

/// A tensor whose elements lie in memory; any other tensor is an expression.
template <class X>
concept plain_tensor = any_tensor<X> && owns_memory<X>::value;
/// A matrix whose elements lie in memory, with any strides.
template <class X>
concept plain_matrix = any_matrix<X> && bool(Eigen::internal::traits<X>::Flags& Eigen::DirectAccessBit);

template <class X>
using scalar_of = std::remove_const_t<typename Eigen::internal::traits<X>::Scalar>;

template <class X>
constexpr bool is_vector = false;
template <any_matrix X>
constexpr bool is_vector<X> = bool(X::IsVectorAtCompileTime);

template <class X>
constexpr int rank_of = is_vector<X> ? 1 : 2;
template <any_tensor X>
constexpr int rank_of<X> = Eigen::internal::traits<X>::NumDimensions;

/// The last axis is the one whose elements are neighbours in memory.
template <class X>
constexpr bool row_major = bool(Eigen::internal::traits<X>::Flags& Eigen::RowMajorBit);
template <any_tensor X>
constexpr bool row_major<X> = int(Eigen::internal::traits<X>::Layout) == int(Eigen::RowMajor);

template <int Rank>
using sizes = std::array<index, static_cast<std::size_t>(Rank)>;
using size_span = std::span<const index>;

/// The number of elements of an array with the sizes given.
inline index count_of(size_span size) {
  index product = 1;
  for (index n : size) product *= n;
  return product;
}

/// Sizes and strides of an argument, in logical order of the axes.
template <int Rank, bool RowMajor>
struct shape {
  static constexpr int rank = Rank;
  static constexpr bool is_row_major = RowMajor;
  sizes<Rank> size{};
  sizes<Rank> stride{};
};

template <class X>
using shape_of_t = shape<rank_of<X>, row_major<X>>;

/// Fills in the strides of a tensor without gaps.
template <int Rank, bool RowMajor>
void set_dense_strides(shape<Rank, RowMajor>& s) {
  index step = 1;
  for (std::size_t n = 0; n < s.size.size(); ++n) {
    const std::size_t axis = RowMajor ? s.size.size() - 1 - n : n;
    s.stride[axis] = step;
    step *= s.size[axis];
  }
}

/// The shape of any tensor; that of an expression is worked out without evaluating it.
template <any_tensor X>
shape_of_t<X> shape_of(const X& x) {
  shape_of_t<X> s;
  const auto fill = [&s](const auto& dimensions) {
    for (std::size_t axis = 0; axis < s.size.size(); ++axis)
      s.size[axis] = static_cast<index>(dimensions[axis]);
  };
  if constexpr (plain_tensor<X>) {
    fill(x.dimensions());
  } else {
    const Eigen::DefaultDevice device;
    fill(Eigen::TensorEvaluator<const X, Eigen::DefaultDevice>(x, device).dimensions());
  }
  set_dense_strides(s);
  return s;
}

/// The shape of any matrix: a vector has rank 1. An expression without memory of its own counts as
/// the matrix it will be evaluated into.
template <any_matrix X>
shape_of_t<X> shape_of(const X& x) {
  shape_of_t<X> s;
  if constexpr (is_vector<X>)
    s.size = {x.size()};
  else
    s.size = {x.rows(), x.cols()};
  if constexpr (!plain_matrix<X>)
    set_dense_strides(s);
  else if constexpr (is_vector<X>)
    s.stride = {x.innerStride()};
  else if constexpr (row_major<X>)
    s.stride = {x.outerStride(), x.innerStride()};
  else
    s.stride = {x.innerStride(), x.outerStride()};
  return s;
}

/// The shape of matrix y seen with the rank of the argument it is the result for: vectors and
/// matrices of one column or row may stand for each other.
template <int Rank, any_matrix Y>
shape<Rank, row_major<Y>> shape_of_as(const Y& y) {
  const index row_step = row_major<Y> ? y.outerStride() : y.innerStride();
  const index col_step = row_major<Y> ? y.innerStride() : y.outerStride();
  if constexpr (Rank == 2)
    return {{y.rows(), y.cols()}, {row_step, col_step}};
  else if (y.cols() == 1)
    return {{y.rows()}, {row_step}};
  else
    return {{y.rows() == 1 ? y.cols() : y.size()}, {col_step}};
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
