// Where the 16-bit types and float round: once at the end, or before the weight.
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

constexpr std::ptrdiff_t lengths[] = {2, 3, 17, 64, 65, 130, 768, 1025, 4099};
constexpr call_options before_weight{false, tn::rounding::before_weight};

/// (float(x) normalized).cast<T>() * weight, the product taken in float and rounded to T.
template <class T, class W>
std::vector<T> composition(const formula& f, const row_block& block, const std::vector<T>& x,
                           const std::vector<W>& weight) {
  std::vector<float> wide;
  for (const T& value : x) wide.push_back(static_cast<float>(value));
  std::vector<T> y;
  for (const float value : normalized(f, block, wide)) {
    const std::size_t i = y.size() / static_cast<std::size_t>(block.inner) % block.length();
    const T rounded = T(value);
    y.push_back(weight.empty() ? rounded : T(static_cast<float>(rounded) * static_cast<float>(weight[i])));
  }
  return y;
}

template <class T>
class rounding : public testing::Test {};
using half_types = testing::Types<Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(rounding, half_types, scalar_names);

template <class T, class W>
void expect_composition() {
  for (const norm kind : {norm::rms, norm::simple})
    for (const std::ptrdiff_t length : lengths)
      for (const std::ptrdiff_t inner : {1, 7}) {
        const formula f{kind, 1e-6, 0};
        const row_block block{3, length, inner};
        auto x = normal<T>(block.count(), 81, 0.25, 2);
        x[1] = T(-0.f);
        const auto weight = normal<W>(block.length(), 82, 1, 0.5);
        EXPECT_TRUE(same_bits(normalized<T, W>(f, block, x, weight, {}, before_weight),
                              composition<T, W>(f, block, x, weight)))
            << name_of(kind) << " of " << block;
      }
}

TYPED_TEST(rounding, before_the_weight_is_the_float_norm_rounded_then_multiplied_bit_for_bit) {
  expect_composition<TypeParam, TypeParam>();
}

TYPED_TEST(rounding, before_a_float_weight_is_the_float_norm_rounded_then_multiplied_bit_for_bit) {
  expect_composition<TypeParam, float>();
}

TYPED_TEST(rounding, without_a_weight_is_the_same_before_and_at_the_end) {
  const row_block block{3, 768, 1};
  const auto x = normal<TypeParam>(block.count(), 83);
  const formula f{norm::rms, 1e-6, 0};
  const auto y = normalized(f, block, x);
  EXPECT_TRUE(same_bits(normalized(f, block, x, {}, {}, before_weight), y));
  EXPECT_TRUE(same_bits(composition<TypeParam, TypeParam>(f, block, x, {}), y));
}

TYPED_TEST(rounding, at_the_end_is_the_float_norm_rounded_once) {
  for (const formula& f : three_norms()) {
    const row_block block{3, 768, 1};
    const auto x = normal<TypeParam>(block.count(), 84);
    const auto weight = normal<TypeParam>(block.length(), 85, 1, 0.5);
    std::vector<float> wide_x, wide_weight;
    for (const TypeParam value : x) wide_x.push_back(static_cast<float>(value));
    for (const TypeParam value : weight) wide_weight.push_back(static_cast<float>(value));
    std::vector<TypeParam> expected;
    for (const float value : normalized(f, block, wide_x, wide_weight)) expected.push_back(TypeParam(value));
    EXPECT_TRUE(same_bits(normalized(f, block, x, weight), expected)) << name_of(f.kind);
  }
}

TYPED_TEST(rounding, before_the_weight_differs_from_once_at_the_end) {
  const row_block block{8, 768, 1};
  const auto x = normal<TypeParam>(block.count(), 86);
  const auto weight = normal<TypeParam>(block.length(), 87, 1, 0.5);
  const formula f{norm::rms, 1e-6, 0};
  EXPECT_FALSE(
      same_bits(normalized(f, block, x, weight), normalized(f, block, x, weight, {}, before_weight)));
}

/// Both zeros, subnormal and normal numbers.
template <class T>
std::vector<T> every_finite_number() {
  std::vector<T> all;
  for (std::uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const T value = std::bit_cast<T>(static_cast<std::uint16_t>(pattern));
    if (std::isfinite(widen(value))) all.push_back(value);
  }
  return all;
}

TYPED_TEST(rounding, every_number_is_widened_exactly_and_rounded_back_to_itself) {
  // A row of ones has r = 1, so that y is the weight, widened and rounded.
  const auto numbers = every_finite_number<TypeParam>();
  const row_block block{2, static_cast<std::ptrdiff_t>(numbers.size()), 1};
  std::vector<TypeParam> ones(block.count(), TypeParam(1));
  const auto y = normalized({norm::rms, 0, 0}, block, ones, numbers);
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(widen(y[i]), widen(numbers[i]));
}

TYPED_TEST(rounding, is_to_nearest_even) {
  // As above, with a float weight between two numbers.
  std::vector<float> halfway;
  for (const TypeParam number : every_finite_number<TypeParam>()) {
    const float low = static_cast<float>(number);
    const float half_step = static_cast<float>(ulp<TypeParam>(widen(number)) / 2);
    for (const float value : {low + half_step, std::nextafter(low + half_step, 0.f), low - half_step})
      if (std::isfinite(value) && !std::isinf(widen(TypeParam(value)))) halfway.push_back(value);
  }
  const row_block block{1, static_cast<std::ptrdiff_t>(halfway.size()), 1};
  const std::vector<TypeParam> ones(block.count(), TypeParam(1));
  const auto y = normalized<TypeParam, float>({norm::rms, 0, 0}, block, ones, halfway);
  for (std::size_t i = 0; i < halfway.size(); ++i)
    ASSERT_EQ(widen(y[i]), widen(TypeParam(halfway[i]))) << std::hexfloat << halfway[i];
}

TEST(float_rounding, before_the_weight_changes_nothing_where_x_is_float_already) {
  const row_block block{3, 768, 1};
  const auto x = normal<float>(block.count(), 88);
  const auto weight = normal<float>(block.length(), 89, 1, 0.5);
  const formula f{norm::rms, 1e-6, 0};
  auto expected = normalized(f, block, x);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] *= weight[i % block.length()];
  EXPECT_TRUE(same_bits(normalized(f, block, x, weight, {}, before_weight), expected));
}

}  // namespace
}  // namespace tensornorm_test
