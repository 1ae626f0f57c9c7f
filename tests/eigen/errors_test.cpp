// Every error: its full text, and that it comes before anything is written, in Release too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using testing::StrEq;
using testing::ThrowsMessage;
using tensor = row_major_tensor<float, 3>;
using vector = Eigen::Tensor<float, 1>;

struct errors : testing::Test {
  tensor x = normal_tensor<tensor>({2, 4, 5}, 151);
  tensor y{2, 4, 5};
  tn::statistics<float> saved;

  errors() { y.setConstant(42); }

  /// The call throws exactly this text, and y and the statistics stay as they were.
  template <class Call>
  void expect(const char* text, const Call& call) {
    EXPECT_THAT(call, ThrowsMessage<std::invalid_argument>(StrEq(text)));
    for (const float value : elements_of(y)) ASSERT_EQ(value, 42);
    EXPECT_EQ(y.dimension(1), 4);
    EXPECT_EQ(saved.rstd.size(), 0);
  }

  static vector ones(Eigen::Index count) { return vector(count).setConstant(1); }
};

TEST_F(errors, a_weight_with_too_few_or_too_many_elements) {
  expect("layer_norm: weight has 3 elements, expected 4 (axes {1, 1} of 2x4x5)",
         [&] { y = tn::layer_norm(x, ones(3), tn::none, {.axes = 1, .save = &saved}); });
  expect("rms_norm: weight has 6 elements, expected 5 (axes {2, 2} of 2x4x5)",
         [&] { y = tn::rms_norm(x, ones(6), {.save = &saved}); });
  expect("simple_norm: weight has 1 elements, expected 5 (axes {2, 2} of 2x4x5)",
         [&] { y = tn::simple_norm(x, ones(1), {.save = &saved}); });
  expect("group_norm: weight has 5 elements, expected 4 (axes {1, 1} of 2x4x5)",
         [&] { y = tn::group_norm(x, 2, ones(5), tn::none, {.save = &saved}); });
  expect("rms_norm: weight has 4 elements, expected 5 (axes {2, 2} of 2x4x5)",
         [&] { y = tn::rms_norm(x, tn::unit_offset(ones(4)), {.save = &saved}); });
}

TEST_F(errors, a_bias_with_too_few_or_too_many_elements) {
  expect("layer_norm: bias has 4 elements, expected 5 (axes {2, 2} of 2x4x5)",
         [&] { y = tn::layer_norm(x, ones(5), ones(4), {.save = &saved}); });
  expect("layer_norm: bias has 0 elements, expected 5 (axes {2, 2} of 2x4x5)",
         [&] { y = tn::layer_norm(x, tn::none, ones(0), {.save = &saved}); });
  expect("group_norm: bias has 2 elements, expected 4 (axes {1, 1} of 2x4x5)",
         [&] { y = tn::group_norm(x, 2, ones(4), ones(2), {.save = &saved}); });
}

TEST_F(errors, a_weight_of_shape_dim_by_one_is_not_broadcast) {
  const tensor square = normal_tensor<tensor>({2, 5, 5}, 152);
  row_major_tensor<float, 2> column(5, 1), row(1, 5);
  column.setConstant(1);
  row.setConstant(1);
  expect("rms_norm: weight has shape 5x1, expected 5 (axes {2, 2} of 2x5x5)",
         [&] { y = tn::rms_norm(square, column, {.save = &saved}); });
  expect("layer_norm: weight has shape 1x5, expected 5 (axes {2, 2} of 2x5x5)",
         [&] { y = tn::layer_norm(square, row, tn::none, {.save = &saved}); });
  expect("layer_norm: bias has shape 5x1, expected 5 (axes {1, 1} of 2x5x5)", [&] {
    y = tn::layer_norm(square, ones(5), Eigen::MatrixXf::Ones(5, 1), {.axes = 1, .save = &saved});
  });
}

TEST_F(errors, a_weight_whose_axes_are_exchanged) {
  row_major_tensor<float, 2> exchanged(5, 4);
  exchanged.setConstant(1);
  expect(
      "layer_norm: weight has shape 5x4, expected 4x5 or as many elements in one axis (axes {1, 2} of 2x4x5)",
      [&] {
        y = tn::layer_norm(x, exchanged, tn::none, {.axes = {1, 2}, .save = &saved});
      });
  expect(
      "layer_norm: weight has shape 19, expected 4x5 or as many elements in one axis (axes {1, 2} of 2x4x5)",
      [&] {
        y = tn::layer_norm(x, ones(19), tn::none, {.axes = {1, 2}, .save = &saved});
      });
}

