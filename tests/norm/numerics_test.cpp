// What the library promises about arithmetic: no cancellation, the whole range of the type, exact
// results where the formula is exact.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
constexpr std::ptrdiff_t some_lengths[] = {2, 3, 7, 16, 17, 63, 64, 65, 130, 768, 1025, 4099};

template <class T>
void expect_matches(const formula& f, const row_block& block, const std::vector<T>& x) {
  EXPECT_TRUE(within_bounds(normalized(f, block, x), expected_rows(f, block, x)))
      << name_of(f.kind) << " of " << block << ", eps " << f.eps;
}

/// The largest magnitudes and the smallest that a type can be asked to normalize.
template <class T>
std::vector<double> extreme_scales() {
  if constexpr (std::is_same_v<T, double>)
    return {1e200, 1.7e308, 1e-200, 1e-160, 1e-310};
  else if constexpr (std::is_same_v<T, Eigen::half>)
    return {65504, 6e-5, 6e-6};
  else
    return {1e20, 3e38, 1e-19, 1e-25, 1e-40};
}

template <class T>
class arithmetic : public testing::Test {};
TYPED_TEST_SUITE(arithmetic, scalars, scalar_names);

TYPED_TEST(arithmetic, layer_norm_of_one_element_is_exactly_the_bias) {
  auto values = extreme_scales<TypeParam>();
  values.insert(values.end(), {0.0, 1.0, -0.1, 3.3e4, 1e-7});
  for (const double value : values)
    for (const std::ptrdiff_t rows : {1, 2, 65}) {
      const std::vector<TypeParam> x(static_cast<std::size_t>(rows), narrow<TypeParam>(value));
      const std::vector<TypeParam> weight = {narrow<TypeParam>(3.7)};
      const std::vector<TypeParam> bias = {narrow<TypeParam>(-0.3)};
      for (const double eps : {1e-5, 1e-12})
        for (const TypeParam y : normalized({norm::layer, eps, 0}, {rows, 1, 1}, x, weight, bias))
          EXPECT_EQ(bits(y), bits(bias[0])) << value;
    }
}

TYPED_TEST(arithmetic, layer_norm_of_a_constant_row_is_exactly_the_bias) {
  for (std::ptrdiff_t length = 1; length <= 259; ++length)
    for (const double value : {1.0, 0.1, 1e4, -7.3, 0.0}) {
      const row_block block{2, length, length % 3 == 0 ? 5 : 1};
      const std::vector<TypeParam> x(block.count(), narrow<TypeParam>(value));
      const std::vector<TypeParam> weight(block.length(), narrow<TypeParam>(1.9));
      const std::vector<TypeParam> bias(block.length(), narrow<TypeParam>(0.7));
      const formula f{norm::layer, 1e-5, 0};
      const auto y = normalized(f, block, x, weight, bias);
      EXPECT_TRUE(same_bits(y, std::vector<TypeParam>(block.count(), bias[0]))) << block << " of " << value;
      for (const TypeParam without_bias : normalized(f, block, x)) EXPECT_EQ(widen(without_bias), 0) << block;
    }
}

TYPED_TEST(arithmetic, rms_norm_and_simple_norm_of_a_constant_row_match_the_reference) {
  for (const std::ptrdiff_t length : some_lengths)
    for (const double value : {0.0, 0.1, 1e4}) {
      const row_block block{3, length, 1};
      const std::vector<TypeParam> x(block.count(), narrow<TypeParam>(value));
      expect_matches({norm::rms, 1e-6, 0}, block, x);
      expect_matches({norm::simple, 1e-6, 0}, block, x);
    }
}

TYPED_TEST(arithmetic, a_zero_row_is_zero_with_eps_and_nan_without) {
  for (const std::ptrdiff_t length : some_lengths) {
    const row_block block{2, length, 1};
    const std::vector<TypeParam> zeros(block.count(), TypeParam(0));
    for (const formula& f : three_norms()) {
      for (const TypeParam y : normalized(f, block, zeros)) EXPECT_EQ(widen(y), 0) << name_of(f.kind);
      const formula without_eps{f.kind, 0, 0};
      for (const TypeParam y : normalized(without_eps, block, zeros))
        EXPECT_TRUE(is_nan(y)) << name_of(f.kind);
    }
  }
}

/// Exponents that make a row large or small, and those that bring its squares to the ends of their range.
template <class T>
std::vector<int> exponents() {
  std::vector<int> all = {-4, -1, 1, 9};
  if constexpr (std::is_same_v<T, double>)
    all.insert(all.end(), {-520, -511, -510, -500, 480, 509, 511});
  else if constexpr (!std::is_same_v<T, Eigen::half>)
    all.insert(all.end(), {-70, -63, -62, -55, 50, 62, 63, 100});
  return all;
}

