// 2^x and tanh: within their bounds over the whole range, exact where softmax relies on it, at every
// instruction set and every size of vector; and the small operations that they and attention are made of.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <tensornorm/simd/exp.hpp>
#include <tensornorm/simd/transpose.hpp>
#include <vector>

#include "../support/functions.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

using kernel::isa_level;

/// Numbers of the operations, as types that vectors of any size take.
struct exp2_of {
  template <class V>
  TENSORNORM_INLINE V operator()(const V& x) const {
    return kernel::exp2(x);
  }
};
struct tanh_of {
  template <class V>
  TENSORNORM_INLINE V operator()(const V& x) const {
    return kernel::tanh(x);
  }
};

/// Where exp2 may be called: everywhere below this.
template <class T>
constexpr T exp2_end = static_cast<T>(-format<T>::min_exponent) + T(1.5);

template <class T>
std::vector<T> exp2_arguments() {
  std::vector<T> x;
  const T top = exp2_end<T>;
  add_spread<T>(x, -top - 2, top, 100000);
  add_spread<T>(x, -1, 1, 20000);
  add_magnitudes<T>(x, format<T>::min_exponent, 6);
  for (T half = 0; half < top; half += T(0.5)) add_neighbours(x, half);
  // The worst of all floats between -2 and 2, with fused multiply-add and without.
  add_neighbours(x, T(-0x1.fcb1eap-2));
  add_neighbours(x, T(-0x1.7fe126p+0));
  std::erase_if(x, [&](T value) { return !(value < top); });
  while (x.size() % 16 != 0) x.push_back(T(0.5));
  return x;
}

template <class T>
std::vector<T> tanh_arguments() {
  std::vector<T> x;
  add_spread<T>(x, -12, 12, 60000);
  add_spread<T>(x, -1, 1, 40000);
  add_magnitudes<T>(x, format<T>::min_exponent, -format<T>::min_exponent);
  for (T value = 0; value < 40; value += T(0.25)) add_neighbours(x, value);
  for (int n = 0; n < 40; ++n) add_neighbours(x, static_cast<T>(n * std::numbers::ln2 / 4));
  // The worst of all floats, with fused multiply-add and without.
  add_neighbours(x, T(0x1.3350dp-1));
  add_neighbours(x, T(0x1.6b4764p-1));
  std::erase_if(x, [](T value) { return std::abs(value) < smallest_normal<T>; });
  while (x.size() % 16 != 0) x.push_back(T(0.5));
  return x;
}

template <class T>
struct exponentials : testing::Test {};
using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(exponentials, scalars, scalar_names);

TYPED_TEST(exponentials, of_base_2_are_within_one_unit_in_the_last_place) {
  using T = TypeParam;
  auto x = exp2_arguments<T>();
  // Below, results are subnormal and become 0.
  for (T& value : x)
    if (value < format<T>::min_exponent) value = format<T>::min_exponent;
  // Without fused multiply-add the last product, and those of the polynomial, have roundings of their own,
  // together below half a unit.
  expect_within(exp2_of(), x, expected_of(std::exp2, x),
                [](real y, bool fused) { return (fused ? 1 : real{1.5L}) * ulp<T>(y); });
}

TYPED_TEST(exponentials, of_base_2_are_exact_for_every_integer) {
  using T = TypeParam;
  std::vector<T> x{-T(0)};
  for (int n = format<T>::min_exponent; n <= -format<T>::min_exponent + 1; ++n)
    x.push_back(static_cast<T>(n));
  expect_of_each(exp2_of(), x,
                 [](T n, T y) { return bits(y) == bits(std::ldexp(T(1), static_cast<int>(n))); });
}

TYPED_TEST(exponentials, of_minus_infinity_are_zero_in_every_lane) {
  using T = TypeParam;
  for (int at = 0; at < 16; ++at) {
    std::vector<T> x(16, T(1));
    x[static_cast<std::size_t>(at)] = -infinity<T>;
    expect_of_each(exp2_of(), x, [](T value, T y) { return bits(y) == bits(value < 0 ? T(0) : T(2)); });
  }
  expect_of_each(exp2_of(), std::vector<T>{-infinity<T>}, [](T, T y) { return bits(y) == bits(T(0)); });
}

TYPED_TEST(exponentials, below_half_a_power_under_the_smallest_normal_number_are_zero) {
  using T = TypeParam;
  const T first = format<T>::min_exponent;
  std::vector<T> x{std::nextafter(first - T(0.5), -infinity<T>),
                   first - T(0.75),
                   first - 1,
                   first - T(1.5),
                   first - 30,
                   2 * first,
                   T(-1e6),
                   T(-1e30),
                   -std::numeric_limits<T>::max()};
  add_spread<T>(x, first - 60, std::nextafter(first - T(0.5), -infinity<T>), 2000);
  expect_of_each(exp2_of(), x, [](T, T y) { return bits(y) == bits(T(0)); });
}

