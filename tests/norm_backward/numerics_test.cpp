// Rows far from zero, huge and tiny: what the forward pass can normalize has gradients, too.
#include <gtest/gtest.h>

#include <algorithm>

#include "../support/backward.hpp"
#include "../support/backward_bounds.hpp"

namespace tensornorm_test {
namespace {

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;

/// Magnitudes whose squares leave the range of the type, and whose gradients do not.
template <class T>
std::vector<double> extreme_scales() {
  if constexpr (std::is_same_v<T, double>)
    return {1e200, 1e-160, 1e-200};
  else if constexpr (std::is_same_v<T, Eigen::half>)
    return {2048, 6e-3};
  else
    return {1e20, 1e-19, 1e-25};
}

template <class T>
class backward_arithmetic : public testing::Test {
 protected:
  static void expect_matches(const formula& f, const row_block& block, const backward_input<T>& input,
                             const gradients<T>& result) {
    const auto expected = expected_gradients(f, block, input);
    EXPECT_TRUE(dx_within_bounds(result.x, expected)) << "dx";
    EXPECT_TRUE(dweight_within_bounds<T>(result.weight, expected)) << "dweight";
  }

  /// Rows of a magnitude, with one element that reaches it.
  static backward_input<T> scaled(const row_block& block, double scale) {
    auto input = input_for<T>(block, plain_data, 241);
    const auto z = normal<double>(block.count(), 242, 0.03125, 0.125);
    for (std::size_t i = 0; i < z.size(); ++i) input.x[i] = narrow<T>(z[i] * scale);
    input.x.back() = narrow<T>(-scale);
    return input;
  }
};
TYPED_TEST_SUITE(backward_arithmetic, scalars, scalar_names);

TYPED_TEST(backward_arithmetic, of_rows_of_any_magnitude_matches_the_long_double_reference) {
  for (const std::ptrdiff_t length : {3, 16, 17, 65, 130, 1025, 4099})
    for (const std::ptrdiff_t inner : {1, 5, length < 1000 ? 70 : 17})
      for (const double scale : extreme_scales<TypeParam>())
        for (const norm kind : {norm::rms, norm::simple, norm::layer})
          for (const bool with_saved : {false, true}) {
            const row_block block{2, length, inner};
            const formula f{kind, 0, 0};
            SCOPED_TRACE(testing::Message() << name_of(kind) << " of " << block << " times " << scale
                                            << ", saved " << with_saved);
            const auto input = this->scaled(block, scale);
            const auto saved = saved_by_forward(f, block, input.x);
            this->expect_matches(f, block, input,
                                 backward_of(f, block, input, with_saved ? &saved : nullptr));
          }
}

TYPED_TEST(backward_arithmetic,
           scaling_a_row_by_a_power_of_two_divides_dx_by_it_and_keeps_the_bits_of_dweight) {
  using T = TypeParam;
  std::vector<int> exponents = {-4, 3};
  if constexpr (std::is_same_v<T, double>) exponents.insert(exponents.end(), {-520, 520});
  if constexpr (std::is_same_v<T, float>) exponents.insert(exponents.end(), {-70, -62, 62, 70});
  for (const std::ptrdiff_t length : {3, 17, 64, 130, 1025})
    for (const std::ptrdiff_t inner : {1, 5})
      for (const norm kind : {norm::rms, norm::simple, norm::layer}) {
        const row_block block{3, length, inner};
        auto input = input_for<T>(block, plain_data, 243);
        const formula f{kind, 0, 0};
        const auto plain = backward_of(f, block, input);
        const auto x = input.x;
        for (const int exponent : exponents) {
          SCOPED_TRACE(testing::Message() << name_of(kind) << " of " << block << " times 2^" << exponent);
          for (std::size_t i = 0; i < x.size(); ++i)
            input.x[i] = narrow<T>(std::ldexp(static_cast<double>(widen(x[i])), exponent));
          const auto result = backward_of(f, block, input);
          EXPECT_TRUE(same_bits(result.weight, plain.weight));
          std::size_t different = 0;
          for (std::size_t i = 0; i < x.size(); ++i) {
            const bool normal_number = std::abs(widen(result.x[i])) > 4 * ulp<T>(0) / epsilon<T>() &&
                                       std::abs(widen(plain.x[i])) > 4 * ulp<T>(0) / epsilon<T>();
            different += normal_number && widen(result.x[i]) != std::ldexp(widen(plain.x[i]), -exponent);
          }
          EXPECT_EQ(different, 0);
        }
      }
}

TYPED_TEST(backward_arithmetic, of_a_huge_or_tiny_row_leaves_its_neighbours_their_bits) {
  using T = TypeParam;
  for (const std::ptrdiff_t inner : {1, 3, 70})
    for (const double scale : extreme_scales<T>())
      for (const norm kind : {norm::rms, norm::simple, norm::layer}) {
        const row_block block{6, 100, inner};
        const formula f{kind, 0, 0};
        SCOPED_TRACE(testing::Message() << name_of(kind) << " of " << block << " times " << scale);
        auto input = input_for<T>(block, plain_data, 244);
        const auto alone = backward_of(f, block, input);
        for (std::size_t i = 0; i < 100; ++i) {
          T& value = input.x[i * static_cast<std::size_t>(inner)];
          value = narrow<T>(std::clamp(static_cast<double>(widen(value)), -1.0, 1.0) * scale);
        }
        auto result = backward_of(f, block, input);
        this->expect_matches(f, block, input, result);
        for (std::size_t i = 0; i < 100; ++i) {
          const std::size_t changed = i * static_cast<std::size_t>(inner);
          result.x[changed] = alone.x[changed];
        }
        EXPECT_TRUE(same_bits(result.x, alone.x));
      }
}

TYPED_TEST(backward_arithmetic, eps_counts_in_rows_whose_squares_leave_the_range) {
  std::vector<std::pair<double, double>> scales_and_eps = {{1e-17, 1e-34}, {1e20, 3e38}};
  if constexpr (std::is_same_v<TypeParam, double>) scales_and_eps = {{1e-150, 1e-300}, {1e155, 1e307}};
  if constexpr (std::is_same_v<TypeParam, Eigen::half>) scales_and_eps = {{6e-3, 1e-5}};
  for (const auto& [scale, eps] : scales_and_eps)
    for (const std::ptrdiff_t inner : {1, 5})
      for (const norm kind : {norm::rms, norm::simple, norm::layer}) {
        const row_block block{5, 65, inner};
        SCOPED_TRACE(testing::Message()
                     << name_of(kind) << " of " << block << " times " << scale << ", eps " << eps);
        const auto input = this->scaled(block, scale);
        this->expect_matches({kind, eps, 0}, block, input, backward_of({kind, eps, 0}, block, input));
      }
}

TEST(float_gradients, of_layer_norm_of_40000_to_40003_do_not_cancel) {
  for (const std::ptrdiff_t length : {4, 8, 64, 100, 260, 1028, 4100}) {
    const row_block block{2, length, 1};
    auto input = input_for<float>(block, plain_data, 245);
    for (std::size_t i = 0; i < input.x.size(); ++i) input.x[i] = 40000 + static_cast<float>(i % 4);
    for (const norm kind : {norm::layer, norm::simple}) {
      const formula f{kind, 1e-5, 0};
      const auto result = backward_of(f, block, input);
      const auto expected = expected_gradients(f, block, input);
      EXPECT_TRUE(dx_within_bounds(result.x, expected)) << name_of(kind) << " of " << block;
      EXPECT_TRUE(dweight_within_bounds<float>(result.weight, expected)) << name_of(kind) << " of " << block;
    }
  }
}

TEST(float_gradients, of_a_row_that_begins_far_from_its_mean_are_right_and_leave_the_neighbours_their_bits) {
  for (const std::ptrdiff_t length : {65, 100, 1025, 4099, 70001})
    for (const std::ptrdiff_t inner : {1, 5})
      for (const norm kind : {norm::layer, norm::simple}) {
        const row_block block{3, length, inner};
        const formula f{kind, 1e-5, 0};
        auto input = input_for<float>(block, everyday_data[1], 246);
        const auto alone = backward_of(f, block, input);
        const auto middle = [&](std::ptrdiff_t i) { return static_cast<std::size_t>((length + i) * inner); };
        for (std::ptrdiff_t i = 0; i < 64; ++i) input.x[middle(i)] = static_cast<float>(i % 5);
        auto result = backward_of(f, block, input);
        EXPECT_TRUE(dx_within_bounds(result.x, expected_gradients(f, block, input)))
            << name_of(kind) << " of " << block;
        for (std::ptrdiff_t i = 0; i < length; ++i) result.x[middle(i)] = alone.x[middle(i)];
        EXPECT_TRUE(same_bits(result.x, alone.x)) << name_of(kind) << " of " << block;
      }
}

}  // namespace
}  // namespace tensornorm_test