TYPED_TEST(arithmetic, scaling_a_row_by_a_power_of_two_keeps_every_bit_without_eps) {
  for (const std::ptrdiff_t length : some_lengths) {
    const row_block block{3, length, 1};
    const auto x = normal<TypeParam>(block.count(), 11);
    for (const int exponent : exponents<TypeParam>()) {
      auto scaled = x;
      for (TypeParam& value : scaled)
        value = narrow<TypeParam>(std::ldexp(static_cast<double>(widen(value)), exponent));
      for (const norm kind : {norm::rms, norm::simple, norm::layer})
        EXPECT_TRUE(same_bits(normalized({kind, 0, 0}, block, scaled), normalized({kind, 0, 0}, block, x)))
            << name_of(kind) << " of " << block << " times 2^" << exponent;
    }
  }
}

TYPED_TEST(arithmetic, correction_zero_one_and_two_divide_by_n_minus_the_correction) {
  for (const int correction : {0, 1, 2})
    for (const std::ptrdiff_t length : {3, 4, 65, 130, 1025}) {
      const row_block block{3, length, 1};
      expect_matches({norm::layer, 1e-5, correction}, block, normal<TypeParam>(block.count(), 12, 1, 2));
    }
}

TYPED_TEST(arithmetic, eps_stands_inside_the_root) {
  for (const double eps : {1e-12, 1e-3, 0.25, 1e3})
    for (const norm kind : {norm::rms, norm::simple, norm::layer}) {
      const row_block block{3, 65, 1};
      expect_matches({kind, eps, 0}, block, normal<TypeParam>(block.count(), 13, 0.1, 0.5));
    }
}

TYPED_TEST(arithmetic, eps_counts_in_rows_whose_squares_leave_the_range) {
  // Rows of this size, and an eps like the squares of their elements.
  std::vector<std::pair<double, double>> scales_and_eps = {{1e-17, 1e-34}, {1e20, 3e38}};
  if constexpr (std::is_same_v<TypeParam, double>) scales_and_eps = {{1e-150, 1e-300}, {1e155, 1e307}};
  if constexpr (std::is_same_v<TypeParam, Eigen::half>) scales_and_eps = {{6e-6, 1e-11}};
  for (const auto& [scale, eps] : scales_and_eps)
    for (const std::ptrdiff_t inner : {1, 5}) {
      const row_block block{5, 65, inner};
      for (const norm kind : {norm::rms, norm::simple, norm::layer})
        expect_matches({kind, eps, 0}, block, normal<TypeParam>(block.count(), 18, 0, scale));
    }
}

TYPED_TEST(arithmetic, norms_are_scale_invariant_over_the_whole_range) {
  for (const std::ptrdiff_t length : some_lengths)
    for (const std::ptrdiff_t inner : {1, 5, length < 1000 ? 70 : 17})
      for (const double scale : extreme_scales<TypeParam>()) {
        const row_block block{2, length, inner};
        std::vector<TypeParam> x;
        for (const double z : normal<double>(block.count(), 14, 0.03125, 0.125))
          x.push_back(narrow<TypeParam>(z * scale));
        x.back() = narrow<TypeParam>(-scale);
        for (const norm kind : {norm::rms, norm::simple, norm::layer}) expect_matches({kind, 0, 0}, block, x);
      }
}

TYPED_TEST(arithmetic, a_huge_or_tiny_row_leaves_its_neighbours_their_bits) {
  for (const std::ptrdiff_t inner : {1, 3, 70})
    for (const double scale : extreme_scales<TypeParam>()) {
      const row_block block{6, 100, inner};
      const auto plain = normal<TypeParam>(block.count(), 15);
      auto mixed = plain;
      for (std::size_t i = 0; i < 100; ++i) {
        TypeParam& value = mixed[i * static_cast<std::size_t>(inner)];
        value = narrow<TypeParam>(std::clamp(static_cast<double>(widen(value)), -1.0, 1.0) * scale);
      }
      for (const norm kind : {norm::rms, norm::simple, norm::layer}) {
        const formula f{kind, 0, 0};
        auto y = normalized(f, block, mixed);
        const auto alone = normalized(f, block, plain);
        EXPECT_TRUE(within_bounds(y, expected_rows(f, block, mixed))) << name_of(kind) << " " << scale;
        for (std::size_t i = 0; i < 100; ++i) {
          const std::size_t changed = i * static_cast<std::size_t>(inner);
          y[changed] = alone[changed];
        }
        EXPECT_TRUE(same_bits(y, alone)) << name_of(kind) << " " << scale;
      }
    }
}

TYPED_TEST(arithmetic, layer_norm_of_a_constant_row_of_an_extreme_number_is_exactly_the_bias) {
  for (const std::ptrdiff_t length : some_lengths)
    for (const double scale : extreme_scales<TypeParam>())
      for (const std::ptrdiff_t inner : {1, 5}) {
        const row_block block{2, length, inner};
        const std::vector<TypeParam> x(block.count(), narrow<TypeParam>(-scale));
        const std::vector<TypeParam> bias(block.length(), narrow<TypeParam>(0.7));
        const std::vector<TypeParam> weight(block.length(), narrow<TypeParam>(1));
        const auto y = normalized({norm::layer, 1e-5, 0}, block, x, weight, bias);
        EXPECT_TRUE(same_bits(y, std::vector<TypeParam>(block.count(), bias[0]))) << block << " of " << scale;
      }
}