TYPED_TEST(exponentials, rise_with_their_arguments) {
  using T = TypeParam;
  std::vector<T> x;
  for (T value = -20; value < 20; value += T(0x1p-8)) x.push_back(value);
  while (x.size() % 16 != 0) x.push_back(x.back());
  for (const auto& result : outcomes(exp2_of(), x))
    for (std::size_t i = 1; i < x.size(); ++i) ASSERT_LE(result.y[i - 1], result.y[i]) << x[i];
}

TYPED_TEST(exponentials, of_nan_are_nan_whatever_its_payload) {
  using T = TypeParam;
  expect_of_each(exp2_of(), nans<T>(), [](T, T y) { return std::isnan(y); });
  expect_of_each(tanh_of(), nans<T>(), [](T, T y) { return std::isnan(y); });
}

TYPED_TEST(exponentials, keep_a_nan_in_its_lane) {
  using T = TypeParam;
  for (std::size_t at = 0; at < 16; ++at) {
    std::vector<T> x(16, T(0));
    x[at] = std::numeric_limits<T>::quiet_NaN();
    expect_of_each(exp2_of(), x, [](T value, T y) { return std::isnan(value) ? std::isnan(y) : y == 1; });
    expect_of_each(tanh_of(), x, [](T value, T y) { return std::isnan(value) ? std::isnan(y) : y == 0; });
  }
}

TYPED_TEST(exponentials, have_the_same_bits_wherever_there_is_fused_multiply_add) {
  using T = TypeParam;
  expect_same_bits_with_fma(exp2_of(), exp2_arguments<T>());
  expect_same_bits_with_fma(tanh_of(), tanh_arguments<T>());
}

TYPED_TEST(exponentials, make_a_hyperbolic_tangent_within_its_relative_error) {
  using T = TypeParam;
  const auto x = tanh_arguments<T>();
  // Without fused multiply-add the rounding of 2 log2(e) x cannot be told, and moves the result by as much:
  // half an epsilon.
  expect_within(tanh_of(), x, expected_of(std::tanh, x), [](real y, bool fused) {
    return (fused ? real{1.6L} : real{2}) * epsilon<T>() * std::abs(y);
  });
}

TYPED_TEST(exponentials, make_a_hyperbolic_tangent_of_the_smallest_numbers_to_the_last_subnormal_bit) {
  using T = TypeParam;
  std::vector<T> x;
  const T step = std::numeric_limits<T>::denorm_min();
  for (int n = 1; n < 1000; ++n) x.push_back(static_cast<T>(n) * step);
  for (T value = smallest_normal<T>; value > 0; value /= 2) add_neighbours(x, value);
  expect_of_each(tanh_of(), x, [&](T value, T y) { return std::abs(y - value) <= step; });
}

TYPED_TEST(exponentials, make_a_hyperbolic_tangent_that_is_odd_and_never_beyond_one) {
  using T = TypeParam;
  const auto x = tanh_arguments<T>();
  auto opposite = x;
  for (T& value : opposite) value = -value;
  const auto y = outcomes(tanh_of(), x);
  const auto z = outcomes(tanh_of(), opposite);
  for (std::size_t n = 0; n < y.size(); ++n)
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(bits(y[n].y[i]), bits(-z[n].y[i])) << std::hexfloat << x[i];
      ASSERT_LE(std::abs(y[n].y[i]), 1) << std::hexfloat << x[i];
    }
}

TYPED_TEST(exponentials, make_a_hyperbolic_tangent_of_exactly_one_far_out_and_of_zero_at_zero) {
  using T = TypeParam;
  const T largest = std::numeric_limits<T>::max();
  expect_of_each(tanh_of(), std::vector<T>{infinity<T>, largest, T(1e10), 32, 33},
                 [](T, T y) { return y == 1; });
  expect_of_each(tanh_of(), std::vector<T>{-infinity<T>, -largest, T(-1e10), -32, -33},
                 [](T, T y) { return y == -1; });
  expect_of_each(tanh_of(), std::vector<T>{0, -T(0)}, [](T, T y) { return y == 0; });
}

/// Numbers where rounding, zeros, infinities and NaN show.
template <class T>
std::vector<T> awkward_numbers() {
  using limits = std::numeric_limits<T>;
  std::vector<T> x{0,
                   -T(0),
                   1,
                   -1,
                   1 + limits::epsilon(),
                   1 - limits::epsilon() / 2,
                   T(0.1),
                   T(-1) / 3,
                   3,
                   T(-7.25),
                   T(4097),
                   limits::min(),
                   limits::denorm_min(),
                   -limits::denorm_min(),
                   limits::max(),
                   -limits::max(),
                   infinity<T>,
                   -infinity<T>};
  x.push_back(std::bit_cast<T>(bits(limits::quiet_NaN()) | 5));
  x.push_back(-std::bit_cast<T>(bits(limits::quiet_NaN()) | 9));
  return x;
}

