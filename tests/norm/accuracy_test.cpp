// Each norm against the long double reference, at every length where a loop could go wrong.
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

/// Every length up to four times 64 lanes and three, then around powers of two, then long rows.
std::vector<std::ptrdiff_t> lengths() {
  std::vector<std::ptrdiff_t> all;
  for (std::ptrdiff_t length = 1; length <= 259; ++length) all.push_back(length);
  for (const std::ptrdiff_t length : {1021, 1023, 1025, 4099, 65537}) all.push_back(length);
  return all;
}

template <class T>
class accuracy : public testing::Test {
 protected:
  /// Runs a norm on data made for it and compares with the oracle.
  template <class W>
  void check(const formula& f, const row_block& block, const data_kind& kind, bool with_weight,
             bool with_bias, std::uint32_t seed) {
    SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block << ", " << kind.name << ", weight "
                                    << with_weight << ", bias " << with_bias << ", seed " << seed);
    const auto x = make<T>(kind, block.count(), block.length(), seed);
    const auto weight = with_weight ? normal<W>(block.length(), seed + 1, 1, 0.5) : std::vector<W>();
    const auto bias = with_bias ? normal<W>(block.length(), seed + 2, 0, 0.5) : std::vector<W>();
    const auto y = normalized<T, W>(f, block, x, weight, bias);
    EXPECT_TRUE(within_bounds(y, expected_rows<T, W>(f, block, x, weight, bias)));
  }

  /// Walks through kinds of data and through parameters as the seed grows.
  template <class W>
  void check_next(const formula& f, const row_block& block) {
    const data_kind& kind = everyday_data[seed_ % std::size(everyday_data)];
    const bool wide = !std::is_same_v<T, W>;
    const bool with_bias = f.kind == norm::layer && (wide || seed_ / 8 % 2 == 0);
    check<W>(f, block, kind, wide || seed_ / 4 % 2 == 0, with_bias, seed_);
    ++seed_;
  }

  std::uint32_t seed_ = 1;
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(accuracy, scalars, scalar_names);

TYPED_TEST(accuracy, matches_the_long_double_reference_at_every_length) {
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : lengths())
      for (std::ptrdiff_t repeat = 0; repeat < 2; ++repeat)
        if (defined(f, length))
          this->template check_next<TypeParam>(f, {1 + (length + repeat) % 7, length, 1});
}

TYPED_TEST(accuracy, matches_the_long_double_reference_for_one_to_seven_rows_at_lane_boundaries) {
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : {2, 15, 16, 17, 63, 64, 65, 127, 128, 129})
      for (std::ptrdiff_t rows = 1; rows <= 7; ++rows)
        this->template check_next<TypeParam>(f, {rows, length, 1});
}

TYPED_TEST(accuracy, matches_the_long_double_reference_across_an_inner_axis) {
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : {2, 3, 8, 63, 64, 65, 130, 257})
      for (const std::ptrdiff_t inner : {2, 7, 16, 31, 64, 67})
        this->template check_next<TypeParam>(f, {2, length, inner});
}

TYPED_TEST(accuracy, matches_the_long_double_reference_on_a_row_of_a_million_elements) {
  for (const formula& f : three_norms())
    this->template check<TypeParam>(f, {1, 1000003, 1}, everyday_data[f.kind == norm::rms ? 0 : 1], true,
                                    f.kind == norm::layer, 5);
}

TYPED_TEST(accuracy, matches_the_long_double_reference_on_long_rows_across_an_inner_axis) {
  for (const formula& f : three_norms()) this->template check_next<TypeParam>(f, {1, 70001, 5});
}

TYPED_TEST(accuracy, matches_the_long_double_reference_on_every_kind_of_data) {
  for (const formula& f : three_norms())
    for (const data_kind& kind : everyday_data)
      for (const bool with_bias : {false, true})
        this->template check<TypeParam>(f, {16, 768, 1}, kind, true, with_bias && f.kind == norm::layer, 9);
}

template <class T>
class wide_parameters : public accuracy<T> {};
using narrow_scalars = testing::Types<float, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(wide_parameters, narrow_scalars, scalar_names);

TYPED_TEST(wide_parameters, match_the_long_double_reference) {
  using wide = std::conditional_t<std::is_same_v<TypeParam, float>, double, float>;
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : {2, 3, 17, 64, 65, 100, 259, 1023, 4099})
      for (const std::ptrdiff_t inner : {1, 3, 33}) this->template check_next<wide>(f, {3, length, inner});
}

}  // namespace
}  // namespace tensornorm_test