TEST(float_arithmetic, layer_norm_of_rows_at_1e4_with_deviation_1e_2_is_right_to_4e_7) {
  for (const std::ptrdiff_t length : {64, 768, 1025, 4096, 65537}) {
    const row_block block{4, length, 1};
    const auto x = normal<float>(block.count(), 16, 1e4, 1e-2);
    const formula f{norm::layer, 1e-5, 0};
    const auto y = normalized(f, block, x);
    const reference expected = expected_rows(f, block, x);
    real worst = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
      worst =
          std::max(worst, std::abs(widen(y[i]) - expected.y[i]) / std::max(real{1}, expected.row_peak[i]));
    EXPECT_LE(worst, 4e-7) << block;
  }
}

TEST(float_arithmetic, a_row_that_begins_far_from_its_mean_is_right_and_leaves_its_neighbours_their_bits) {
  for (const std::ptrdiff_t length : {65, 100, 1025, 4099, 65536, 70001})
    for (const std::ptrdiff_t inner : {1, 5}) {
      const row_block block{3, length, inner};
      const auto plain = normal<float>(block.count(), 19, 1e4, 1e-2);
      auto x = plain;
      const auto middle = [&](std::ptrdiff_t i) { return static_cast<std::size_t>((length + i) * inner); };
      for (std::ptrdiff_t i = 0; i < 64; ++i) x[middle(i)] = static_cast<float>(i % 5);
      for (const norm kind : {norm::layer, norm::simple}) {
        const formula f{kind, 1e-5, 0};
        auto y = normalized(f, block, x);
        EXPECT_TRUE(within_bounds(y, expected_rows(f, block, x))) << name_of(kind) << " of " << block;
        const auto alone = normalized(f, block, plain);
        for (std::ptrdiff_t i = 0; i < length; ++i) y[middle(i)] = alone[middle(i)];
        EXPECT_TRUE(same_bits(y, alone)) << name_of(kind) << " of " << block;
      }
    }
}

TEST(float_arithmetic, layer_norm_of_40000_to_40003_does_not_cancel) {
  for (const std::ptrdiff_t length : {4, 8, 64, 100, 260, 1028, 4100}) {
    const row_block block{2, length, 1};
    std::vector<float> x(block.count());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 40000 + static_cast<float>(i % 4);
    for (const norm kind : {norm::layer, norm::simple}) expect_matches({kind, 1e-5, 0}, block, x);
    const auto y = normalized({norm::layer, 0, 0}, block, x);
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(y[i], (static_cast<double>(i % 4) - 1.5) / std::sqrt(1.25), 1e-6) << block;
  }
}

TEST(float_arithmetic, a_huge_number_may_come_first_or_last_in_a_long_row) {
  for (const std::ptrdiff_t inner : {1, 3})
    for (const bool last : {false, true}) {
      const row_block block{1, 70001, inner};
      auto x = normal<float>(block.count(), 19);
      for (std::size_t i = 0; i < 30; ++i) x[last ? x.size() - 1 - i : i] *= 1e38f;
      for (const norm kind : {norm::rms, norm::simple, norm::layer}) expect_matches({kind, 0, 0}, block, x);
    }
}

TEST(half_arithmetic, squares_beyond_65504_do_not_overflow) {
  for (const std::ptrdiff_t length : some_lengths) {
    const row_block block{3, length, 1};
    std::vector<Eigen::half> x;
    for (const double z : normal<double>(block.count(), 17))
      x.push_back(Eigen::half(z < 0.5 ? 65504.f : -60000.f));
    for (const formula& f : three_norms())
      if (f.kind != norm::simple) expect_matches(f, block, x);
    const std::vector<Eigen::half> flat(block.count(), Eigen::half(65504.f));
    for (const Eigen::half y : normalized({norm::rms, 1e-6, 0}, block, flat))
      EXPECT_EQ(bits(y), 0x3c00) << block;
  }
}

TEST(float_arithmetic, the_root_mean_square_of_more_ones_than_a_float_can_count_is_one) {
  const row_block block{1, (1 << 24) + 2, 1};
  std::vector<float> x(block.count(), 1.f);
  normalize_rows<float>({norm::rms, 0, 0}, block, {x.data(), x.data()});
  for (const float extreme : {*std::ranges::min_element(x), *std::ranges::max_element(x)})
    EXPECT_NEAR(extreme, 1, static_cast<double>(epsilon<float>()));
}

TEST(float_arithmetic, the_mean_of_more_elements_than_a_float_can_count_is_right) {
  const row_block block{1, (1 << 24) + 2, 1};
  std::vector<float> x(block.count());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 ? 3.f : 1.f;
  tn::statistics<float> saved;
  normalize_rows<float>({norm::layer, 0, 0}, block, {x.data(), x.data(), nullptr, nullptr, &saved});
  EXPECT_EQ(saved.mean(0) + saved.mean_residual(0), 2);
  EXPECT_EQ(x[0], -1);
  EXPECT_EQ(x.back(), 1);
}

}  // namespace
}  // namespace tensornorm_test
