// The formulas on numbers that can be checked by hand, and what tells the norms apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using testing::Each;
using testing::FloatNear;
using testing::Pointwise;

using matrix = row_major_tensor<float, 2>;
using vector = Eigen::Tensor<float, 1>;

TEST(formulas, rms_norm_of_the_worked_example) {
  matrix x(2, 2);
  x.setValues({{1, 2}, {5, 6}});
  vector weight(2);
  weight.setValues({2, 3});
  const matrix normalized = tn::rms_norm(x, {.eps = 1e-6});
  EXPECT_THAT(elements_of(normalized), Pointwise(FloatNear(5e-5f), {0.6325f, 1.2649f, 0.9054f, 1.0864f}));
  const matrix y = tn::rms_norm(x, weight, {.eps = 1e-6});
  EXPECT_THAT(elements_of(y), Pointwise(FloatNear(5e-5f), {1.2649f, 3.7947f, 1.8107f, 3.2593f}));
}

TEST(formulas, three_norms_of_one_to_four) {
  row_major_tensor<double, 1> x(4);
  x.setValues({1, 2, 3, 4});
  const row_major_tensor<double, 1> rms = tn::rms_norm(x, {.eps = 0});
  const row_major_tensor<double, 1> simple = tn::simple_norm(x, {.eps = 0});
  const row_major_tensor<double, 1> layer = tn::layer_norm(x, {.eps = 0});
  for (int i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(rms(i), x(i) / std::sqrt(7.5));
    EXPECT_DOUBLE_EQ(simple(i), x(i) / std::sqrt(5. / 3));
    EXPECT_DOUBLE_EQ(layer(i), (x(i) - 2.5) / std::sqrt(1.25));
  }
}

TEST(formulas, the_default_eps_is_1e_6_for_rms_and_simple_norm_and_1e_5_for_layer_and_group_norm) {
  const matrix x = normal_tensor<matrix>({3, 65}, 61, 0.001, 0.003);
  const matrix rms = tn::rms_norm(x), rms_by_name = tn::rms_norm(x, {.eps = 1e-6});
  const matrix simple = tn::simple_norm(x), simple_by_name = tn::simple_norm(x, {.eps = 1e-6});
  const matrix layer = tn::layer_norm(x), layer_by_name = tn::layer_norm(x, {.eps = 1e-5, .correction = 0});
  const matrix group = tn::group_norm(x, 5), group_by_name = tn::group_norm(x, 5, {.eps = 1e-5});
  EXPECT_TRUE(same_bits(elements_of(rms), elements_of(rms_by_name)));
  EXPECT_TRUE(same_bits(elements_of(simple), elements_of(simple_by_name)));
  EXPECT_TRUE(same_bits(elements_of(layer), elements_of(layer_by_name)));
  EXPECT_TRUE(same_bits(elements_of(group), elements_of(group_by_name)));
}

TEST(formulas, rms_simple_and_layer_norm_are_three_different_answers_on_a_row_with_a_mean) {
  const matrix x = normal_tensor<matrix>({1, 64}, 62, 1, 1);
  const matrix rms = tn::rms_norm(x), simple = tn::simple_norm(x), layer = tn::layer_norm(x);
  const auto distance = [](const matrix& a, const matrix& b) {
    const Eigen::Tensor<float, 0, Eigen::RowMajor> largest = (a - b).abs().maximum();
    return largest();
  };
  EXPECT_GT(distance(rms, simple), 0.1);
  EXPECT_GT(distance(simple, layer), 0.1);
  EXPECT_GT(distance(rms, layer), 0.1);
}

TEST(formulas, simple_norm_does_not_centre) {
  const matrix x = normal_tensor<matrix>({1, 64}, 63, 10, 1);
  const matrix y = tn::simple_norm(x);
  const float ratio = y(0, 0) / x(0, 0);
  for (Eigen::Index i = 0; i < 64; ++i) EXPECT_NEAR(y(0, i), x(0, i) * ratio, 1e-5);
}

TEST(formulas, simple_norm_of_a_row_with_mean_zero_is_rms_norm_with_n_minus_one) {
  const Eigen::Index n = 64;
  const matrix half_row = normal_tensor<matrix>({1, n / 2}, 64);
  matrix x(1, n);
  for (Eigen::Index i = 0; i < n; ++i) x(0, i) = i % 2 ? -half_row(0, i / 2) : half_row(0, i / 2);
  const matrix simple = tn::simple_norm(x, {.eps = 0});
  const matrix rms = tn::rms_norm(x, {.eps = 0});
  const float factor = std::sqrt(static_cast<float>(n - 1) / static_cast<float>(n));
  for (Eigen::Index i = 0; i < n; ++i) EXPECT_NEAR(simple(0, i), rms(0, i) * factor, 1e-6);
}

