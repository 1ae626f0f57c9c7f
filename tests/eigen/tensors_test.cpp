// A norm as an expression of Eigen's Tensor module: what it takes, where it writes, on which device.
#define EIGEN_USE_THREADS
#include "../support/tensors.hpp"

#include <gtest/gtest.h>

#include "../support/bounds.hpp"

namespace tensornorm_test {
namespace {

using tensor = row_major_tensor<float, 2>;
using vector = Eigen::Tensor<float, 1>;

struct tensors : testing::Test {
  tensor x = normal_tensor<tensor>({7, 65}, 131, 0.5, 2);
  vector weight = normal_tensor<vector>({65}, 132, 1, 0.5);
  vector bias = normal_tensor<vector>({65}, 133);
  tensor y = tn::layer_norm(x, weight, bias);

  void expect_y(const std::vector<float>& values) const { EXPECT_TRUE(same_bits(values, elements_of(y))); }
};

TEST_F(tensors, may_be_maps) {
  std::vector<float> result(455, quiet_nan<float>());
  Eigen::TensorMap<tensor> from(x.data(), 7, 65), to(result.data(), 7, 65);
  to = tn::layer_norm(from, weight, bias);
  expect_y(result);
}

TEST_F(tensors, may_be_const_maps_of_const_data) {
  const float* data = x.data();
  const Eigen::TensorMap<const tensor> from(data, 7, 65);
  const tensor result = tn::layer_norm(from, weight, bias);
  expect_y(elements_of(result));
}

TEST_F(tensors, may_be_aligned_maps_and_references) {
  const Eigen::TensorMap<tensor, Eigen::Aligned> from(x.data(), 7, 65);
  const tensor result = tn::layer_norm(from, weight, bias);
  expect_y(elements_of(result));
}

TEST_F(tensors, may_have_a_fixed_size) {
  using fixed = Eigen::TensorFixedSize<float, Eigen::Sizes<7, 65>, Eigen::RowMajor>;
  fixed from = x;
  fixed result;
  result = tn::layer_norm(from, weight, bias);
  EXPECT_TRUE(std::equal(y.data(), y.data() + y.size(), result.data()));
}

TEST_F(tensors, may_be_expressions_which_are_evaluated_first) {
  const tensor doubled = x * 2.f;
  const tensor of_expression = tn::layer_norm(x * 2.f, weight, bias);
  const tensor of_tensor = tn::layer_norm(doubled, weight, bias);
  EXPECT_TRUE(same_bits(elements_of(of_expression), elements_of(of_tensor)));
  const Eigen::array<int, 2> swapped{1, 0};
  const tensor shuffled = x.shuffle(swapped);
  const tensor of_shuffle = tn::rms_norm(x.shuffle(swapped)), of_shuffled = tn::rms_norm(shuffled);
  EXPECT_TRUE(same_bits(elements_of(of_shuffle), elements_of(of_shuffled)));
}

TEST_F(tensors, may_be_the_result_of_another_norm) {
  const tensor nested = tn::rms_norm(tn::layer_norm(x, weight, bias));
  const tensor apart = tn::rms_norm(y);
  EXPECT_TRUE(same_bits(elements_of(nested), elements_of(apart)));
}

TEST_F(tensors, may_stand_in_a_larger_expression) {
  const tensor sum = x + tn::layer_norm(x, weight, bias);
  const tensor expected = x + y;
  EXPECT_TRUE(same_bits(elements_of(sum), elements_of(expected)));
}

TEST_F(tensors, may_be_written_into_a_slice) {
  tensor wide(9, 65);
  wide.setConstant(-1);
  const Eigen::array<Eigen::Index, 2> offset{1, 0}, size{7, 65};
  wide.slice(offset, size) = tn::layer_norm(x, weight, bias);
  const tensor slice = wide.slice(offset, size);
  expect_y(elements_of(slice));
  for (Eigen::Index i = 0; i < 65; ++i) EXPECT_EQ(wide(0, i), -1);
  for (Eigen::Index i = 0; i < 65; ++i) EXPECT_EQ(wide(8, i), -1);
}

TEST_F(tensors, are_written_straight_into_y) {
  tensor result(7, 65);
  const float* const memory = result.data();
  result = tn::layer_norm(x, weight, bias);
  EXPECT_EQ(result.data(), memory);
  expect_y(elements_of(result));
}

TEST_F(tensors, are_resized_where_y_has_another_size) {
  tensor result(2, 3);
  result = tn::layer_norm(x, weight, bias);
  expect_y(elements_of(result));
}

TEST_F(tensors, may_be_their_own_result) {
  const float* const memory = x.data();
  x = tn::layer_norm(x, weight, bias);
  EXPECT_EQ(x.data(), memory);
  expect_y(elements_of(x));
}

TEST_F(tensors, may_be_evaluated_on_the_default_device) {
  tensor result(7, 65);
  const Eigen::DefaultDevice device;
  result.device(device) = tn::layer_norm(x, weight, bias);
  expect_y(elements_of(result));
}

TEST_F(tensors, give_the_same_bits_on_any_number_of_threads) {
  for (const int threads : {1, 2, 3, 7}) {
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    tensor result(7, 65);
    const float* const memory = result.data();
    result.device(device) = tn::layer_norm(x, weight, bias);
    EXPECT_EQ(result.data(), memory);
    expect_y(elements_of(result));
    result.device(device) = tn::layer_norm(x * 1.f, weight, bias);
    expect_y(elements_of(result));
    tensor in_place = x;
    in_place.device(device) = tn::layer_norm(in_place, weight, bias);
    expect_y(elements_of(in_place));
  }
}

TEST_F(tensors, give_the_same_bits_on_threads_for_column_major_and_groups) {
  const auto columns = normal_tensor<col_major_tensor<float, 3>>({65, 12, 9}, 134);
  const col_major_tensor<float, 3> layer = tn::layer_norm(columns), group = tn::group_norm(columns, 4);
  for (const int threads : {2, 3, 7}) {
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    col_major_tensor<float, 3> result(65, 12, 9);
    result.device(device) = tn::layer_norm(columns);
    EXPECT_TRUE(same_bits(elements_of(result), elements_of(layer)));
    result.device(device) = tn::group_norm(columns, 4);
    EXPECT_TRUE(same_bits(elements_of(result), elements_of(group)));
  }
}

TEST_F(tensors, without_rows_give_an_empty_result) {
  const tensor empty(0, 65);
  const tensor result = tn::layer_norm(empty, weight, bias);
  EXPECT_EQ(result.dimension(0), 0);
  EXPECT_EQ(result.dimension(1), 65);
  const row_major_tensor<float, 4> no_batch(0, 6, 5, 7);
  const row_major_tensor<float, 4> groups = tn::group_norm(no_batch, 3),
                                   channels = tn::rms_norm(no_batch, {.axes = 1});
  EXPECT_EQ(groups.size(), 0);
  EXPECT_EQ(channels.size(), 0);
}

TEST_F(tensors, save_statistics_in_the_storage_order_of_x_without_the_normalized_axes) {
  const auto row_major = normal_tensor<row_major_tensor<float, 4>>({3, 4, 5, 6}, 135, 1, 2);
  const auto col_major = normal_tensor<col_major_tensor<float, 4>>({3, 4, 5, 6}, 135, 1, 2);
  tn::statistics<float> by_row, by_col;
  const row_major_tensor<float, 4> row_y = tn::layer_norm(row_major, {.axes = {1, 2}, .save = &by_row});
  const col_major_tensor<float, 4> col_y = tn::layer_norm(col_major, {.axes = {1, 2}, .save = &by_col});
  const reference expected = reference_norm({norm::layer, 1e-5, 0}, rows_over_axes({3, 4, 5, 6}, 1, 2),
                                            widen(elements_of(row_major)));
  const Eigen::TensorMap<row_major_tensor<float, 2>> row_mean(by_row.mean.data(), 3, 6);
  const Eigen::TensorMap<col_major_tensor<float, 2>> col_mean(by_col.mean.data(), 3, 6);
  for (Eigen::Index n = 0; n < 3; ++n)
    for (Eigen::Index w = 0; w < 6; ++w) {
      const auto mean = static_cast<double>(expected.mean[static_cast<std::size_t>(n * 6 + w)].high);
      EXPECT_NEAR(row_mean(n, w), mean, 1e-6);
      EXPECT_NEAR(col_mean(n, w), mean, 1e-6);
    }
}

}  // namespace
}  // namespace tensornorm_test
