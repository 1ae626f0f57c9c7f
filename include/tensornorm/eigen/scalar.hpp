// Which scalars the library takes, and in which type it computes with them.
#pragma once

#include <Eigen/Core>
#include <type_traits>

#include "../simd/float16.hpp"

namespace tensornorm::inline TENSORNORM_ABI {
namespace detail {

/// The type under which the kernels know an Eigen scalar of the same bits.
template <class Scalar>
struct stored {
  using type = void;
};
template <>
struct stored<float> {
  using type = float;
};
template <>
struct stored<double> {
  using type = double;
};
template <>
struct stored<Eigen::half> {
  using type = kernel::float16;
};
template <>
struct stored<Eigen::bfloat16> {
  using type = kernel::bfloat16;
};

template <class Scalar>
using stored_t = typename stored<std::remove_const_t<Scalar>>::type;

template <class Scalar>
constexpr bool supported_scalar = !std::is_void_v<stored_t<Scalar>>;

template <class Scalar>
const stored_t<Scalar>* stored_pointer(const Scalar* data) {
  return reinterpret_cast<const stored_t<Scalar>*>(data);
}
template <class Scalar>
stored_t<Scalar>* stored_pointer(Scalar* data) {
  return reinterpret_cast<stored_t<Scalar>*>(data);
}

/// A parameter of type P fits data of type X: the same type, or a wider one.
template <class P, class X>
constexpr bool parameter_fits = std::is_same_v<P, X> || (std::is_same_v<P, float> && sizeof(X) == 2) ||
                                (std::is_same_v<P, double> && sizeof(X) <= 4);

}  // namespace detail

/// The type in which the library computes with data of type Scalar, and in which statistics are
/// kept: float for half, bfloat16 and float; double for double.
template <class Scalar>
using accumulator_t = std::conditional_t<std::is_same_v<std::remove_const_t<Scalar>, double>, double, float>;

}  // namespace tensornorm::inline TENSORNORM_ABI
