// A row is its own business: a NaN or an infinity stays in its row, and rows may come in any order.
#include <gtest/gtest.h>

#include <limits>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

template <class T>
class isolation : public testing::Test {
 protected:
  static constexpr row_block blocks[] = {{3, 2, 1},    {7, 5, 1}, {5, 64, 1},  {3, 65, 1}, {6, 200, 1},
                                         {2, 1025, 1}, {2, 9, 3}, {2, 65, 16}, {1, 6, 70}, {1, 70000, 2}};

  /// Puts a value into one row; calls check(y of the poisoned row, whether this element was it).
  template <class Check>
  void poison(double value, const Check& check) {
    for (const row_block& block : blocks)
      for (const formula& f : three_norms()) {
        const auto clean_x = normal<T>(block.count(), 21, 0.5, 1);
        const auto clean_y = normalized(f, block, clean_x);
        const row_map map = block.map();
        for (const std::size_t at : {std::size_t{0}, block.count() / 2, block.count() - 1}) {
          SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block << ", element " << at);
          auto x = clean_x;
          x[at] = narrow<T>(value);
          auto y = normalized(f, block, x);
          for (std::size_t i = 0; i < y.size(); ++i)
            if (map.row[i] == map.row[at]) {
              check(y[i], i == at, f.kind);
              y[i] = clean_y[i];
            }
          EXPECT_TRUE(same_bits(y, clean_y));
        }
      }
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(isolation, scalars, scalar_names);

TYPED_TEST(isolation, a_nan_fills_its_row_and_leaves_the_others_their_bits) {
  this->poison(std::numeric_limits<double>::quiet_NaN(),
               [](TypeParam y, bool, norm) { EXPECT_TRUE(is_nan(y)); });
}

TYPED_TEST(isolation, an_infinity_stays_in_its_row) {
  // The mean is infinite or NaN, and so is everything made with it; the root mean square of a row with
  // an infinity is infinite, which makes zeros of finite elements.
  for (const double infinity :
       {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
    this->poison(infinity, [](TypeParam y, bool was_infinite, norm kind) {
      if (was_infinite || kind != norm::rms)
        EXPECT_TRUE(is_nan(y));
      else
        EXPECT_EQ(widen(y), 0);
    });
}

TYPED_TEST(isolation, permuting_rows_permutes_the_result) {
  for (const std::size_t length : {3u, 64u, 70u, 1030u}) {
    const std::size_t rows = 9;
    const row_block block{static_cast<std::ptrdiff_t>(rows), static_cast<std::ptrdiff_t>(length), 1};
    const auto x = normal<TypeParam>(block.count(), 22);
    const auto shuffled = [&](const std::vector<TypeParam>& values) {
      std::vector<TypeParam> result;
      for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t i = 0; i < length; ++i) result.push_back(values[(row * 4 + 2) % rows * length + i]);
      return result;
    };
    for (const formula& f : three_norms())
      EXPECT_TRUE(same_bits(normalized(f, block, shuffled(x)), shuffled(normalized(f, block, x))))
          << name_of(f.kind);
  }
}

TYPED_TEST(isolation, no_rows_write_nothing_and_succeed) {
  TypeParam untouched = narrow<TypeParam>(42);
  const TypeParam x = narrow<TypeParam>(1);
  tn::statistics<tn::accumulator_t<TypeParam>> saved;
  for (const row_block& block :
       {row_block{0, 4, 1}, row_block{0, 4, 3}, row_block{3, 4, 0}, row_block{0, 0, 1}})
    for (const formula& f : three_norms()) {
      normalize_rows<TypeParam>(f, block, {&x, &untouched, nullptr, nullptr, &saved});
      EXPECT_EQ(widen(untouched), 42);
      EXPECT_EQ(saved.rstd.size(), 0);
    }
}

}  // namespace
}  // namespace tensornorm_test
