// dweight and dbias are sums over rows, and as good for millions of rows as for one.
#include <gtest/gtest.h>

#include "../support/backward.hpp"
#include "../support/backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

template <class T>
using matrix_of = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using vector_of = Eigen::Matrix<T, Eigen::Dynamic, 1>;

/// One row, seen as many: a matrix whose rows all lie at the same place.
template <class T>
auto many_times(const vector_of<T>& row, Eigen::Index rows) {
  return Eigen::Map<const matrix_of<T>, 0, Eigen::OuterStride<>>(row.data(), rows, row.size(),
                                                                 Eigen::OuterStride<>(0));
}

/// More rows than a float can count.
constexpr Eigen::Index more_rows = (Eigen::Index(1) << 24) + 2;

TEST(sums_over_rows, of_more_ones_than_a_float_can_count_are_their_number) {
  const vector_of<float> one = vector_of<float>::Ones(1);
  const auto x = many_times(one, more_rows);
  vector_of<float> dweight = vector_of<float>::Constant(1, quiet_nan<float>());
  tn::rms_norm_backward(x, x, tn::none, {.eps = 0}, tn::grad_weight(dweight));
  EXPECT_NEAR(dweight(0), static_cast<double>(more_rows), 2);
  vector_of<float> dbias = vector_of<float>::Constant(1, quiet_nan<float>());
  tn::layer_norm_backward(x, x, tn::none, tn::grad_bias(dbias));
  EXPECT_NEAR(dbias(0), static_cast<double>(more_rows), 2);
}

TEST(sums_over_rows, of_more_rows_than_a_float_can_count_are_right_in_rows_of_several_elements) {
  vector_of<float> row(5), dy(5);
  row << 1, -2, 3, 5, 0.5;
  dy << 1, 0.75, -3, 0.1f, 1e-3f;
  const Eigen::Index rows = more_rows / 4;
  vector_of<float> dweight(5), dbias(5);
  tn::layer_norm_backward(many_times(dy, rows), many_times(row, rows), tn::none, tn::grad_weight(dweight),
                          tn::grad_bias(dbias));
  const row_reference y =
      reference_row({norm::layer, 1e-5, 0}, widen(std::vector<float>(row.data(), row.data() + 5)), {}, {});
  for (Eigen::Index i = 0; i < 5; ++i) {
    const real bias = static_cast<real>(rows) * widen(dy(i)),
               weight = bias * y.y[static_cast<std::size_t>(i)];
    EXPECT_LE(std::abs(widen(dbias(i)) - bias), 8 * epsilon<float>() * std::abs(bias)) << i;
    EXPECT_LE(std::abs(widen(dweight(i)) - weight), 8 * epsilon<float>() * std::abs(weight)) << i;
  }
}

TEST(sums_over_rows, of_more_ones_than_a_float_can_count_are_their_number_across_an_inner_axis) {
  using tensor = row_major_tensor<float, 3>;
  const std::vector<float> ones(static_cast<std::size_t>(more_rows), 1.f);
  const Eigen::TensorMap<const tensor> x(ones.data(), 1, 1, more_rows);
  Eigen::Tensor<float, 1> dweight(1), dbias(1);
  tn::rms_norm_backward(x, x, tn::none, {.axes = 1, .eps = 0}, tn::grad_weight(dweight));
  EXPECT_NEAR(dweight(0), static_cast<double>(more_rows), 2);
  tn::layer_norm_backward(x, x, tn::none, {.axes = 1}, tn::grad_bias(dbias));
  EXPECT_NEAR(dbias(0), static_cast<double>(more_rows), 2);
}

TEST(sums_over_rows, of_more_ones_than_a_float_can_count_are_their_number_in_a_group) {
  using tensor = row_major_tensor<float, 3>;
  const std::vector<float> ones(static_cast<std::size_t>(more_rows), 1.f);
  const Eigen::TensorMap<const tensor> x(ones.data(), 1, 1, more_rows);
  Eigen::Tensor<float, 1> dbias(1);
  tn::group_norm_backward(x, x, 1, tn::none, tn::grad_bias(dbias));
  EXPECT_NEAR(dbias(0), static_cast<double>(more_rows), 2);
}

template <class T>
class sums_in_16_bits : public testing::Test {};
using half_types = testing::Types<Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(sums_in_16_bits, half_types, scalar_names);

TYPED_TEST(sums_in_16_bits, are_taken_in_float_and_rounded_once) {
  using T = TypeParam;
  const vector_of<T> one = vector_of<T>::Constant(1, narrow<T>(1));
  for (const Eigen::Index rows : {300, 2051, 60000}) {
    vector_of<T> dweight(1), dbias(1);
    const auto x = many_times(one, rows);
    tn::rms_norm_backward(x, x, tn::none, {.eps = 0}, tn::grad_weight(dweight));
    tn::layer_norm_backward(x, x, tn::none, tn::grad_bias(dbias));
    const T expected = narrow<T>(static_cast<double>(rows));
    EXPECT_EQ(bits(dweight(0)), bits(expected)) << rows;
    EXPECT_EQ(bits(dbias(0)), bits(expected)) << rows;
  }
}

TYPED_TEST(sums_in_16_bits, go_into_a_wider_destination_unrounded) {
  using T = TypeParam;
  const vector_of<T> one = vector_of<T>::Constant(1, narrow<T>(1));
  const auto x = many_times(one, 300001);
  Eigen::VectorXf dweight(1), dbias(1);
  tn::rms_norm_backward(x, x, tn::none, {.eps = 0}, tn::grad_weight(dweight));
  tn::layer_norm_backward(x, x, tn::none, tn::grad_bias(dbias));
  EXPECT_EQ(dweight(0), 300001);
  EXPECT_EQ(dbias(0), 300001);
}

}  // namespace
}  // namespace tensornorm_test
