// A norm of matrices: each row of a matrix, the whole of a vector, whatever lies underneath.
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct matrices : testing::Test {
  static constexpr Eigen::Index rows = 7, cols = 65;
  std::vector<float> x_values = normal<float>(rows * cols, 141, 0.5, 2);
  std::vector<float> weight_values = normal<float>(cols, 142, 1, 0.5), bias_values = normal<float>(cols, 143);
  Eigen::VectorXf weight = Eigen::Map<Eigen::VectorXf>(weight_values.data(), cols);
  Eigen::VectorXf bias = Eigen::Map<Eigen::VectorXf>(bias_values.data(), cols);
  row_matrix x = Eigen::Map<row_matrix>(x_values.data(), rows, cols);
  std::vector<float> y_values =
      normalized({norm::layer, 1e-5, 0}, {rows, cols, 1}, x_values, weight_values, bias_values);

  template <class Matrix>
  void expect_y(const Matrix& y) const {
    ASSERT_EQ(y.rows(), rows);
    ASSERT_EQ(y.cols(), cols);
    const row_matrix values = y.matrix();
    EXPECT_TRUE(same_bits(std::vector<float>(values.data(), values.data() + values.size()), y_values));
  }
};

TEST_F(matrices, are_normalized_row_by_row_in_either_storage_order) {
  const Eigen::MatrixXf columns = x;
  const Eigen::MatrixXf y_columns = tn::layer_norm(columns, weight, bias);
  const row_matrix y_rows = tn::layer_norm(x, weight, bias);
  expect_y(y_columns);
  expect_y(y_rows);
}

TEST_F(matrices, may_have_another_storage_order_than_their_result) {
  const Eigen::MatrixXf columns = x;
  const row_matrix y_rows = tn::layer_norm(columns, weight, bias);
  const Eigen::MatrixXf y_columns = tn::layer_norm(x, weight, bias);
  expect_y(y_columns);
  expect_y(y_rows);
}

TEST_F(matrices, may_be_arrays) {
  const Eigen::ArrayXXf array = x.array();
  const Eigen::ArrayXXf y = tn::layer_norm(array, weight.array(), bias.array());
  expect_y(y);
}

TEST_F(matrices, may_be_maps_with_outer_and_inner_strides) {
  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  std::vector<float> from(2000, -1), to(2000, -1);
  Eigen::Map<row_matrix, 0, strides> x_map(from.data(), rows, cols, strides(200, 3));
  Eigen::Map<Eigen::MatrixXf, 0, strides> y_map(to.data(), rows, cols, strides(20, 2));
  x_map = x;
  y_map = tn::layer_norm(x_map, weight, bias);
  expect_y(y_map);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const bool between = i % 20 >= 14 || i % 2 || i / 20 >= 65;
    if (between) {
      EXPECT_EQ(to[i], -1) << i;
    }
  }
}

TEST_F(matrices, may_be_refs) {
  const Eigen::Ref<const row_matrix> x_ref = x;
  row_matrix y(rows, cols);
  Eigen::Ref<row_matrix> y_ref = y;
  y_ref = tn::layer_norm(x_ref, weight, bias);
  expect_y(y);
  const Eigen::Ref<const row_matrix, 0, Eigen::OuterStride<>> outer_ref = x;
  y = tn::layer_norm(outer_ref, weight, bias);
  expect_y(y);
}

TEST_F(matrices, may_be_blocks_whose_surroundings_stay) {
  row_matrix wide = row_matrix::Constant(rows + 4, cols + 6, -1), target = wide;
  wide.block(2, 3, rows, cols) = x;
  target.block(1, 5, rows, cols) = tn::layer_norm(wide.block(2, 3, rows, cols), weight, bias);
  expect_y(target.block(1, 5, rows, cols));
  target.block(1, 5, rows, cols).setConstant(-1);
  EXPECT_TRUE((target.array() == -1).all());
  Eigen::MatrixXf columns = Eigen::MatrixXf::Constant(rows + 4, cols + 6, -1);
  columns.block(2, 3, rows, cols) = x;
  const Eigen::MatrixXf y = tn::layer_norm(columns.block(2, 3, rows, cols), weight, bias);
  expect_y(y);
}

TEST_F(matrices, may_be_transposed) {
  const Eigen::MatrixXf turned = x.transpose();
  const Eigen::MatrixXf y = tn::layer_norm(turned.transpose(), weight, bias);
  expect_y(y);
}

TEST_F(matrices, may_be_normalized_over_columns_or_as_a_whole) {
  const Eigen::MatrixXf turned = x.transpose();
  const Eigen::MatrixXf y = tn::layer_norm(turned, weight, bias, {.axes = 0});
  expect_y(y.transpose());
  const auto whole = normalized({norm::rms, 1e-6, 0}, {1, rows * cols, 1}, x_values);
  const row_matrix y_whole = tn::rms_norm(x, {.axes = {0, 1}});
  EXPECT_TRUE(same_bits(std::vector<float>(y_whole.data(), y_whole.data() + y_whole.size()), whole));
}

