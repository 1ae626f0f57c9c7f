// The functions that may follow a norm: within their bounds over the whole range, and the same bits in every
// kind of vector with fused multiply-add.
#include <gtest/gtest.h>

#include <numbers>
#include <tensornorm/tensornorm.hpp>

#include "../support/functions.hpp"
#include "fused.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

/// What each is in truth. silu and gelu_tanh, x / 2 · (1 + tanh(u)), are written so that nothing cancels.
real exact(silu_of, real x) { return x / (1 + std::exp(-x)); }
real exact(gelu_of, real x) { return x / 2 * std::erfc(-x / std::numbers::sqrt2_v<real>); }
real exact(gelu_tanh_of, real x) {
  const real u = std::sqrt(2 / std::numbers::pi_v<real>) * (x + 0.044715L * x * x * x);
  return x / (1 + std::exp(-2 * u));
}
real exact(tanh_of, real x) { return std::tanh(x); }

/// Everything from the smallest number to the largest, most of it where the functions bend.
template <class T>
std::vector<T> arguments() {
  std::vector<T> x{0, -T(0), 1e4, -1e4, std::numeric_limits<T>::max(), -std::numeric_limits<T>::max()};
  add_spread<T>(x, -16, 16, 60000);
  add_spread<T>(x, -1, 1, 30000);
  add_spread<T>(x, -200, 200, 10000);
  add_spread<T>(x, -1e4, 1e4, 2000);
  add_magnitudes<T>(x, format<T>::min_exponent - format<T>::digits + 2, -format<T>::min_exponent);
  for (T value = 0; value < 40; value += T(0.25)) add_neighbours(x, value);
  for (int n = 0; n < 300; ++n) add_neighbours(x, static_cast<T>(n * std::numbers::ln2 / 2));
  for (T value = smallest_normal<T>; value > 0; value /= 2) add_neighbours(x, value);
  while (x.size() % 16 != 0) x.push_back(T(0.5));
  return x;
}

template <class Case>
struct functions : testing::Test {};

using cases =
    testing::Types<std::pair<float, silu_of>, std::pair<float, gelu_of>, std::pair<float, gelu_tanh_of>,
                   std::pair<float, tanh_of>, std::pair<double, silu_of>, std::pair<double, gelu_of>,
                   std::pair<double, gelu_tanh_of>, std::pair<double, tanh_of>>;
struct case_names {
  template <class Case>
  static std::string GetName(int) {
    using F = typename Case::second_type;
    const char* const name = std::is_same_v<F, silu_of>        ? "silu"
                             : std::is_same_v<F, gelu_of>      ? "gelu"
                             : std::is_same_v<F, gelu_tanh_of> ? "gelu_tanh"
                                                               : "tanh";
    return scalar_names::GetName<typename Case::first_type>(0) + "_" + name;
  }
};
TYPED_TEST_SUITE(functions, cases, case_names);

TYPED_TEST(functions, are_within_four_epsilon_of_their_argument_over_the_whole_range) {
  using T = typename TypeParam::first_type;
  using function = typename TypeParam::second_type;
  const auto x = arguments<T>();
  for (const auto& result : outcomes(function(), x))
    for (std::size_t i = 0; i < x.size(); ++i) {
      const real error = std::abs(static_cast<real>(result.y[i]) - exact(function(), x[i]));
      const real bound = 4 * epsilon<T>() * std::max<real>(std::abs(x[i]), smallest_normal<T>);
      ASSERT_LE(error, bound) << result.lanes << (result.fused ? " lanes, fused: " : " lanes: ")
                              << std::hexfloat << x[i] << " gave " << result.y[i];
    }
}

TYPED_TEST(functions, have_the_same_bits_in_every_kind_of_vector_with_fused_multiply_add) {
  expect_same_bits_with_fma(typename TypeParam::second_type(), arguments<typename TypeParam::first_type>());
}

TYPED_TEST(functions, of_zero_are_zero_and_of_nan_nan) {
  using T = typename TypeParam::first_type;
  using function = typename TypeParam::second_type;
  expect_of_each(function(), std::vector<T>{0, -T(0)}, [](T, T y) { return y == 0; });
  expect_of_each(function(), nans<T>(), [](T, T y) { return std::isnan(y); });
}

TYPED_TEST(functions, of_infinity_are_their_limits) {
  using T = typename TypeParam::first_type;
  using function = typename TypeParam::second_type;
  const bool is_tanh = std::is_same_v<function, tanh_of>;
  expect_of_each(function(), std::vector<T>{infinity<T>},
                 [&](T, T y) { return y == (is_tanh ? T(1) : infinity<T>); });
  expect_of_each(function(), std::vector<T>{-infinity<T>},
                 [&](T, T y) { return y == (is_tanh ? T(-1) : T(0)); });
}

TYPED_TEST(functions, treat_each_lane_alone) {
  using T = typename TypeParam::first_type;
  using function = typename TypeParam::second_type;
  std::vector<T> x(16, T(0.75));
  const T alone = outcomes(function(), x).back().y[0];
  for (std::size_t at = 0; at < 16; ++at)
    for (const T stranger : {quiet_nan<T>(), infinity<T>, -infinity<T>, T(1e30), T(-1e30), T(0)}) {
      auto disturbed = x;
      disturbed[at] = stranger;
      const bool any_fused = outcomes(function(), x).back().fused;
      for (const auto& result : outcomes(function(), disturbed)) {
        if (result.fused != any_fused) continue;
        for (std::size_t i = 0; i < 16; ++i) {
          if (i == at) continue;
          ASSERT_EQ(bits(result.y[i]), bits(alone)) << stranger << " in lane " << at;
        }
      }
    }
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
