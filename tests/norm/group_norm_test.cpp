// group_norm against the oracle, for every way to split channels, in both layouts.
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using vector = Eigen::Tensor<float, 1>;
constexpr formula group_formula{norm::layer, 1e-5, 0};

/// A batch of two and a split of its channels.
struct split {
  std::ptrdiff_t channels;
  std::ptrdiff_t groups;
};
constexpr split splits[] = {{2, 1},  {4, 2},  {6, 3},  {6, 6},  {8, 2},
                            {12, 4}, {32, 8}, {64, 1}, {65, 5}, {130, 2}};

template <class Tensor, class W = typename Tensor::Scalar>
void expect_group_norm(const indices_of<Tensor>& size, std::ptrdiff_t groups) {
  using T = typename Tensor::Scalar;
  using parameters = Eigen::Tensor<W, 1>;
  SCOPED_TRACE(testing::Message() << testing::PrintToString(extents(size.begin(), size.end())) << " in "
                                  << groups << " groups, row-major "
                                  << (int(Tensor::Layout) == int(Eigen::RowMajor)));
  const row_map map = rows_over_groups(extents(size.begin(), size.end()), groups);
  if (map.rows == map.row.size()) return;  // one element in a group is tested by itself
  const Tensor x = normal_tensor<Tensor>(size, 91, 0.5, 2);
  const parameters weight = normal_tensor<parameters>({size[1]}, 92, 1, 0.5);
  const parameters bias = normal_tensor<parameters>({size[1]}, 93);
  const auto wide_x = widen(elements_of(x));
  const auto wide_weight = widen(elements_of(weight)), wide_bias = widen(elements_of(bias));
  tn::statistics<tn::accumulator_t<T>> saved;
  const Tensor y = tn::group_norm(x, groups, weight, bias, {.save = &saved});
  const reference expected = reference_norm(group_formula, map, wide_x, wide_weight, wide_bias);
  EXPECT_TRUE(within_bounds(elements_of(y), expected));
  ASSERT_EQ(static_cast<std::size_t>(saved.rstd.size()), map.rows);
  const Eigen::TensorMap<const Eigen::Tensor<tn::accumulator_t<T>, 2, int(Tensor::Layout)>> rstd(
      saved.rstd.data(), size[0], groups);
  for_each_element(rstd, [&](std::size_t row, auto value) {
    EXPECT_LE(std::abs(widen(value) - expected.rstd[row]),
              4 * epsilon<tn::accumulator_t<T>>() * expected.rstd[row]);
  });
}

TEST(group_norm, matches_the_long_double_reference_on_n_c) {
  for (const split& s : splits) {
    expect_group_norm<row_major_tensor<float, 2>>({3, s.channels}, s.groups);
    expect_group_norm<col_major_tensor<float, 2>>({3, s.channels}, s.groups);
  }
}

TEST(group_norm, matches_the_long_double_reference_on_n_c_l) {
  for (const split& s : splits)
    for (const std::ptrdiff_t positions : {1, 3, 16, 65}) {
      expect_group_norm<row_major_tensor<float, 3>>({2, s.channels, positions}, s.groups);
      expect_group_norm<col_major_tensor<float, 3>>({2, s.channels, positions}, s.groups);
    }
}

TEST(group_norm, matches_the_long_double_reference_on_n_c_h_w) {
  for (const split& s : splits) {
    expect_group_norm<row_major_tensor<float, 4>>({2, s.channels, 5, 7}, s.groups);
    expect_group_norm<col_major_tensor<float, 4>>({17, s.channels, 2, 3}, s.groups);
  }
  expect_group_norm<row_major_tensor<float, 4>>({1, 4, 200, 300}, 2);
  expect_group_norm<col_major_tensor<float, 4>>({1, 4, 200, 300}, 2);
}

TEST(group_norm, matches_the_long_double_reference_in_double_half_and_bfloat16) {
  expect_group_norm<row_major_tensor<double, 3>>({2, 12, 9}, 4);
  expect_group_norm<col_major_tensor<double, 3>>({2, 12, 9}, 4);
  expect_group_norm<row_major_tensor<Eigen::half, 3>>({2, 12, 9}, 4);
  expect_group_norm<col_major_tensor<Eigen::half, 3>>({2, 12, 9}, 4);
  expect_group_norm<row_major_tensor<Eigen::bfloat16, 3>>({2, 12, 9}, 4);
}