TEST_F(matrices, may_have_a_fixed_size) {
  Eigen::Matrix<float, 3, 4> fixed;
  fixed << 1, 2, 3, 4, -5, 6, -7, 8, 40000, 40001, 40002, 40003;
  const Eigen::Matrix<float, 3, 4> y = tn::layer_norm(fixed);
  const Eigen::Matrix<float, 3, 4, Eigen::RowMajor> values = fixed;
  const std::vector<float> flat(values.data(), values.data() + 12);
  const auto expected = normalized({norm::layer, 1e-5, 0}, {3, 4, 1}, flat);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(bits(y(i / 4, i % 4)), bits(expected[static_cast<std::size_t>(i)]));
}

TEST_F(matrices, that_are_vectors_are_one_row) {
  const auto expected =
      normalized({norm::layer, 1e-5, 0}, {1, cols, 1},
                 std::vector<float>(x_values.begin(), x_values.begin() + cols), weight_values, bias_values);
  const Eigen::VectorXf column = x.row(0).transpose();
  const Eigen::RowVectorXf row = x.row(0);
  const Eigen::ArrayXf array = column.array();
  const Eigen::MatrixXf columns = x;
  const Eigen::VectorXf y_column = tn::layer_norm(column, weight, bias);
  const Eigen::RowVectorXf y_row = tn::layer_norm(row, weight, bias);
  const Eigen::ArrayXf y_array = tn::layer_norm(array, weight, bias);
  const Eigen::RowVectorXf y_strided = tn::layer_norm(columns.row(0), weight, bias);
  const auto expect_row = [&](const auto& y) {
    ASSERT_EQ(y.size(), cols);
    for (Eigen::Index i = 0; i < cols; ++i)
      EXPECT_EQ(bits(y(i)), bits(expected[static_cast<std::size_t>(i)]));
  };
  expect_row(y_column);
  expect_row(y_row);
  expect_row(y_array);
  expect_row(y_strided);
}

TEST_F(matrices, may_be_expressions_which_are_evaluated_first) {
  const row_matrix doubled = 2 * x;
  const row_matrix of_expression = tn::layer_norm(2 * x, weight, bias);
  const row_matrix of_matrix = tn::layer_norm(doubled, weight, bias);
  EXPECT_TRUE((of_expression.array() == of_matrix.array()).all());
  const Eigen::MatrixXf identity = Eigen::MatrixXf::Identity(rows, rows);
  const row_matrix of_product = tn::layer_norm(identity * x, weight, bias);
  expect_y(of_product);
}

TEST_F(matrices, may_stand_in_a_larger_expression) {
  const row_matrix sum = x + row_matrix(tn::layer_norm(x, weight, bias));
  row_matrix added = x;
  added += tn::layer_norm(x, weight, bias);
  EXPECT_TRUE((sum.array() == added.array()).all());
}

TEST_F(matrices, are_written_straight_into_y) {
  row_matrix y(rows, cols);
  const float* const memory = y.data();
  y = tn::layer_norm(x, weight, bias);
  EXPECT_EQ(y.data(), memory);
  expect_y(y);
}

TEST_F(matrices, may_be_their_own_result) {
  const float* const memory = x.data();
  x = tn::layer_norm(x, weight, bias);
  EXPECT_EQ(x.data(), memory);
  expect_y(x);
  Eigen::MatrixXf columns = Eigen::Map<row_matrix>(x_values.data(), rows, cols);
  columns = tn::layer_norm(columns, weight, bias);
  expect_y(columns);
}

TEST_F(matrices, without_rows_give_an_empty_result) {
  const row_matrix empty(0, cols);
  const row_matrix y = tn::layer_norm(empty, weight, bias);
  EXPECT_EQ(y.rows(), 0);
  EXPECT_EQ(y.cols(), cols);
}

TEST_F(matrices, agree_with_rms_norm_and_simple_norm_of_plain_rows) {
  const row_matrix rms = tn::rms_norm(x, weight), simple = tn::simple_norm(x, weight);
  const auto values = [](const row_matrix& y) { return std::vector<float>(y.data(), y.data() + y.size()); };
  EXPECT_TRUE(
      same_bits(values(rms), normalized({norm::rms, 1e-6, 0}, {rows, cols, 1}, x_values, weight_values)));
  EXPECT_TRUE(same_bits(values(simple),
                        normalized({norm::simple, 1e-6, 0}, {rows, cols, 1}, x_values, weight_values)));
}

}  // namespace
}  // namespace tensornorm_test
