// Gradients are those of the library's own forward pass: central differences in double.
#include <gtest/gtest.h>

#include <functional>

#include "../support/backward.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using vector = Eigen::Tensor<double, 1>;

/// sum(weights of the loss * y), as the difference of two y, summed before it can cancel.
real loss_between(const std::vector<double>& dy, const std::vector<double>& above,
                  const std::vector<double>& below) {
  return sum_over(dy.size(), [&](std::size_t i) {
    return static_cast<real>(dy[i]) * (static_cast<real>(above[i]) - static_cast<real>(below[i]));
  });
}

/// The derivative by each number of `variable`, which forward() reads.
template <class Variable, class Forward>
std::vector<real> differences(Variable& variable, double deviation, const std::vector<double>& dy,
                              const Forward& forward) {
  std::vector<real> slopes;
  for_each_element(variable, [&](std::size_t, double& value) {
    const double here = value;
    const volatile double up = here + 1e-5 * deviation, down = here - 1e-5 * deviation;
    value = up;
    const auto above = forward();
    value = down;
    const auto below = forward();
    value = here;
    slopes.push_back(loss_between(dy, above, below) / (static_cast<real>(up) - static_cast<real>(down)));
  });
  return slopes;
}

void expect_close(const char* name, const std::vector<double>& gradient, const std::vector<real>& slopes) {
  ASSERT_EQ(gradient.size(), slopes.size()) << name;
  real peak = 0;
  for (const real slope : slopes) peak = std::max(peak, std::abs(slope));
  EXPECT_GT(peak, 1e-3L) << name << ": nothing to compare";
  for (std::size_t i = 0; i < slopes.size(); ++i)
    EXPECT_LE(std::abs(static_cast<real>(gradient[i]) - slopes[i]), 1e-7L * peak)
        << name << " element " << i << " is " << gradient[i] << ", the difference " << slopes[i];
}

/// A norm of tensors with everything that its gradients depend on.
template <class Tensor>
struct variables {
  Tensor x, dy;
  vector weight, bias;

  variables(const indices_of<Tensor>& size, Eigen::Index parameters, double mean = 0.5, double deviation = 2)
      : x(normal_tensor<Tensor>(size, 201, mean, deviation)),
        dy(normal_tensor<Tensor>(size, 202, 0.25, 1)),
        weight(normal_tensor<vector>({parameters}, 203, 1, 0.5)),
        bias(normal_tensor<vector>({parameters}, 204)) {}

  /// forward() gives y as a tensor; gradient has x, weight and perhaps bias.
  template <class Forward, class Gradient>
  void expect(const Forward& forward, const Gradient& gradient, double deviation = 2) {
    const auto y = [&] { return elements_of(Tensor(forward())); };
    const auto loss = elements_of(dy);
    expect_close("dx", elements_of(gradient.x), differences(x, deviation, loss, y));
    if (gradient.weight.size() > 0)
      expect_close("dweight", elements_of(gradient.weight), differences(weight, 0.5, loss, y));
    if constexpr (requires { gradient.bias; })
      if (gradient.bias.size() > 0)
        expect_close("dbias", elements_of(gradient.bias), differences(bias, 1, loss, y));
  }
};

using rows = row_major_tensor<double, 2>;
constexpr Eigen::Index lengths[] = {3, 4, 9, 17, 65};

TEST(finite_differences, of_rms_norm) {
  for (const Eigen::Index length : lengths) {
    SCOPED_TRACE(length);
    variables<rows> v({3, length}, length);
    v.expect([&] { return tn::rms_norm(v.x, v.weight); }, tn::rms_norm_backward(v.dy, v.x, v.weight));
    v.expect([&] { return tn::rms_norm(v.x, v.weight, {.eps = 0.5}); },
             tn::rms_norm_backward(v.dy, v.x, v.weight, {.eps = 0.5}));
  }
}

TEST(finite_differences, of_simple_norm) {
  for (const Eigen::Index length : lengths) {
    SCOPED_TRACE(length);
    variables<rows> v({3, length}, length);
    v.expect([&] { return tn::simple_norm(v.x, v.weight); }, tn::simple_norm_backward(v.dy, v.x, v.weight));
    v.expect([&] { return tn::simple_norm(v.x, v.weight, {.eps = 0.5}); },
             tn::simple_norm_backward(v.dy, v.x, v.weight, {.eps = 0.5}));
  }
}

