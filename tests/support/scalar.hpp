// The four scalars as the tests see them: exact value, spacing, bits.
#pragma once

#include <Eigen/Core>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace tensornorm_test {

/// The type in which references are computed.
using real = long double;

/// Digits of the significand and exponent of the smallest normal number, written out so that the
/// tests do not depend on numeric_limits of Eigen's own types.
template <class T>
struct format;
template <>
struct format<float> { static constexpr int digits = 24, min_exponent = -126; };
template <>
struct format<double> { static constexpr int digits = 53, min_exponent = -1022; };
template <>
struct format<Eigen::half> { static constexpr int digits = 11, min_exponent = -14; };
template <>
struct format<Eigen::bfloat16> { static constexpr int digits = 8, min_exponent = -126; };

template <class T>
inline constexpr bool is_16_bit = sizeof(T) == 2;

/// The distance from 1 to the next number of T.
template <class T>
real epsilon() {
  return std::ldexp(real{1}, 1 - format<T>::digits);
}

/// The distance between neighbours of T at |value|.
template <class T>
real ulp(real value) {
  const int lowest = format<T>::min_exponent;
  const int exponent = value == 0 ? lowest : std::max(std::ilogb(value), lowest);
  return std::ldexp(real{1}, exponent + 1 - format<T>::digits);
}

template <class T>
real widen(T value) {
  if constexpr (is_16_bit<T>)
    return static_cast<real>(static_cast<float>(value));
  else
    return static_cast<real>(value);
}

template <class T>
std::vector<real> widen(const std::vector<T>& values) {
  std::vector<real> wide;
  wide.reserve(values.size());
  for (const T& value : values) wide.push_back(widen(value));
  return wide;
}

/// Rounds once for float and double. The 16-bit types round from float, as Eigen does; data makers
/// hand in numbers that are floats already.
template <class T>
T narrow(double value) {
  if constexpr (is_16_bit<T>)
    return T(static_cast<float>(value));
  else
    return static_cast<T>(value);
}

template <std::size_t Bytes>
struct unsigned_of;
template <>
struct unsigned_of<2> { using type = std::uint16_t; };
template <>
struct unsigned_of<4> { using type = std::uint32_t; };
template <>
struct unsigned_of<8> { using type = std::uint64_t; };

/// The bits of a number, which tell NaN from NaN and 0 from -0.
template <class T>
auto bits(T value) {
  return std::bit_cast<typename unsigned_of<sizeof(T)>::type>(value);
}

template <class T>
T quiet_nan() {
  return narrow<T>(std::numeric_limits<double>::quiet_NaN());
}

template <class T>
bool is_nan(T value) {
  return std::isnan(widen(value));
}

/// What gtest calls a scalar in the names of typed tests.
struct scalar_names {
  template <class T>
  static std::string GetName(int) {
    if constexpr (std::is_same_v<T, float>) return "float";
    else if constexpr (std::is_same_v<T, double>) return "double";
    else if constexpr (std::is_same_v<T, Eigen::half>) return "half";
    else return "bfloat16";
  }
};

}  // namespace tensornorm_test
