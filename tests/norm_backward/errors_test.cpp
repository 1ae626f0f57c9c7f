// Every error of a backward pass: it names the function, the argument and the sizes, and comes before
// anything is written, in Release too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <string>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tensor = row_major_tensor<float, 3>;
using vector = Eigen::Tensor<float, 1>;

struct backward_errors : testing::Test {
  tensor x = normal_tensor<tensor>({2, 4, 5}, 351), dy = normal_tensor<tensor>({2, 4, 5}, 352);
  tensor dx{2, 4, 5}, branch{2, 4, 5};
  vector w = ones(5), dw = ones(5) * 42.f, db = ones(5) * 42.f;
  tn::statistics<float> saved;

  backward_errors() {
    dx.setConstant(42);
    branch.setConstant(42);
    const tensor y = tn::layer_norm(x, {.save = &saved});
  }

  static vector ones(Eigen::Index count) { return vector(count).setConstant(1); }

  /// Every error has a text that begins with the function and holds each of these parts, and comes before
  /// anything is written.
  template <class Call>
  void expect(const std::string& function, std::initializer_list<const char*> parts, const Call& call) {
    try {
      call();
      ADD_FAILURE() << "no error, expected one of " << function << " with " << *parts.begin();
    } catch (const std::invalid_argument& error) {
      const std::string text = error.what();
      EXPECT_THAT(text, testing::StartsWith(function + ": "));
      for (const char* part : parts) EXPECT_THAT(text, testing::HasSubstr(part));
    }
    expect_untouched();
  }
  void expect_untouched() const {
    for (const auto* values : {&dx, &branch})
      for (const float value : elements_of(*values)) ASSERT_EQ(value, 42);
    for (const auto* values : {&dw, &db})
      for (const float value : elements_of(*values)) ASSERT_EQ(value, 42);
  }

  template <class... More>
  void layer(const More&... more) {
    tn::layer_norm_backward(dy, x, w, more..., tn::grad_x(dx), tn::grad_weight(dw), tn::grad_bias(db));
  }
};

TEST_F(backward_errors, a_dy_of_another_shape) {
  const tensor shorter(2, 4, 4), turned(2, 5, 4), fewer(1, 4, 5);
  for (const auto& [wrong, size] : {std::pair{&shorter, "2x4x4"}, {&turned, "2x5x4"}, {&fewer, "1x4x5"}}) {
    expect("layer_norm_backward", {"dy", size, "2x4x5"}, [&] {
      tn::layer_norm_backward(*wrong, x, w, tn::grad_x(dx), tn::grad_weight(dw), tn::grad_bias(db));
    });
    expect("rms_norm_backward", {"dy", size, "2x4x5"},
           [&] { tn::rms_norm_backward(*wrong, x, w, tn::grad_x(dx), tn::grad_weight(dw)); });
    expect("simple_norm_backward", {"dy", size, "2x4x5"},
           [&] { tn::simple_norm_backward(*wrong, x, w, tn::grad_weight(dw)); });
    expect("group_norm_backward", {"dy", size, "2x4x5"},
           [&] { tn::group_norm_backward(*wrong, x, 2, tn::none, tn::grad_x(dx)); });
    expect("rms_norm_backward", {"dy", size, "2x4x5"}, [&] { tn::rms_norm_backward(*wrong, x, w); });
  }
  const Eigen::MatrixXf m = Eigen::MatrixXf::Ones(3, 4);
  expect("rms_norm_backward", {"dy", "4x3", "3x4"},
         [&] { tn::rms_norm_backward(m.transpose(), m, tn::none); });
}

TEST_F(backward_errors, a_weight_that_does_not_fit) {
  expect("layer_norm_backward", {"weight", "4", "expected 5", "axes {2, 2} of 2x4x5"},
         [&] { tn::layer_norm_backward(dy, x, ones(4), tn::grad_x(dx), tn::grad_weight(dw)); });
  expect("rms_norm_backward", {"weight", "6", "expected 5"},
         [&] { tn::rms_norm_backward(dy, x, tn::unit_offset(ones(6)), tn::grad_x(dx)); });
  expect("simple_norm_backward", {"weight", "5", "expected 4", "axes {1, 1} of 2x4x5"},
         [&] { tn::simple_norm_backward(dy, x, w, {.axes = 1}, tn::grad_x(dx)); });
  expect("group_norm_backward", {"weight", "5", "expected 4"},
         [&] { tn::group_norm_backward(dy, x, 2, w, tn::grad_x(dx)); });
}