TEST(finite_differences, of_layer_norm_with_correction_zero_and_one) {
  for (const Eigen::Index length : lengths)
    for (const Eigen::Index correction : {0, 1})
      for (const double eps : {1e-5, 0.5}) {
        SCOPED_TRACE(testing::Message()
                     << length << " elements, correction " << correction << ", eps " << eps);
        variables<rows> v({3, length}, length);
        v.expect(
            [&] { return tn::layer_norm(v.x, v.weight, v.bias, {.eps = eps, .correction = correction}); },
            tn::layer_norm_backward(v.dy, v.x, v.weight, {.eps = eps, .correction = correction}));
      }
}

TEST(finite_differences, of_layer_norm_with_saved_statistics) {
  for (const Eigen::Index correction : {0, 1}) {
    variables<rows> v({3, 17}, 17);
    tn::statistics<double> saved;
    const rows y =
        tn::layer_norm(v.x, v.weight, v.bias, {.eps = 0.5, .correction = correction, .save = &saved});
    v.expect([&] { return tn::layer_norm(v.x, v.weight, v.bias, {.eps = 0.5, .correction = correction}); },
             tn::layer_norm_backward(v.dy, v.x, v.weight, saved, {.correction = correction}));
  }
}

TEST(finite_differences, of_norms_without_a_weight) {
  variables<rows> v({3, 17}, 17);
  v.expect([&] { return tn::rms_norm(v.x); }, tn::rms_norm_backward(v.dy, v.x, tn::none));
  v.expect([&] { return tn::simple_norm(v.x); }, tn::simple_norm_backward(v.dy, v.x, tn::none));
  v.expect([&] { return tn::layer_norm(v.x); }, tn::layer_norm_backward(v.dy, v.x, tn::none));
}

TEST(finite_differences, of_norms_with_a_weight_stored_minus_one) {
  variables<rows> v({3, 17}, 17);
  const auto w = [&] { return tn::unit_offset(v.weight); };
  v.expect([&] { return tn::rms_norm(v.x, w()); }, tn::rms_norm_backward(v.dy, v.x, w()));
  v.expect([&] { return tn::simple_norm(v.x, w()); }, tn::simple_norm_backward(v.dy, v.x, w()));
  v.expect([&] { return tn::layer_norm(v.x, w(), v.bias); }, tn::layer_norm_backward(v.dy, v.x, w()));
}

TEST(finite_differences, of_rows_far_from_zero) {
  variables<rows> v({2, 9}, 9, 100, 0.5);
  v.expect([&] { return tn::layer_norm(v.x, v.weight, v.bias); },
           tn::layer_norm_backward(v.dy, v.x, v.weight), 0.5);
  v.expect([&] { return tn::simple_norm(v.x, v.weight); }, tn::simple_norm_backward(v.dy, v.x, v.weight),
           0.5);
}

template <class Tensor>
void expect_channels() {
  variables<Tensor> v({2, 5, 3}, 5);
  v.expect([&] { return tn::rms_norm(v.x, v.weight, {.axes = 1}); },
           tn::rms_norm_backward(v.dy, v.x, v.weight, {.axes = 1}));
  v.expect([&] { return tn::simple_norm(v.x, v.weight, {.axes = 1}); },
           tn::simple_norm_backward(v.dy, v.x, v.weight, {.axes = 1}));
  v.expect([&] { return tn::layer_norm(v.x, v.weight, v.bias, {.axes = 1, .correction = 1}); },
           tn::layer_norm_backward(v.dy, v.x, v.weight, {.axes = 1, .correction = 1}));
}

TEST(finite_differences, of_channels_in_both_storage_orders) {
  expect_channels<row_major_tensor<double, 3>>();
  expect_channels<col_major_tensor<double, 3>>();
}

template <class Tensor>
void expect_groups() {
  for (const Eigen::Index groups : {1, 2, 3, 6}) {
    SCOPED_TRACE(groups);
    variables<Tensor> v({2, 6, 5}, 6);
    v.expect([&] { return tn::group_norm(v.x, groups, v.weight, v.bias); },
             tn::group_norm_backward(v.dy, v.x, groups, v.weight));
    v.expect([&] { return tn::group_norm(v.x, groups, v.weight, v.bias, {.eps = 0.5}); },
             tn::group_norm_backward(v.dy, v.x, groups, v.weight, {.eps = 0.5}));
  }
}

TEST(finite_differences, of_groups_in_both_storage_orders) {
  expect_groups<row_major_tensor<double, 3>>();
  expect_groups<col_major_tensor<double, 3>>();
}

}  // namespace
}  // namespace tensornorm_test