TEST_F(errors, an_eps_that_is_negative_or_not_finite) {
  expect("rms_norm: eps is -1e-06, expected a finite number that is not negative",
         [&] { y = tn::rms_norm(x, {.eps = -1e-6, .save = &saved}); });
  expect("simple_norm: eps is inf, expected a finite number that is not negative",
         [&] { y = tn::simple_norm(x, {.eps = std::numeric_limits<double>::infinity(), .save = &saved}); });
  expect("layer_norm: eps is nan, expected a finite number that is not negative",
         [&] { y = tn::layer_norm(x, {.eps = std::numeric_limits<double>::quiet_NaN(), .save = &saved}); });
  expect("group_norm: eps is -1, expected a finite number that is not negative",
         [&] { y = tn::group_norm(x, 2, {.eps = -1, .save = &saved}); });
}

TEST_F(errors, a_divisor_of_the_variance_that_is_not_positive) {
  expect("layer_norm: each row has 5 elements, and the divisor N - 5 must be positive (axes {2, 2} of 2x4x5)",
         [&] { y = tn::layer_norm(x, {.correction = 5, .save = &saved}); });
  expect("layer_norm: each row has 4 elements, and the divisor N - 6 must be positive (axes {1, 1} of 2x4x5)",
         [&] { y = tn::layer_norm(x, {.axes = 1, .correction = 6, .save = &saved}); });
  const tensor single(2, 4, 1);
  expect(
      "simple_norm: each row has 1 elements, and the divisor N - 1 must be positive (axes {2, 2} of 2x4x1)",
      [&] { y = tn::simple_norm(single, {.save = &saved}); });
  const tensor empty_rows(2, 4, 0);
  expect("rms_norm: each row has 0 elements, and the divisor N - 0 must be positive (axes {2, 2} of 2x4x0)",
         [&] { y = tn::rms_norm(empty_rows, {.save = &saved}); });
  expect("group_norm: each row has 0 elements, and the divisor N - 0 must be positive (axes {1, 1} of 2x4x0)",
         [&] { y = tn::group_norm(empty_rows, 2, {.save = &saved}); });
}

TEST_F(errors, axes_out_of_range_or_backwards) {
  expect("rms_norm: axes {3, 3} do not name a run of the 3 axes of x, 2x4x5",
         [&] { y = tn::rms_norm(x, {.axes = 3, .save = &saved}); });
  expect("simple_norm: axes {-4, -4} do not name a run of the 3 axes of x, 2x4x5",
         [&] { y = tn::simple_norm(x, {.axes = -4, .save = &saved}); });
  expect("layer_norm: axes {2, 1} do not name a run of the 3 axes of x, 2x4x5", [&] {
    y = tn::layer_norm(x, {.axes = {2, 1}, .save = &saved});
  });
  expect("layer_norm: axes {1, 5} do not name a run of the 3 axes of x, 2x4x5", [&] {
    y = tn::layer_norm(x, {.axes = {1, 5}, .save = &saved});
  });
  expect("rms_norm: axes {1, 1} do not name a run of the 1 axes of x, 5",
         [&] { Eigen::VectorXf v = tn::rms_norm(Eigen::VectorXf::Ones(5), {.axes = 1}); });
}

TEST_F(errors, groups_that_do_not_divide_the_channels) {
  expect("group_norm: groups is 3, expected a divisor of the 4 channels (axes {1, 1} of 2x4x5)",
         [&] { y = tn::group_norm(x, 3, {.save = &saved}); });
  expect("group_norm: groups is 0, expected a divisor of the 4 channels (axes {1, 1} of 2x4x5)",
         [&] { y = tn::group_norm(x, 0, {.save = &saved}); });
  expect("group_norm: groups is -2, expected a divisor of the 4 channels (axes {1, 1} of 2x4x5)",
         [&] { y = tn::group_norm(x, -2, {.save = &saved}); });
  expect("group_norm: groups is 8, expected a divisor of the 4 channels (axes {1, 1} of 2x4x5)",
         [&] { y = tn::group_norm(x, 8, {.save = &saved}); });
}