TEST_F(backward_errors, saved_statistics_of_other_rows) {
  const auto with = [&](const auto& change) {
    tn::statistics<float> wrong = saved;
    change(wrong);
    return wrong;
  };
  const auto fewer = with([](auto& s) { s.rstd = ones(7); });
  const auto no_means = with([](auto& s) { s.mean.resize(0); });
  const auto no_residuals = with([](auto& s) { s.mean_residual.resize(0); });
  const auto more_means = with([](auto& s) { s.mean = ones(9); });
  const tn::statistics<float> nothing;
  for (const auto& [wrong, count] :
       {std::pair{&fewer, "7"}, {&no_means, "0"}, {&no_residuals, "0"}, {&more_means, "9"}, {&nothing, "0"}})
    expect("layer_norm_backward", {"saved", count, "8"}, [&] { layer(*wrong); });
  expect("layer_norm_backward", {"saved", "8", "10"},
         [&] { tn::layer_norm_backward(dy, x, ones(4), saved, {.axes = 1}, tn::grad_x(dx)); });
  expect("rms_norm_backward", {"saved", "7", "8"},
         [&] { tn::rms_norm_backward(dy, x, w, fewer, tn::grad_x(dx), tn::grad_weight(dw)); });
  expect("simple_norm_backward", {"saved", "0", "8"},
         [&] { tn::simple_norm_backward(dy, x, w, no_means, tn::grad_x(dx), tn::grad_weight(dw)); });
  expect("group_norm_backward", {"saved", "8", "4"},
         [&] { tn::group_norm_backward(dy, x, 2, tn::none, saved, tn::grad_x(dx)); });
}

TEST_F(backward_errors, destinations_of_another_shape_which_are_not_resized) {
  tensor wrong_x(2, 5, 4);
  vector wrong_p(4);
  wrong_x.setConstant(42);
  wrong_p.setConstant(42);
  expect("layer_norm_backward", {"gradient of x", "2x5x4", "2x4x5"},
         [&] { tn::layer_norm_backward(dy, x, w, tn::grad_x(wrong_x), tn::grad_weight(dw)); });
  expect("layer_norm_backward", {"gradient of weight", "4", "5"},
         [&] { tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_weight(wrong_p)); });
  expect("layer_norm_backward", {"gradient of bias", "4", "5"}, [&] {
    tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_weight(dw), tn::grad_bias(wrong_p));
  });
  expect("rms_norm_backward", {"gradient of weight", "4", "5"},
         [&] { tn::rms_norm_backward(dy, x, tn::none, tn::grad_x(dx), tn::grad_weight(wrong_p)); });
  expect("group_norm_backward", {"gradient of weight", "5", "4"},
         [&] { tn::group_norm_backward(dy, x, 2, tn::none, tn::grad_x(dx), tn::grad_weight(dw)); });
  expect("group_norm_backward", {"gradient of bias", "5", "4"},
         [&] { tn::group_norm_backward(dy, x, 2, tn::none, tn::grad_x(dx), tn::grad_bias(db)); });
  expect("rms_norm_backward", {"gradient of the branch", "2x5x4", "2x4x5"},
         [&] { tn::rms_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_branch(wrong_x, 1)); });
  expect("rms_norm_backward", {"gradient to add", "2x5x4", "2x4x5"},
         [&] { tn::rms_norm_backward(dy, x, w, tn::grad_x(dx), tn::plus_gradient(wrong_x)); });
  row_major_tensor<float, 2> turned(5, 4), column(5, 1);
  turned.setConstant(42);
  column.setConstant(42);
  expect("layer_norm_backward", {"gradient of weight", "5x4", "4x5"}, [&] {
    tn::layer_norm_backward(dy, x, tn::none, {.axes = {1, 2}}, tn::grad_x(dx), tn::grad_weight(turned));
  });
  expect("layer_norm_backward", {"gradient of weight", "5x1", "5"},
         [&] { tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_weight(column)); });
  for (const float value : elements_of(wrong_x)) EXPECT_EQ(value, 42);
  for (const float value : elements_of(wrong_p)) EXPECT_EQ(value, 42);
  EXPECT_EQ(wrong_x.dimension(1), 5);
}