TEST(group_norm, takes_float_parameters_for_bfloat16_data) {
  expect_group_norm<row_major_tensor<Eigen::bfloat16, 3>, float>({2, 12, 9}, 4);
}

TEST(group_norm, of_one_element_in_a_group_is_exactly_the_bias) {
  const row_major_tensor<float, 2> x = normal_tensor<row_major_tensor<float, 2>>({3, 8}, 94);
  const vector weight = normal_tensor<vector>({8}, 95), bias = normal_tensor<vector>({8}, 96);
  const row_major_tensor<float, 2> y = tn::group_norm(x, 8, weight, bias);
  for (Eigen::Index n = 0; n < 3; ++n)
    for (Eigen::Index c = 0; c < 8; ++c) EXPECT_EQ(bits(y(n, c)), bits(bias(c)));
}

TEST(group_norm, of_one_group_is_layer_norm_over_all_but_the_batch) {
  using tensor = row_major_tensor<float, 3>;
  const tensor x = normal_tensor<tensor>({3, 8, 9}, 97);
  const tensor group = tn::group_norm(x, 1), layer = tn::layer_norm(x, {.axes = {1, 2}});
  EXPECT_TRUE(same_bits(elements_of(group), elements_of(layer)));
}

TEST(group_norm, with_as_many_groups_as_channels_is_instance_norm_over_the_positions) {
  using tensor = row_major_tensor<float, 4>;
  const tensor x = normal_tensor<tensor>({2, 6, 5, 7}, 98, 3, 2);
  const tensor instance = tn::group_norm(x, 6), layer = tn::layer_norm(x, {.axes = {2, 3}});
  EXPECT_TRUE(same_bits(elements_of(instance), elements_of(layer)));
}

TEST(group_norm, takes_no_weight_no_bias_or_a_unit_offset) {
  using tensor = row_major_tensor<float, 3>;
  const tensor x = normal_tensor<tensor>({2, 8, 9}, 99);
  vector ones(8), zeros(8);
  ones.setConstant(1);
  zeros.setZero();
  const vector bias = normal_tensor<vector>({8}, 100);
  const tensor plain = tn::group_norm(x, 4, ones, zeros);
  const tensor neither = tn::group_norm(x, 4), weight_only = tn::group_norm(x, 4, ones);
  const tensor offset = tn::group_norm(x, 4, tn::unit_offset(zeros), tn::none);
  EXPECT_TRUE(same_bits(elements_of(neither), elements_of(plain)));
  EXPECT_TRUE(same_bits(elements_of(weight_only), elements_of(plain)));
  EXPECT_TRUE(same_bits(elements_of(offset), elements_of(plain)));
  const tensor bias_only = tn::group_norm(x, 4, tn::none, bias), both = tn::group_norm(x, 4, ones, bias);
  EXPECT_TRUE(same_bits(elements_of(bias_only), elements_of(both)));
}

TEST(group_norm, works_in_place) {
  using tensor = row_major_tensor<float, 3>;
  tensor x = normal_tensor<tensor>({2, 8, 9}, 101);
  const vector weight = normal_tensor<vector>({8}, 102);
  const tensor apart = tn::group_norm(x, 4, weight);
  x = tn::group_norm(x, 4, weight);
  EXPECT_TRUE(same_bits(elements_of(x), elements_of(apart)));
}

TEST(group_norm, keeps_a_nan_in_its_group) {
  using tensor = row_major_tensor<float, 3>;
  tensor x = normal_tensor<tensor>({2, 8, 9}, 103);
  const tensor clean = tn::group_norm(x, 4);
  x(1, 5, 3) = quiet_nan<float>();
  const tensor y = tn::group_norm(x, 4);
  const row_map map = rows_over_groups({2, 8, 9}, 4);
  const auto a = elements_of(y), b = elements_of(clean);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (map.row[i] == 4 + 2)
      EXPECT_TRUE(is_nan(a[i]));
    else
      EXPECT_EQ(bits(a[i]), bits(b[i]));
  }
}

}  // namespace
}  // namespace tensornorm_test
