// Saved statistics: one of each for a row, in the storage order of x, as accurate as the forward.
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

template <class T>
class statistics : public testing::Test {};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(statistics, scalars, scalar_names);

/// How far the two saved words of a mean, as a sum, are from the reference.
template <class T>
real mean_error(const tn::statistics<T>& saved, Eigen::Index row, const exact_mean& expected) {
  return std::abs(expected.distance_to(widen(saved.mean(row))) + widen(saved.mean_residual(row)));
}

/// Compares with the oracle: rstd to 4 epsilon, and the two words of the mean to a few epsilon of
/// the row's deviation, which is what (x - mean) needs, however large the mean. What is too small for
/// a normal number has the smallest subnormal one for its bound.
template <class T>
void expect_statistics(const formula& f, const row_block& block, const std::vector<T>& x) {
  using accumulator = tn::accumulator_t<T>;
  const real epsilon_a = epsilon<accumulator>(), least = ulp<accumulator>(0);
  tn::statistics<accumulator> saved;
  std::vector<T> y(x.size());
  normalize_rows<T>(f, block, {x.data(), y.data(), nullptr, nullptr, &saved});
  const reference expected = expected_rows(f, block, x);
  ASSERT_EQ(static_cast<std::size_t>(saved.rstd.size()), block.rows());
  for (std::size_t row = 0; row < block.rows(); ++row) {
    const auto at = static_cast<Eigen::Index>(row);
    EXPECT_LE(std::abs(widen(saved.rstd(at)) - expected.rstd[row]),
              std::max(4 * epsilon_a * expected.rstd[row], least));
    if (f.kind == norm::rms) continue;
    const real deviation = 1 / expected.rstd[row];
    const real bound =
        4 * epsilon_a * deviation + 2 * epsilon_a * epsilon_a * std::abs(expected.mean[row].high);
    EXPECT_LE(mean_error(saved, at, expected.mean[row]), std::max(bound, least));
  }
}

TYPED_TEST(statistics, match_the_long_double_reference) {
  for (const formula& f : three_norms())
    for (const data_kind& kind : everyday_data)
      for (const row_block& block : {row_block{3, 2, 1}, row_block{5, 65, 1}, row_block{4, 768, 1},
                                     row_block{2, 1025, 1}, row_block{3, 100, 17}, row_block{1, 140001, 1}}) {
        SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block << ", " << kind.name);
        expect_statistics(f, block, make<TypeParam>(kind, block.count(), block.length(), 51));
      }
}

TYPED_TEST(statistics, of_rms_norm_have_no_mean) {
  const row_block block{3, 64, 1};
  const auto x = normal<TypeParam>(block.count(), 52);
  std::vector<TypeParam> y(x.size());
  tn::statistics<tn::accumulator_t<TypeParam>> saved;
  normalize_rows<TypeParam>({norm::rms, 1e-6, 0}, block, {x.data(), y.data(), nullptr, nullptr, &saved});
  EXPECT_EQ(saved.mean.size(), 0);
  EXPECT_EQ(saved.mean_residual.size(), 0);
  EXPECT_EQ(saved.rstd.size(), 3);
}

TEST(float_statistics, keep_the_mean_to_twice_the_precision_on_rows_at_1e4_with_deviation_1e_2) {
  const row_block block{8, 768, 1};
  const auto x = normal<float>(block.count(), 53, 1e4, 1e-2);
  tn::statistics<float> saved;
  std::vector<float> y(x.size());
  const formula f{norm::layer, 1e-12, 0};
  normalize_rows<float>(f, block, {x.data(), y.data(), nullptr, nullptr, &saved});
  const reference expected = expected_rows(f, block, x);
  bool one_word_would_do = true;
  for (std::size_t row = 0; row < block.rows(); ++row) {
    const auto at = static_cast<Eigen::Index>(row);
    EXPECT_LE(mean_error(saved, at, expected.mean[row]), 1e4L * 1e-12L);
    one_word_would_do =
        one_word_would_do && std::abs(expected.mean[row].distance_to(widen(saved.mean(at)))) < 1e4L * 1e-12L;
  }
  EXPECT_FALSE(one_word_would_do);
}

TEST(float_statistics, saved_for_a_huge_or_tiny_row_are_those_of_the_row) {
  for (const double scale : {1e20, 3e38, 1e-19, 1e-25})
    for (const std::ptrdiff_t inner : {1, 3})
      for (const norm kind : {norm::rms, norm::simple, norm::layer}) {
        SCOPED_TRACE(testing::Message() << name_of(kind) << " times " << scale << ", " << inner << " apart");
        const row_block block{2, 100, inner};
        std::vector<float> x;
        for (const double z : normal<double>(block.count(), 54, 0.03125, 0.125))
          x.push_back(static_cast<float>(z * scale));
        expect_statistics<float>({kind, 0, 0}, block, x);
      }
}

}  // namespace
}  // namespace tensornorm_test
