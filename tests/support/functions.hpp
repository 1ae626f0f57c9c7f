// Functions of single numbers, tried on every kind of vector at every instruction set.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "levels.hpp"
#include "scalar.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {

/// What a vector type made of a list of numbers.
template <class T>
struct outcome {
  int lanes;
  bool fused;
  std::vector<T> y;
};

/// operation(x) with every vector type.
template <class T, class Operation>
std::vector<outcome<T>> outcomes(const Operation& operation, const std::vector<T>& x) {
  std::vector<outcome<T>> all;
  EXPECT_EQ(x.size() % 16, 0u);
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    outcome<T> result{V::size, V::isa::has_fma, std::vector<T>(x.size())};
    for (std::size_t i = 0; i < x.size(); i += V::size) operation(V::load(&x[i])).store(&result.y[i]);
    all.push_back(std::move(result));
  });
  return all;
}

/// expected(x, y) holds for every number and every vector type.
template <class T, class Operation, class Expected>
void expect_of_each(const Operation& operation, std::vector<T> x, const Expected& expected) {
  while (x.size() % 16 != 0) x.push_back(x.front());
  for (const auto& result : outcomes(operation, x))
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_TRUE(expected(x[i], result.y[i]))
          << result.lanes << " lanes, lane " << i % static_cast<std::size_t>(result.lanes)
          << (result.fused ? ", fused: " : ": ") << std::hexfloat << x[i] << " gave " << result.y[i];
}

template <class T>
inline constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
inline constexpr T smallest_normal = std::numeric_limits<T>::min();

/// NaNs of both signs and every kind of payload.
template <class T>
std::vector<T> nans() {
  using word = typename unsigned_of<sizeof(T)>::type;
  const word quiet = bits(std::numeric_limits<T>::quiet_NaN());
  const word sign = word{1} << (8 * sizeof(T) - 1);
  std::vector<T> all;
  for (int bit = 0; bit < format<T>::digits - 1; ++bit)
    for (const word s : {word{0}, sign}) all.push_back(std::bit_cast<T>(quiet | s | word{1} << bit));
  const word every_bit = ~word{0};
  all.push_back(std::bit_cast<T>(every_bit));
  all.push_back(std::bit_cast<T>(every_bit ^ sign));
  return all;
}

/// Numbers evenly spread over [low, high).
template <class T>
void add_spread(std::vector<T>& x, T low, T high, int count) {
  std::mt19937_64 random(211);
  for (int i = 0; i < count; ++i) {
    const T at = static_cast<T>(std::ldexp(static_cast<real>(random()), -64));
    const T value = low + (high - low) * at;
    if (value < high) x.push_back(value);
  }
}

/// A number, those beside it, and their opposites.
template <class T>
void add_neighbours(std::vector<T>& x, T value) {
  for (const T y : {value, std::nextafter(value, infinity<T>), std::nextafter(value, -infinity<T>)}) {
    x.push_back(y);
    x.push_back(-y);
  }
}

/// Numbers of every magnitude, down to the smallest, in [2^lowest, 2^highest).
template <class T>
void add_magnitudes(std::vector<T>& x, int lowest, int highest) {
  std::mt19937 random(212);
  for (int exponent = lowest; exponent < highest; ++exponent)
    for (int i = 0; i < 24; ++i) {
      const T significand = 1 + static_cast<T>(random()) * T(0x1p-32);
      const T value = std::ldexp(std::min(significand, 2 - std::numeric_limits<T>::epsilon()), exponent);
      x.push_back(value);
      x.push_back(-value);
    }
}

/// What a function gives for a list, worked out once.
template <class T>
std::vector<real> expected_of(real (*function)(real), const std::vector<T>& x) {
  std::vector<real> y;
  for (const T value : x) y.push_back(function(static_cast<real>(value)));
  return y;
}

/// Every result is within bound(expected, fused) of what is expected.
template <class T, class Operation, class Bound>
void expect_within(const Operation& operation, const std::vector<T>& x, const std::vector<real>& expected,
                   const Bound& bound) {
  for (const auto& result : outcomes(operation, x))
    for (std::size_t i = 0; i < x.size(); ++i) {
      const real error = std::abs(static_cast<real>(result.y[i]) - expected[i]);
      ASSERT_LE(error, bound(expected[i], result.fused))
          << result.lanes << (result.fused ? " lanes, fused: " : " lanes: ") << std::hexfloat << x[i]
          << " gave " << result.y[i];
    }
}

/// Every vector type with fused multiply-add makes the same bits.
template <class T, class Operation>
void expect_same_bits_with_fma(const Operation& operation, const std::vector<T>& x) {
  const auto all = outcomes(operation, x);
  const outcome<T>* first = nullptr;
  for (const auto& result : all) {
    if (!result.fused) continue;
    if (!first) first = &result;
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(bits(result.y[i]), bits(first->y[i]))
          << result.lanes << " lanes against " << first->lanes << ": " << std::hexfloat << x[i];
  }
}

}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