TEST(formulas, layer_norm_over_the_last_axis_of_2x3x4_has_six_means_and_variances) {
  using tensor = row_major_tensor<float, 3>;
  const tensor x = normal_tensor<tensor>({2, 3, 4}, 65, 1, 2);
  tn::statistics<float> saved;
  const tensor y = tn::layer_norm(x, {.save = &saved});
  EXPECT_EQ(saved.mean.size(), 6);
  EXPECT_EQ(saved.rstd.size(), 6);
  const reference expected =
      reference_norm({norm::layer, 1e-5, 0}, rows_over_axes({2, 3, 4}, 2, 2), widen(elements_of(x)));
  EXPECT_TRUE(within_bounds(elements_of(y), expected));
  for (Eigen::Index row = 0; row < 6; ++row)
    EXPECT_NEAR(saved.mean(row), static_cast<double>(expected.mean[static_cast<std::size_t>(row)].high),
                1e-6);
}

TEST(formulas, layer_norm_over_the_last_axis_equals_instance_norm_of_the_same_data_as_n_c_l) {
  using tensor = row_major_tensor<float, 3>;
  const tensor x = normal_tensor<tensor>({2, 3, 4}, 65, 1, 2);
  const tensor layer = tn::layer_norm(x), instance = tn::group_norm(x, 3);
  EXPECT_TRUE(same_bits(elements_of(layer), elements_of(instance)));
}

TEST(formulas,
     the_custom_norm_with_gamma_beta_and_unbiased_variance_over_axis_one_is_layer_norm_with_correction_one) {
  // gamma (x - mean) / sqrt(var + eps) + beta, with torch's var(dim=1, unbiased=True).
  using tensor = row_major_tensor<float, 3>;
  const tensor x = normal_tensor<tensor>({2, 5, 3}, 66, -1, 2);
  const vector gamma = normal_tensor<vector>({5}, 67, 1, 0.5), beta = normal_tensor<vector>({5}, 68);
  const tensor y = tn::layer_norm(x, gamma, beta, {.axes = 1, .eps = 1e-5, .correction = 1});
  for (Eigen::Index n = 0; n < 2; ++n)
    for (Eigen::Index l = 0; l < 3; ++l) {
      double mean = 0, scatter = 0;
      for (Eigen::Index c = 0; c < 5; ++c) mean += x(n, c, l) / 5.;
      for (Eigen::Index c = 0; c < 5; ++c) scatter += (x(n, c, l) - mean) * (x(n, c, l) - mean);
      for (Eigen::Index c = 0; c < 5; ++c)
        EXPECT_NEAR(y(n, c, l), gamma(c) * (x(n, c, l) - mean) / std::sqrt(scatter / 4 + 1e-5) + beta(c),
                    2e-6);
    }
}

TEST(formulas, a_missing_weight_is_ones_and_a_missing_bias_is_zeros) {
  const matrix x = normal_tensor<matrix>({3, 65}, 69, 1, 1);
  vector ones(65), zeros(65);
  ones.setConstant(1);
  zeros.setZero();
  const vector bias = normal_tensor<vector>({65}, 70);
  const matrix none = tn::layer_norm(x), neither = tn::layer_norm(x, tn::none, tn::none);
  const matrix plain = tn::layer_norm(x, ones, zeros), weight_only = tn::layer_norm(x, ones);
  const matrix bias_only = tn::layer_norm(x, tn::none, bias), both = tn::layer_norm(x, ones, bias);
  EXPECT_TRUE(same_bits(elements_of(none), elements_of(neither)));
  EXPECT_TRUE(same_bits(elements_of(none), elements_of(plain)));
  EXPECT_TRUE(same_bits(elements_of(none), elements_of(weight_only)));
  EXPECT_TRUE(same_bits(elements_of(bias_only), elements_of(both)));
  const matrix rms = tn::rms_norm(x), rms_ones = tn::rms_norm(x, ones);
  const matrix simple = tn::simple_norm(x), simple_ones = tn::simple_norm(x, ones);
  EXPECT_TRUE(same_bits(elements_of(rms), elements_of(rms_ones)));
  EXPECT_TRUE(same_bits(elements_of(simple), elements_of(simple_ones)));
}

TEST(formulas, unit_offset_adds_one_to_the_weight) {
  const matrix x = normal_tensor<matrix>({3, 130}, 71, 1, 1);
  const vector offset = normal_tensor<vector>({130}, 72, 0, 0.25);
  const vector weight = offset + 1.f;
  const matrix rms = tn::rms_norm(x, tn::unit_offset(offset)), rms_weight = tn::rms_norm(x, weight);
  const matrix layer = tn::layer_norm(x, tn::unit_offset(offset)), layer_weight = tn::layer_norm(x, weight);
  EXPECT_TRUE(same_bits(elements_of(rms), elements_of(rms_weight)));
  EXPECT_TRUE(same_bits(elements_of(layer), elements_of(layer_weight)));
}

}  // namespace
}  // namespace tensornorm_test
