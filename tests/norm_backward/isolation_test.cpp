// The gradient of a row is its own business: a NaN stays in its row of dx, and rows may come in any order.
#include <gtest/gtest.h>

#include <limits>

#include "../support/backward.hpp"
#include "../support/bounds.hpp"

namespace tensornorm_test {
namespace {

template <class T>
class backward_isolation : public testing::Test {
 protected:
  static constexpr row_block blocks[] = {{3, 2, 1},    {7, 5, 1}, {5, 64, 1},  {3, 65, 1}, {6, 200, 1},
                                         {2, 1025, 1}, {2, 9, 3}, {2, 65, 16}, {1, 6, 70}, {1, 70000, 2}};

  /// Puts a value into one row of x or dy. The other rows of dx keep their bits; check() sees the row's dx,
  /// and what it left of dweight.
  template <class Check>
  void poison(std::vector<T> backward_input<T>::*where, double value, const Check& check) {
    for (const row_block& block : blocks)
      for (const formula& f : three_norms()) {
        const auto input = input_for<T>(block, plain_data, 251);
        const auto clean = backward_of(f, block, input);
        const row_map map = block.map();
        for (const std::size_t at : {std::size_t{0}, block.count() / 2, block.count() - 1}) {
          SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block << ", element " << at);
          auto poisoned = input;
          (poisoned.*where)[at] = narrow<T>(value);
          auto result = backward_of(f, block, poisoned);
          std::vector<T> row;
          for (std::size_t i = 0; i < result.x.size(); ++i)
            if (map.row[i] == map.row[at]) {
              row.push_back(result.x[i]);
              result.x[i] = clean.x[i];
            }
          EXPECT_TRUE(same_bits(result.x, clean.x));
          check(row, result, clean, map.parameter[at]);
        }
      }
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(backward_isolation, scalars, scalar_names);

constexpr double nan_number = std::numeric_limits<double>::quiet_NaN();

TYPED_TEST(backward_isolation, a_nan_in_x_fills_its_row_of_dx_and_dweight_and_leaves_dbias) {
  this->poison(&backward_input<TypeParam>::x, nan_number,
               [](const auto& row, const auto& result, const auto& clean, std::size_t) {
                 for (const TypeParam dx : row) ASSERT_TRUE(is_nan(dx));
                 for (const TypeParam dweight : result.weight) ASSERT_TRUE(is_nan(dweight));
                 EXPECT_TRUE(same_bits(result.bias, clean.bias));
               });
}

TYPED_TEST(backward_isolation, a_nan_in_dy_fills_its_row_of_dx_and_its_element_of_dweight_and_dbias) {
  this->poison(&backward_input<TypeParam>::dy, nan_number,
               [](const auto& row, auto& result, const auto& clean, std::size_t parameter) {
                 for (const TypeParam dx : row) ASSERT_TRUE(is_nan(dx));
                 EXPECT_TRUE(is_nan(result.weight[parameter]));
                 result.weight[parameter] = clean.weight[parameter];
                 EXPECT_TRUE(same_bits(result.weight, clean.weight));
                 if (clean.bias.empty()) return;
                 EXPECT_TRUE(is_nan(result.bias[parameter]));
                 result.bias[parameter] = clean.bias[parameter];
                 EXPECT_TRUE(same_bits(result.bias, clean.bias));
               });
}

TYPED_TEST(backward_isolation, an_infinity_stays_in_its_row_of_dx) {
  for (const double infinity :
       {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
    for (const auto where : {&backward_input<TypeParam>::x, &backward_input<TypeParam>::dy})
      this->poison(where, infinity, [](const auto&...) {});
}

TYPED_TEST(backward_isolation, permuting_rows_permutes_dx) {
  using T = TypeParam;
  for (const std::size_t length : {3u, 64u, 70u, 1030u}) {
    const std::size_t rows = 9;
    const row_block block{static_cast<std::ptrdiff_t>(rows), static_cast<std::ptrdiff_t>(length), 1};
    const auto shuffled = [&](const std::vector<T>& values) {
      std::vector<T> result;
      for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t i = 0; i < length; ++i) result.push_back(values[(row * 4 + 2) % rows * length + i]);
      return result;
    };
    const auto input = input_for<T>(block, plain_data, 252);
    for (const formula& f : three_norms())
      EXPECT_TRUE(same_bits(backward_of<T>(f, block, {shuffled(input.dy), shuffled(input.x), input.weight}).x,
                            shuffled(backward_of(f, block, input).x)))
          << name_of(f.kind);
  }
}

TYPED_TEST(backward_isolation, no_rows_leave_dx_alone_and_make_zeros_of_dweight_and_dbias) {
  using T = TypeParam;
  T untouched = narrow<T>(42);
  const T number = narrow<T>(1);
  const std::vector<T> weight(4, number);
  for (const row_block& block : {row_block{0, 4, 1}, row_block{0, 4, 3}, row_block{3, 4, 0}})
    for (const formula& f : three_norms()) {
      std::vector<T> dweight(4, quiet_nan<T>()), dbias(4, quiet_nan<T>());
      backward_rows<T>(f, block,
                       {&number, &number, weight.data(), &untouched, dweight.data(), dbias.data(), nullptr});
      EXPECT_EQ(widen(untouched), 42);
      EXPECT_TRUE(same_bits(dweight, std::vector<T>(4, T(0)))) << name_of(f.kind) << " of " << block;
      if (f.kind == norm::layer) {
        EXPECT_TRUE(same_bits(dbias, std::vector<T>(4, T(0)))) << block;
      }
    }
}

}  // namespace
}  // namespace tensornorm_test
