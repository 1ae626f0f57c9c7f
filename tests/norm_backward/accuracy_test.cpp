// The gradients of each norm against the long double reference, at every length where a loop could go wrong.
#include <gtest/gtest.h>

#include "../support/backward.hpp"
#include "../support/backward_bounds.hpp"

namespace tensornorm_test {
namespace {

/// Every length up to four times 64 lanes and three, then around powers of two, then a long row.
std::vector<std::ptrdiff_t> lengths() {
  std::vector<std::ptrdiff_t> all;
  for (std::ptrdiff_t length = 1; length <= 259; ++length) all.push_back(length);
  for (const std::ptrdiff_t length : {1021, 1023, 1025, 4099, 65537}) all.push_back(length);
  return all;
}

template <class T>
class backward_accuracy : public testing::Test {
 protected:
  template <class W>
  void check(const formula& f, const row_block& block, const data_kind& kind, bool with_weight, bool saved,
             std::uint32_t seed) {
    SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block << ", " << kind.name << ", weight "
                                    << with_weight << ", saved " << saved << ", seed " << seed);
    const auto input = input_for<T, W>(block, kind, seed, with_weight);
    const auto statistics =
        saved ? saved_by_forward(f, block, input.x) : tn::statistics<tn::accumulator_t<T>>();
    const auto result = backward_of(f, block, input, saved ? &statistics : nullptr);
    const auto expected = expected_gradients(f, block, input);
    EXPECT_TRUE(dx_within_bounds(result.x, expected)) << "dx";
    EXPECT_TRUE(dweight_within_bounds<T>(result.weight, expected)) << "dweight";
    if (f.kind == norm::layer) {
      EXPECT_TRUE(dbias_within_bounds<T>(result.bias, expected)) << "dbias";
    }
  }

  /// Walks through kinds of data, through weights and saved statistics as the seed grows.
  template <class W>
  void check_next(const formula& f, const row_block& block) {
    const data_kind& kind = everyday_data[seed_ % std::size(everyday_data)];
    const bool wide = !std::is_same_v<T, W>;
    check<W>(f, block, kind, wide || seed_ / 4 % 4 != 0, seed_ / 2 % 2 == 0, seed_);
    ++seed_;
  }

  std::uint32_t seed_ = 1;
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(backward_accuracy, scalars, scalar_names);

TYPED_TEST(backward_accuracy, matches_the_long_double_reference_at_every_length) {
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : lengths())
      if (defined(f, length)) this->template check_next<TypeParam>(f, {1 + length % 7, length, 1});
}

TYPED_TEST(backward_accuracy, matches_the_long_double_reference_for_any_number_of_rows) {
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : {2, 3, 15, 16, 17, 63, 64, 65, 129})
      for (const std::ptrdiff_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129})
        this->template check_next<TypeParam>(f, {rows, length, 1});
}

TYPED_TEST(backward_accuracy, matches_the_long_double_reference_for_thousands_of_rows) {
  for (const formula& f : three_norms())
    for (const row_block& block : {row_block{1023, 5, 1}, row_block{4097, 3, 1}, row_block{1025, 66, 1},
                                   row_block{70001, 2, 1}, row_block{300, 7, 33}, row_block{2, 3, 20001}})
      this->template check_next<TypeParam>(f, block);
}

TYPED_TEST(backward_accuracy, matches_the_long_double_reference_across_an_inner_axis) {
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : {2, 3, 8, 63, 64, 65, 130, 257})
      for (const std::ptrdiff_t inner : {2, 7, 16, 31, 64, 67})
        this->template check_next<TypeParam>(f, {2, length, inner});
}

TYPED_TEST(backward_accuracy, matches_the_long_double_reference_on_long_rows) {
  for (const formula& f : three_norms())
    for (const row_block& block : {row_block{1, 300007, 1}, row_block{1, 70001, 3}})
      this->template check_next<TypeParam>(f, block);
}

TYPED_TEST(backward_accuracy, matches_the_long_double_reference_on_every_kind_of_data) {
  for (const formula& f : three_norms())
    for (const data_kind& kind : everyday_data)
      for (const bool with_weight : {false, true})
        for (const bool saved : {false, true})
          this->template check<TypeParam>(f, {16, 768, 1}, kind, with_weight, saved, 9);
}

TYPED_TEST(backward_accuracy, matches_the_long_double_reference_for_any_correction_and_eps) {
  for (const int correction : {0, 1, 2})
    for (const double eps : {0.0, 1e-12, 1e-3, 0.25, 1e3})
      for (const row_block& block : {row_block{3, 4, 1}, row_block{3, 65, 1}, row_block{2, 33, 9}})
        this->template check<TypeParam>({norm::layer, eps, correction}, block, everyday_data[0], true, false,
                                        10);
  for (const double eps : {0.0, 1e-3, 1e3})
    for (const norm kind : {norm::rms, norm::simple})
      this->template check<TypeParam>({kind, eps, 0}, {3, 65, 1}, everyday_data[3], true, true, 11);
}

template <class T>
class backward_with_wide_weights : public backward_accuracy<T> {};
using narrow_scalars = testing::Types<float, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(backward_with_wide_weights, narrow_scalars, scalar_names);

TYPED_TEST(backward_with_wide_weights, matches_the_long_double_reference) {
  using wide = std::conditional_t<std::is_same_v<TypeParam, float>, double, float>;
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : {2, 3, 17, 64, 65, 100, 259, 1023, 4099})
      for (const std::ptrdiff_t inner : {1, 3, 33}) this->template check_next<wide>(f, {3, length, inner});
}

template <class T>
class backward_with_unit_offset : public backward_accuracy<T> {};
TYPED_TEST_SUITE(backward_with_unit_offset, scalars, scalar_names);

TYPED_TEST(backward_with_unit_offset, matches_the_long_double_reference_with_one_added_to_the_weight) {
  using T = TypeParam;
  for (const formula& f : three_norms())
    for (const row_block& block :
         {row_block{5, 3, 1}, row_block{3, 65, 1}, row_block{2, 1025, 1}, row_block{2, 40, 17}}) {
      auto input = input_for<T>(block, plain_data, 12);
      input.weight = normal<T>(block.length(), 13, 0, 0.25);
      const auto result = backward_of(f, block, input, nullptr, true);
      auto weight = widen(input.weight);
      for (real& w : weight) w += 1;
      const auto expected = reference_backward(f, block.map(), widen(input.dy), widen(input.x), weight);
      EXPECT_TRUE(dx_within_bounds(result.x, expected)) << name_of(f.kind) << " of " << block;
      EXPECT_TRUE(dweight_within_bounds<T>(result.weight, expected)) << name_of(f.kind) << " of " << block;
    }
}

}  // namespace
}  // namespace tensornorm_test