TEST_F(backward_errors, an_eps_that_is_negative_or_not_finite) {
  const double infinity = std::numeric_limits<double>::infinity(),
               nan = std::numeric_limits<double>::quiet_NaN();
  expect("layer_norm_backward", {"eps is -1e-06"},
         [&] { layer(tn::layer_norm_backward_options{.eps = -1e-6}); });
  expect("rms_norm_backward", {"eps is inf"},
         [&] { tn::rms_norm_backward(dy, x, w, {.eps = infinity}, tn::grad_x(dx)); });
  expect("simple_norm_backward", {"eps is nan"},
         [&] { tn::simple_norm_backward(dy, x, w, {.eps = nan}, tn::grad_x(dx)); });
  expect("group_norm_backward", {"eps is -1"},
         [&] { tn::group_norm_backward(dy, x, 2, tn::none, {.eps = -1}, tn::grad_x(dx)); });
}

TEST_F(backward_errors, a_divisor_of_the_variance_that_is_not_positive) {
  expect("layer_norm_backward", {"5 elements", "N - 5"},
         [&] { layer(tn::layer_norm_backward_options{.correction = 5}); });
  expect("layer_norm_backward", {"5 elements", "N - 6"},
         [&] { tn::layer_norm_backward(dy, x, w, saved, {.correction = 6}, tn::grad_x(dx)); });
  const tensor single(2, 4, 1);
  expect("simple_norm_backward", {"1 elements", "N - 1"},
         [&] { tn::simple_norm_backward(single, single, tn::none); });
}

TEST_F(backward_errors, axes_or_groups_out_of_range) {
  expect("rms_norm_backward", {"axes {3, 3}", "2x4x5"},
         [&] { tn::rms_norm_backward(dy, x, w, {.axes = 3}, tn::grad_x(dx)); });
  expect("layer_norm_backward", {"axes {2, 1}", "2x4x5"}, [&] {
    layer(tn::layer_norm_backward_options{.axes = {2, 1}});
  });
  expect("simple_norm_backward", {"axes {-4, -4}", "2x4x5"},
         [&] { tn::simple_norm_backward(dy, x, w, {.axes = -4}, tn::grad_x(dx)); });
  for (const Eigen::Index groups : {3, 0, -2, 8})
    expect("group_norm_backward", {"groups is ", "4 channels"},
           [&] { tn::group_norm_backward(dy, x, groups, tn::none, tn::grad_x(dx)); });
}

TEST_F(backward_errors, sizes_whose_product_overflows) {
  const Eigen::Index many = Eigen::Index(1) << 31;
  const Eigen::TensorMap<const tensor> vast(x.data(), many, many, 4);
  expect("rms_norm_backward", {"x has more elements"},
         [&] { tn::rms_norm_backward(vast, vast, tn::none, tn::grad_weight(dw)); });
}

TEST_F(backward_errors, accumulation_together_with_plus_gradient) {
  expect("layer_norm_backward", {"gradient of x accumulates"}, [&] {
    tn::layer_norm_backward(dy, x, w, tn::grad_x(dx, tn::accumulate), tn::plus_gradient(dy),
                            tn::grad_weight(dw));
  });
}

/// A buffer in which maps can be laid over one another.
struct backward_overlaps : backward_errors {
  using map_t = Eigen::TensorMap<tensor>;
  using parameter_t = Eigen::TensorMap<vector>;
  std::vector<float> buffer = std::vector<float>(400, 42.f);

  map_t map(std::size_t offset) { return {buffer.data() + offset, 2, 4, 5}; }
  parameter_t parameter(std::size_t offset) { return {buffer.data() + offset, 5}; }

  template <class Call>
  void expect_overlap(std::initializer_list<const char*> parts, const Call& call) {
    expect("layer_norm_backward", {"overlap"}, call);
    expect("layer_norm_backward", parts, call);
    for (const float value : buffer) ASSERT_EQ(value, 42);
  }
};

TEST_F(backward_overlaps, of_dx_with_an_input_in_part) {
  for (const std::size_t offset : {1u, 20u, 39u}) {
    expect_overlap({"gradient of x", "x"},
                   [&] { tn::layer_norm_backward(dy, map(0), w, tn::grad_x(map(offset))); });
    expect_overlap({"gradient of x", "x"},
                   [&] { tn::layer_norm_backward(dy, map(offset), w, tn::grad_x(map(0))); });
    expect_overlap({"gradient of x", "dy"},
                   [&] { tn::layer_norm_backward(map(0), x, w, tn::grad_x(map(offset))); });
    expect_overlap({"gradient of x", "gradient to add"}, [&] {
      tn::layer_norm_backward(dy, x, w, tn::grad_x(map(0)), tn::plus_gradient(map(offset)));
    });
    expect_overlap({"gradient of x", "weight"},
                   [&] { tn::layer_norm_backward(dy, x, parameter(offset), tn::grad_x(map(0))); });
  }
  tn::layer_norm_backward(dy, map(0), w, tn::grad_x(map(40)));
  tn::layer_norm_backward(dy, map(40), w, tn::grad_x(map(0)));
}

