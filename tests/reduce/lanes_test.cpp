// Tiles act as one vector of all their lanes, and load, choose, halve and round like one.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "../support/data.hpp"
#include "../support/levels.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

/// Runs f at every level with each tile: 64 lanes of a row, and columns.
template <class T, class F>
void for_each_tile(const F& f) {
  run_at_each_level<each_lanes<T>>([&f](auto type) TENSORNORM_INLINE_LAMBDA {
    if constexpr (requires(typename decltype(type)::type l) { l.part; }) f(type);
  });
}

/// Lane by lane, tile is expected(lane).
template <class L, class Expected>
TENSORNORM_INLINE void expect_lanes(const L& tile, const Expected& expected) {
  using T = typename L::scalar;
  for (int lane = 0; lane < L::size; ++lane) {
    const T value = tile[lane];
    const T wanted = expected(static_cast<std::size_t>(lane));
    EXPECT_EQ(bits(value), bits(wanted))
        << "lane " << lane << " of " << L::size << ": " << value << ", expected " << wanted;
  }
}

template <class T>
class tiles : public testing::Test {};
using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(tiles, scalars, scalar_names);

TYPED_TEST(tiles, compute_lane_by_lane) {
  using T = TypeParam;
  const auto a = normal<T>(64, 1), b = normal<T>(64, 2, 3), c = normal<T>(64, 3);
  for_each_tile<T>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const L x = kernel::load_lanes<L>(a.data()), y = kernel::load_lanes<L>(b.data()),
            z = kernel::load_lanes<L>(c.data());
    expect_lanes(x, [&](std::size_t i) { return a[i]; });
    expect_lanes(x + y, [&](std::size_t i) { return a[i] + b[i]; });
    expect_lanes(x - y, [&](std::size_t i) { return a[i] - b[i]; });
    expect_lanes(x * y, [&](std::size_t i) { return a[i] * b[i]; });
    expect_lanes(x / y, [&](std::size_t i) { return a[i] / b[i]; });
    expect_lanes(abs(x), [&](std::size_t i) { return std::abs(a[i]); });
    expect_lanes(sqrt(abs(x)), [&](std::size_t i) { return std::sqrt(std::abs(a[i])); });
    expect_lanes(larger(x, z), [&](std::size_t i) { return std::max(a[i], c[i]); });
    expect_lanes(L::splat(T(2.5)), [](std::size_t) { return T(2.5); });
    if constexpr (L::isa::has_fma)
      expect_lanes(fma(x, y, z), [&](std::size_t i) { return std::fma(a[i], b[i], c[i]); });
  });
}

TYPED_TEST(tiles, set_and_halve_by_the_number_of_a_lane) {
  using T = TypeParam;
  for_each_tile<T>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    L x = L::splat(-1);
    for (int lane = 0; lane < L::size; ++lane) x.set(lane, static_cast<T>(lane));
    expect_lanes(x, [](std::size_t i) { return static_cast<T>(i); });
    static_assert(decltype(lower(x))::size == L::size / 2 && decltype(upper(x))::size == L::size / 2);
    expect_lanes(lower(x), [](std::size_t i) { return static_cast<T>(i); });
    expect_lanes(upper(x), [](std::size_t i) { return static_cast<T>(i + L::size / 2); });
  });
}

TYPED_TEST(tiles, choose_the_lanes_from_a_number_on) {
  using T = TypeParam;
  const auto a = normal<T>(64, 4), b = normal<T>(64, 5);
  for_each_tile<T>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (int first = 0; first <= L::size; ++first)
      expect_lanes(lanes_from(first, kernel::load_lanes<L>(a.data()), kernel::load_lanes<L>(b.data())),
                   [&](std::size_t i) { return i >= static_cast<std::size_t>(first) ? a[i] : b[i]; });
  });
}

TYPED_TEST(tiles, see_a_single_lane_outside_a_range) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (int lane = 0; lane < L::size; ++lane)
      for (const T value : {T(0.5), T(1), T(3), T(3.5), nan}) {
        L x = L::splat(2);
        x.set(lane, value);
        EXPECT_EQ(any_outside(x, T(1), T(3)), !(value >= 1 && value <= 3)) << value << " in lane " << lane;
      }
  });
}

TYPED_TEST(tiles, keep_the_larger_and_pass_over_a_nan_on_the_right_only) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const L number = L::splat(-2);
    expect_lanes(larger(number, L::splat(nan)), [](std::size_t) { return T(-2); });
    expect_lanes(larger(L::splat(nan), number), [nan](std::size_t) { return nan; });
    expect_lanes(larger(number, L::splat(-3)), [](std::size_t) { return T(-2); });
    expect_lanes(larger(number, L::splat(5)), [](std::size_t) { return T(5); });
  });
}

template <class S>
void expect_rounded_like_single_numbers() {
  const auto a = normal<float>(64, 6, 0, 100);
  for_each_tile<float>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    expect_lanes(kernel::round_to<S>(kernel::load_lanes<L>(a.data())),
                 [&](std::size_t i) { return kernel::widen<float>(kernel::narrow<S>(a[i])); });
  });
}

TEST(float_tiles, round_like_single_numbers) {
  expect_rounded_like_single_numbers<float>();
  expect_rounded_like_single_numbers<kernel::float16>();
  expect_rounded_like_single_numbers<kernel::bfloat16>();
}

TEST(float_tiles, load_numbers_of_16_bits_in_the_order_of_memory) {
  std::vector<kernel::bfloat16> numbers;
  for (int i = 0; i < 64; ++i)
    numbers.push_back(kernel::narrow<kernel::bfloat16>(static_cast<float>(i) - 20.5f));
  run_at_each_level<each_lanes<float>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    expect_lanes(kernel::load_lanes<typename decltype(type)::type>(numbers.data()),
                 [](std::size_t i) { return static_cast<float>(i) - 20.5f; });
  });
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
