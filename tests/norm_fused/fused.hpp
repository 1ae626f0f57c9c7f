// What the tests of fusion share: the norms as types, tensors of every layout, and functions applied one
// number at a time.
#pragma once

#include <sstream>

#include "../support/bounds.hpp"
#include "../support/levels.hpp"
#include "../support/tensors.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {

template <class T>
using vector = Eigen::Tensor<T, 1>;

struct rms {
  static auto of(const auto& x, const auto& w, const auto&, tn::axis_range axes) {
    return tn::rms_norm(x, w, {.axes = axes});
  }
};
struct simple {
  static auto of(const auto& x, const auto& w, const auto&, tn::axis_range axes) {
    return tn::simple_norm(x, w, {.axes = axes});
  }
};
struct layer {
  static auto of(const auto& x, const auto& w, const auto& b, tn::axis_range axes) {
    return tn::layer_norm(x, w, b, {.axes = axes});
  }
};
/// Two groups of channels; the axes are always 1 and all that follow.
struct group {
  static auto of(const auto& x, const auto& w, const auto& b, tn::axis_range) {
    return tn::group_norm(x, 2, w, b);
  }
};

/// How many parameters go with a tensor.
template <class Norm, class Tensor>
Eigen::Index parameters_of(const Tensor& x, tn::axis_range axes) {
  if (std::is_same_v<Norm, group>) return x.dimension(1);
  const int rank = Tensor::NumDimensions;
  Eigen::Index count = 1;
  for (int axis = (axes.first + rank) % rank; axis <= (axes.last + rank) % rank; ++axis)
    count *= x.dimension(axis);
  return count;
}

/// Hands f a shape, as a tensor of T, and the axes to normalize: rows, channels of both storage orders, runs
/// of axes.
template <class Norm, class T, class F>
void for_each_layout(const F& f) {
  using row4 = row_major_tensor<T, 4>;
  using col4 = col_major_tensor<T, 4>;
  if constexpr (std::is_same_v<Norm, group>) {
    for (const Eigen::Index side : {1, 4, 9}) {
      f(row4(2, 6, side, 5), 1);
      f(col4(2, 6, side, 5), 1);
    }
    f(row_major_tensor<T, 2>(5, 128), 1);
    f(col_major_tensor<T, 2>(5, 128), 1);
  } else {
    for (const Eigen::Index size : {2, 3, 16, 31, 64, 65, 130, 257, 1025})
      for (const Eigen::Index rows : {1, 2, 7}) f(row_major_tensor<T, 2>(rows, size), -1);
    f(row_major_tensor<T, 2>(33, 64), -1);
    f(row_major_tensor<T, 2>(2, 4099), -1);
    f(row_major_tensor<T, 2>(1, 70001), -1);
    for (const Eigen::Index size : {2, 5, 64, 65, 130}) {
      f(col_major_tensor<T, 2>(37, size), -1);
      f(col_major_tensor<T, 2>(size, 7), 0);
      f(row_major_tensor<T, 3>(2, size, 35), 1);
      f(col_major_tensor<T, 3>(3, size, 17), 1);
    }
    f(row4(2, 5, 7, 19), tn::axis_range(1, 2));
    f(col4(2, 5, 7, 19), tn::axis_range(1, 2));
    f(row4(3, 2, 5, 7), tn::axis_range(-2, -1));
    f(col4(3, 2, 5, 7), tn::axis_range(-2, -1));
  }
}

/// What stands in a message of a failed test.
template <class Tensor>
std::string shape_name(const Tensor& x, tn::axis_range axes) {
  std::ostringstream text;
  text << (int(Tensor::Layout) == int(Eigen::RowMajor) ? "row-major" : "column-major");
  for (const auto n : extents_of(x)) text << ' ' << n;
  text << ", axes " << axes.first << " to " << axes.last;
  return text.str();
}

template <class Tensor>
Tensor filled_with_nan(const Tensor& like) {
  Tensor result(like.dimensions());
  result.setConstant(quiet_nan<typename Tensor::Scalar>());
  return result;
}

/// A matrix of numbers that depend on the seed and the place in memory.
template <class Matrix>
Matrix normal_matrix(Eigen::Index rows, Eigen::Index cols, std::uint32_t seed) {
  Matrix m(rows, cols);
  const auto values = normal<typename Matrix::Scalar>(static_cast<std::size_t>(m.size()), seed, 0.25, 2);
  std::ranges::copy(values, m.data());
  return m;
}

/// The functions of the library, as types that vectors of any size take.
using silu_of = kernel::silu_function;
using gelu_of = kernel::gelu_function;
using gelu_tanh_of = kernel::gelu_tanh_function;
struct tanh_of {
  template <class V>
  TENSORNORM_INLINE V operator()(const V& y) const {
    return kernel::tanh(y);
  }
};

/// Applies a function of vectors to one number after the other: with AVX2 wherever AVX-512 is in use, so that
/// the two are compared.
struct one_by_one {
  template <class Isa, class F, class T>
  static TENSORNORM_INLINE void run(const F& f, T* values, std::size_t count) {
    using V = kernel::vec<Isa, T, 1>;
    for (std::size_t i = 0; i < count; ++i) values[i] = f(V::splat(values[i]))[0];
  }
};

template <class F, class T>
std::vector<T> each(const F& f, std::vector<T> values) {
  const auto level = std::min(kernel::active_isa(), kernel::isa_level::avx2);
  kernel::dispatch_at<one_by_one>(level, f, values.data(), values.size());
  return values;
}

}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