TEST_F(backward_overlaps, of_dx_and_an_input_with_other_strides) {
  using matrix = Eigen::Map<Eigen::MatrixXf>;
  using spread = Eigen::Map<Eigen::MatrixXf, 0, Eigen::OuterStride<>>;
  const Eigen::MatrixXf m = Eigen::MatrixXf::Ones(5, 6);
  spread out(buffer.data(), 5, 6, Eigen::OuterStride<>(7));
  expect_overlap({"gradient of x", "x"},
                 [&] { tn::layer_norm_backward(m, matrix(buffer.data(), 5, 6), tn::none, tn::grad_x(out)); });
}

TEST_F(backward_overlaps, of_a_gradient_of_parameters_with_an_input) {
  expect_overlap({"gradient of weight", "x"},
                 [&] { tn::layer_norm_backward(dy, map(0), w, tn::grad_weight(parameter(7))); });
  expect_overlap({"gradient of weight", "dy"},
                 [&] { tn::layer_norm_backward(map(0), x, w, tn::grad_weight(parameter(36))); });
  expect_overlap({"gradient of bias", "x"},
                 [&] { tn::layer_norm_backward(dy, map(0), w, tn::grad_bias(parameter(7))); });
  expect_overlap({"gradient of bias", "dy"},
                 [&] { tn::layer_norm_backward(map(0), x, w, tn::grad_bias(parameter(7))); });
  expect_overlap({"gradient of weight", "weight"},
                 [&] { tn::layer_norm_backward(dy, x, parameter(0), tn::grad_weight(parameter(4))); });
}

TEST_F(backward_overlaps, of_destinations_with_one_another) {
  expect_overlap({"gradient of weight", "gradient of bias"}, [&] {
    tn::layer_norm_backward(dy, x, w, tn::grad_weight(parameter(0)), tn::grad_bias(parameter(4)));
  });
  expect_overlap({"gradient of x", "gradient of weight"}, [&] {
    tn::layer_norm_backward(dy, x, w, tn::grad_x(map(0)), tn::grad_weight(parameter(3)));
  });
  expect_overlap({"gradient of x", "gradient of bias"}, [&] {
    tn::layer_norm_backward(dy, x, w, tn::grad_x(map(0)), tn::grad_bias(parameter(39)));
  });
  expect_overlap({"gradient of x", "gradient of the branch"},
                 [&] { tn::layer_norm_backward(dy, x, w, tn::grad_x(map(0)), tn::grad_branch(map(10), 2)); });
}

TEST_F(backward_overlaps, of_a_destination_with_saved_statistics) {
  const vector rstd = saved.rstd, mean = saved.mean;
  expect_overlap({"gradient of weight", "saved"}, [&] {
    tn::layer_norm_backward(dy, x, w, saved, tn::grad_weight(parameter_t(saved.rstd.data() + 2, 5)));
  });
  expect_overlap({"gradient of bias", "saved"}, [&] {
    tn::layer_norm_backward(dy, x, w, saved, tn::grad_bias(parameter_t(saved.mean.data(), 5)));
  });
  EXPECT_TRUE(same_bits(elements_of(saved.rstd), elements_of(rstd)));
  EXPECT_TRUE(same_bits(elements_of(saved.mean), elements_of(mean)));
}

TEST_F(backward_overlaps, of_the_branch_with_an_input_or_a_sum) {
  expect_overlap({"gradient of the branch", "x"}, [&] {
    tn::layer_norm_backward(dy, map(0), w, tn::grad_x(dx), tn::grad_branch(map(10), 2));
  });
  expect_overlap({"gradient of the branch", "dy"},
                 [&] { tn::layer_norm_backward(map(0), x, w, tn::grad_x(dx), tn::grad_branch(map(10), 2)); });
  expect_overlap({"gradient of the branch", "gradient to add"}, [&] {
    tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), tn::plus_gradient(map(0)), tn::grad_branch(map(10), 2));
  });
  expect_overlap({"gradient of the branch", "gradient of weight"}, [&] {
    tn::layer_norm_backward(dy, x, w, tn::grad_branch(map(0), 2), tn::grad_weight(parameter(10)));
  });
}

}  // namespace
}  // namespace tensornorm_test
