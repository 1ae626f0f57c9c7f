// y = norm(x, ...) allocates nothing: no temporary, no copy of x or of a parameter, no workspace.
#include "../support/allocations.hpp"

#include <gtest/gtest.h>
#include <tensornorm/tensornorm.hpp>

#include <memory>
#include <vector>

namespace tensornorm_test {
namespace {

namespace tn = tensornorm;
using tensor = Eigen::Tensor<float, 3, Eigen::RowMajor>;

// Where a compiler cannot leave an allocation out.
std::vector<int> kept;
std::shared_ptr<int> shared;

TEST(the_counter, sees_what_new_and_eigen_allocate) {
  EXPECT_EQ(allocations_of([] {}), 0);
  EXPECT_EQ(allocations_of([] { ::operator delete(::operator new(4)); }), 1);
  EXPECT_GE(allocations_of([] { std::vector<int>(1000, 1).swap(kept); }), 1);
  EXPECT_GE(allocations_of([] { shared = std::make_shared<int>(1); }), 1);
  EXPECT_GE(allocations_of([] { Eigen::VectorXf(100).setZero(); }), 1);
  EXPECT_GE(allocations_of([] { Eigen::Tensor<float, 1>(100).setZero(); }), 1);
}

TEST(the_counter, sees_the_copy_of_an_expression) {
  tensor x(2, 3, 4), y(2, 3, 4);
  x.setRandom();
  EXPECT_GE(allocations_of([&] { y = tn::rms_norm(x * 2.f); }), 1);
}

/// Every norm of a tensor along an axis, written into y.
template <class Tensor>
void expect_no_allocation(Tensor& y, const Tensor& x, int axis) {
  const Eigen::Index n = x.dimensions()[static_cast<std::size_t>(axis)];
  Eigen::Tensor<float, 1> weight(n), bias(n);
  weight.setConstant(2);
  bias.setConstant(1);
  tn::statistics<float> saved;
  y = tn::layer_norm(x, {.axes = axis, .save = &saved});
  EXPECT_EQ(allocations_of([&] { y = tn::rms_norm(x, weight, {.axes = axis}); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::rms_norm(x, tn::unit_offset(weight), {.axes = axis}); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::simple_norm(x, weight, {.axes = axis}); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::layer_norm(x, weight, bias, {.axes = axis}); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::layer_norm(x, {.axes = axis, .save = &saved}); }), 0);
  EXPECT_EQ(
      allocations_of([&] { y.device(Eigen::DefaultDevice()) = tn::rms_norm(x, weight, {.axes = axis}); }), 0);
}

template <class Tensor>
void expect_no_allocation_along_any_axis(Eigen::Index a, Eigen::Index b, Eigen::Index c) {
  Tensor x(a, b, c), y(a, b, c);
  x.setRandom();
  for (int axis = 0; axis < 3; ++axis) expect_no_allocation(y, x, axis);
  for (int axis = 0; axis < 3; ++axis) expect_no_allocation(x, Tensor(x), axis);
}

TEST(a_norm, of_a_tensor_allocates_nothing) {
  expect_no_allocation_along_any_axis<tensor>(4, 6, 65);
  expect_no_allocation_along_any_axis<tensor>(3, 130, 70);
  expect_no_allocation_along_any_axis<Eigen::Tensor<float, 3>>(65, 6, 4);
}

TEST(a_norm, of_a_long_row_allocates_nothing) {
  expect_no_allocation_along_any_axis<tensor>(2, 2, 150001);
  expect_no_allocation_along_any_axis<tensor>(2, 70001, 2);
}

TEST(a_norm, of_a_huge_row_allocates_nothing) {
  tensor x(2, 3, 65), y(2, 3, 65);
  x.setConstant(1e30f);
  EXPECT_EQ(allocations_of([&] { y = tn::rms_norm(x, {.eps = 0}); }), 0);
  EXPECT_EQ(y(1, 2, 64), 1);
}

TEST(a_norm, over_several_axes_or_groups_allocates_nothing) {
  tensor x(4, 6, 65), y(4, 6, 65);
  x.setRandom();
  Eigen::Tensor<float, 1> flat(6 * 65), weight(6);
  flat.setConstant(2);
  weight.setConstant(2);
  EXPECT_EQ(allocations_of([&] { y = tn::layer_norm(x, flat, flat, {.axes = {1, 2}}); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::group_norm(x, 3, weight, weight); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::group_norm(x, 6); }), 0);
}

TEST(a_fused_norm, of_rows_side_by_side_in_memory_allocates_nothing) {
  for (const Eigen::Index size : {65, 8192}) {
    tensor x(2, 3, size), skip(2, 3, size), sum(2, 3, size), y(2, 3, size);
    x.setRandom();
    skip.setRandom();
    Eigen::Tensor<float, 1> weight(size), scales(6);
    weight.setConstant(2);
    Eigen::Tensor<signed char, 3, Eigen::RowMajor> q(2, 3, size);
    EXPECT_EQ(allocations_of([&] { y = tn::rms_norm(tn::residual(x, skip, sum), weight); }), 0);
    EXPECT_EQ(allocations_of([&] { y = tn::layer_scale(tn::silu(tn::rms_norm(x, weight)), weight); }), 0);
    EXPECT_EQ(allocations_of([&] { tn::quantize(tn::rms_norm(x, weight), q, scales); }), 0);
  }
}

TEST(a_norm, of_a_matrix_allocates_nothing) {
  Eigen::MatrixXf columns = Eigen::MatrixXf::Random(7, 65), y(7, 65);
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = columns, y_rows(7, 65);
  const Eigen::VectorXf weight = Eigen::VectorXf::Random(65);
  EXPECT_EQ(allocations_of([&] { y = tn::rms_norm(columns, weight); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::layer_norm(columns, weight, weight); }), 0);
  EXPECT_EQ(allocations_of([&] { y_rows = tn::simple_norm(rows, weight); }), 0);
  EXPECT_EQ(allocations_of([&] { rows = tn::rms_norm(rows, weight); }), 0);
  EXPECT_EQ(allocations_of([&] { y.row(2) = tn::rms_norm(columns.row(3), weight); }), 0);
}

TEST(a_norm, of_half_with_float_weights_allocates_nothing) {
  Eigen::Tensor<Eigen::half, 2, Eigen::RowMajor> x(3, 65), y(3, 65);
  x.setConstant(Eigen::half(2.f));
  Eigen::Tensor<float, 1> weight(65);
  weight.setConstant(2);
  EXPECT_EQ(allocations_of([&] { y = tn::rms_norm(x, weight); }), 0);
  EXPECT_EQ(allocations_of([&] { y = tn::rms_norm(x, weight, {.rounding = tn::rounding::before_weight}); }),
            0);
}

}  // namespace
}  // namespace tensornorm_test