TEST_F(errors, sizes_whose_product_overflows) {
  const Eigen::Index many = Eigen::Index(1) << 31;
  const Eigen::TensorMap<const tensor> vast(x.data(), many, many, 4);
  expect("rms_norm: x has more elements than memory can address, 2147483648x2147483648x4",
         [&] { static_cast<void>(tn::rms_norm(vast, {.save = &saved})); });
  expect("group_norm: x has more elements than memory can address, 2147483648x2147483648x4",
         [&] { static_cast<void>(tn::group_norm(vast, 2, {.save = &saved})); });
}

/// A buffer in which maps can be laid over one another.
struct overlaps : errors {
  std::vector<float> buffer = std::vector<float>(200, 42.f);

  Eigen::TensorMap<tensor> map(std::size_t offset) { return {buffer.data() + offset, 2, 4, 5}; }
  Eigen::TensorMap<vector> parameter(std::size_t offset) { return {buffer.data() + offset, 5}; }

  template <class Call>
  void expect_untouched(const char* text, const Call& call) {
    expect(text, call);
    for (const float value : buffer) ASSERT_EQ(value, 42);
  }
};

TEST_F(overlaps, of_x_and_y_in_part) {
  constexpr const char* text = "rms_norm: y overlaps x in part; they may be the same memory or apart";
  for (const std::size_t offset : {1u, 20u, 39u}) {
    expect_untouched(text, [&] { map(offset) = tn::rms_norm(map(0), {.save = &saved}); });
    expect_untouched(text, [&] { map(0) = tn::rms_norm(map(offset), {.save = &saved}); });
  }
  map(40) = tn::rms_norm(map(0));
  map(0) = tn::rms_norm(map(0));
}

TEST_F(overlaps, of_y_and_a_parameter) {
  const auto w = parameter(10), b = parameter(39), apart = parameter(195);
  expect_untouched("rms_norm: y overlaps weight", [&] { map(0) = tn::rms_norm(x, w, {.save = &saved}); });
  expect_untouched("layer_norm: y overlaps weight",
                   [&] { map(0) = tn::layer_norm(x, w, apart, {.save = &saved}); });
  expect_untouched("layer_norm: y overlaps bias",
                   [&] { map(0) = tn::layer_norm(x, apart, b, {.save = &saved}); });
}

TEST_F(overlaps, of_matrices_in_part_or_with_other_strides) {
  using matrix = Eigen::Map<Eigen::MatrixXf>;
  using spread = Eigen::Map<Eigen::MatrixXf, 0, Eigen::OuterStride<>>;
  constexpr const char* text = "layer_norm: y overlaps x in part; they may be the same memory or apart";
  expect_untouched(text,
                   [&] { matrix(buffer.data() + 3, 5, 6) = tn::layer_norm(matrix(buffer.data(), 5, 6)); });
  expect_untouched(text, [&] {
    spread(buffer.data(), 5, 6, Eigen::OuterStride<>(7)) = tn::layer_norm(matrix(buffer.data(), 5, 6));
  });
}

TEST_F(errors, x_resized_between_the_call_and_its_evaluation) {
  const auto expression = tn::rms_norm(x);
  x.resize(1, 4, 5);
  expect("rms_norm: x was resized from 2x4x5 after the call, to 1x4x5", [&] { y = expression; });
  Eigen::MatrixXf m = Eigen::MatrixXf::Ones(3, 4), result = Eigen::MatrixXf::Constant(3, 4, 42);
  const auto of_matrix = tn::rms_norm(m);
  m.resize(4, 3);
  expect("rms_norm: x was resized after the call", [&] { result.noalias() = of_matrix; });
  EXPECT_TRUE((result.array() == 42).all());
}

TEST_F(errors, a_map_for_y_of_another_shape) {
  std::vector<float> memory(40, 42.f);
  const Eigen::MatrixXf m = Eigen::MatrixXf::Ones(3, 4);
  expect("rms_norm: y has shape 4x3, expected 3x4",
         [&] { Eigen::Map<Eigen::MatrixXf>(memory.data(), 4, 3) = tn::rms_norm(m); });
  expect("rms_norm: y has shape 2x4, expected 3x4",
         [&] { Eigen::Map<Eigen::MatrixXf>(memory.data(), 2, 4) = tn::rms_norm(m); });
  for (const float value : memory) EXPECT_EQ(value, 42);
}

}  // namespace
}  // namespace tensornorm_test