/// operation(a, b) on vectors is expected(a, b) to the bit, for every pair and every vector type; any NaN
/// for a NaN where that is said.
template <class T, class Operation, class Expected>
void expect_of_pairs(const Operation& operation, const Expected& expected, bool any_nan) {
  std::vector<T> a, b;
  for (const T x : awkward_numbers<T>())
    for (const T y : awkward_numbers<T>()) {
      a.push_back(x);
      b.push_back(y);
    }
  ASSERT_EQ(a.size() % 16, 0u);
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    std::vector<T> y(a.size());
    for (std::size_t i = 0; i < a.size(); i += V::size)
      operation(V::load(&a[i]), V::load(&b[i])).store(&y[i]);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const T wanted = expected(a[i], b[i]);
      ASSERT_TRUE(bits(y[i]) == bits(wanted) || (any_nan && std::isnan(y[i]) && std::isnan(wanted)))
          << V::size << " lanes of " << a[i] << " and " << b[i] << ": " << y[i] << ", expected " << wanted;
    }
  });
}

template <class T>
struct vectors_of_attention : testing::Test {};
TYPED_TEST_SUITE(vectors_of_attention, scalars, scalar_names);

TYPED_TEST(vectors_of_attention, multiply_with_one_rounding) {
  using T = TypeParam;
  expect_of_pairs<T>([](const auto& a, const auto& b)
                         TENSORNORM_INLINE_LAMBDA { return kernel::times(a, b); },
                     [](T a, T b) { return a * b; }, true);
}

TYPED_TEST(vectors_of_attention, round_a_product_before_it_goes_into_a_sum) {
  using T = TypeParam;
  const T e = std::numeric_limits<T>::epsilon();
  expect_of_pairs<T>([](const auto& a, const auto& b)
                         TENSORNORM_INLINE_LAMBDA { return kernel::times(a, b) + a; },
                     [](T a, T b) { return multiply_add(a, b, a, false); }, true);
  // (1 + e)(1 - e) is 1 once it is rounded.
  const std::vector<T> x(16, 1 + e);
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    const V one = V::splat(1);
    const V product = kernel::times(V::load(x.data()), V::splat(1 - e));
    for (int lane = 0; lane < V::size; ++lane) EXPECT_EQ((product - one)[lane], 0);
  });
}

TYPED_TEST(vectors_of_attention, take_the_larger_and_the_first_where_either_is_nan_or_both_are_equal) {
  using T = TypeParam;
  const auto larger = [](T a, T b) { return a < b ? b : a; };
  expect_of_pairs<T>([](const auto& a, const auto& b)
                         TENSORNORM_INLINE_LAMBDA { return kernel::larger(a, b); },
                     larger, false);
  expect_of_pairs<T>([](const auto& a, const auto& b)
                         TENSORNORM_INLINE_LAMBDA { return kernel::larger(b, a); },
                     [&](T a, T b) { return larger(b, a); }, false);
}

template <int Count, class T>
void expect_shifted(const std::vector<T>& x) {
  using word = typename unsigned_of<sizeof(T)>::type;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    std::vector<T> y(x.size());
    for (std::size_t i = 0; i < x.size(); i += V::size)
      kernel::shift_bits_left<Count>(V::load(&x[i])).store(&y[i]);
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(bits(y[i]), static_cast<word>(bits(x[i]) << Count)) << V::size << " lanes by " << Count;
  });
}

TYPED_TEST(vectors_of_attention, move_the_bits_of_every_lane_up_and_none_into_the_next) {
  using T = TypeParam;
  using word = typename unsigned_of<sizeof(T)>::type;
  std::mt19937_64 random(213);
  std::vector<T> x{std::bit_cast<T>(~word{0}), std::bit_cast<T>(word{1})};
  while (x.size() < 160) x.push_back(std::bit_cast<T>(static_cast<word>(random())));
  expect_shifted<1>(x);
  expect_shifted<7>(x);
  expect_shifted<format<T>::digits - 1>(x);
  expect_shifted<8 * static_cast<int>(sizeof(T)) - 1>(x);
}

/// Transposes a block of 16-byte rows.
template <class T>
struct transposes {
  template <class Isa, class F>
  static TENSORNORM_INLINE void run(const F& f) {
    f(std::type_identity<kernel::packet<Isa, T>>());
  }
};

TYPED_TEST(vectors_of_attention, turn_square_blocks_over_their_diagonal) {
  using T = TypeParam;
  run_at_each_level<transposes<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    V row[static_cast<std::size_t>(V::size)];
    for (int i = 0; i < V::size; ++i) {
      row[i] = V::splat(0);
      for (int j = 0; j < V::size; ++j) row[i].set(j, static_cast<T>(10 * i + j));
    }
    transpose(row);
    for (int i = 0; i < V::size; ++i)
      for (int j = 0; j < V::size; ++j) EXPECT_EQ(row[i][j], static_cast<T>(10 * j + i)) << i << ", " << j;
  });
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
