// Nothing is read or written beside x, y and the parameters, and everything of y is written.
#include "../support/memory.hpp"

#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

template <class T>
class memory : public testing::Test {
 protected:
  static std::vector<row_block> blocks() {
    std::vector<row_block> all;
    for (std::ptrdiff_t length = 1; length <= 70; ++length) all.push_back({1, length, 1});
    for (const std::ptrdiff_t length : {1, 2, 3, 5, 8, 15, 17, 33, 64})
      for (const std::ptrdiff_t rows : {2, 3, 5, 9}) all.push_back({rows, length, 1});
    for (const std::ptrdiff_t length : {127, 128, 129, 191, 193, 255, 257, 1021, 1025, 4099})
      all.push_back({3, length, 1});
    for (const std::ptrdiff_t inner : {2, 3, 15, 16, 17, 63, 65, 130})
      for (const std::ptrdiff_t length : {2, 7, 65}) all.push_back({2, length, inner});
    all.push_back({1, 140001, 1});
    all.push_back({1, 70001, 3});
    return all;
  }

  /// Calls check(formula, block, x, weight, bias) for every call that is to be watched.
  template <class Check>
  void for_each_call(const Check& check) {
    for (const row_block& block : blocks())
      for (const formula& f : three_norms())
        if (defined(f, block.size)) {
          SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block);
          check(f, block, normal<T>(block.count(), 31), normal<T>(block.length(), 32, 1, 0.5),
                f.kind == norm::layer ? normal<T>(block.length(), 33) : std::vector<T>());
        }
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(memory, scalars, scalar_names);

TYPED_TEST(memory, beside_the_data_is_neither_read_nor_written) {
  using T = TypeParam;
  for (const guard side : {guard::after, guard::before})
    this->for_each_call([&](const formula& f, const row_block& block, const std::vector<T>& x,
                            const std::vector<T>& weight, const std::vector<T>& bias) {
      guarded_buffer<T> guarded_x(x.size(), side, x);
      guarded_buffer<T> guarded_weight(weight.size(), side, weight);
      guarded_buffer<T> guarded_bias(block.length(), side, bias);
      guarded_buffer<T> y(x.size(), side);
      const bool with_bias = !bias.empty();
      normalize_rows<T>(
          f, block,
          {guarded_x.data(), y.data(), guarded_weight.data(), with_bias ? guarded_bias.data() : nullptr});
      EXPECT_TRUE(same_bits(y.values(), normalized(f, block, x, weight, bias)));
      EXPECT_TRUE(same_bits(guarded_x.values(), x));
      EXPECT_TRUE(same_bits(guarded_weight.values(), weight));
    });
}

TYPED_TEST(memory, canaries_beside_y_survive_and_every_nan_in_y_is_written_over) {
  using T = TypeParam;
  this->for_each_call([&](const formula& f, const row_block& block, const std::vector<T>& x,
                          const std::vector<T>& weight, const std::vector<T>& bias) {
    for (const std::size_t offset : {0u, 1u, 3u}) {
      canary_buffer<T> y(x.size(), offset);
      normalize_rows<T>(f, block, {x.data(), y.data(), weight.data(), bias.empty() ? nullptr : bias.data()});
      EXPECT_TRUE(y.intact());
      for (const T value : y.values()) ASSERT_FALSE(is_nan(value));
    }
  });
}

TYPED_TEST(memory, saved_statistics_are_all_written) {
  using T = TypeParam;
  using accumulator = tn::accumulator_t<T>;
  this->for_each_call([&](const formula& f, const row_block& block, const std::vector<T>& x,
                          const std::vector<T>&, const std::vector<T>&) {
    tn::statistics<accumulator> saved;
    const auto rows = static_cast<Eigen::Index>(block.rows());
    for (auto* tensor : {&saved.mean, &saved.mean_residual, &saved.rstd}) {
      tensor->resize(rows);
      tensor->setConstant(std::numeric_limits<accumulator>::quiet_NaN());
    }
    std::vector<T> y(x.size());
    normalize_rows<T>(f, block, {x.data(), y.data(), nullptr, nullptr, &saved});
    const bool has_mean = f.kind != norm::rms;
    EXPECT_EQ(saved.rstd.size(), rows);
    EXPECT_EQ(saved.mean.size(), has_mean ? rows : 0);
    EXPECT_EQ(saved.mean_residual.size(), has_mean ? rows : 0);
    for (const auto* tensor : {&saved.mean, &saved.mean_residual, &saved.rstd})
      for (Eigen::Index row = 0; row < tensor->size(); ++row) ASSERT_FALSE(is_nan((*tensor)(row)));
  });
}

}  // namespace
}  // namespace tensornorm_test
