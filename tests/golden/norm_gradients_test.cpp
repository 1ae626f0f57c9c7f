// The gradients of norms against values that PyTorch computed; norm_gradients.py says how.
#include "norm_gradients.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "../support/backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

/// A norm of a tensor of rank two over its last axis, or of rank three over its channels.
template <class T, int Rank>
struct call {
  using tensor = row_major_tensor<T, Rank>;
  tensor x, dy;
  Eigen::Tensor<T, 1> weight;

  explicit call(const norm_gradient_case& one)
      : x(of<tensor>(one, one.x)),
        dy(of<tensor>(one, one.dy)),
        weight(static_cast<Eigen::Index>(one.weight.size())) {
    for (Eigen::Index i = 0; i < weight.size(); ++i)
      weight(i) = narrow<T>(one.weight[static_cast<std::size_t>(i)]);
  }

  template <class Tensor>
  static Tensor of(const norm_gradient_case& one, const golden_data& values) {
    Tensor result;
    assign(result, {one.size, values});
    return result;
  }
};

std::vector<real> wide(const golden_data& values) { return {values.begin(), values.end()}; }

/// The gradients are within their bounds of PyTorch's. What bounds are made of besides, the terms of sums, is
/// the oracle's, which must agree with PyTorch itself.
template <class T, class Gradients>
void expect_golden(const norm_gradient_case& one, const formula& f, const row_map& map,
                   const Gradients& gradient) {
  auto expected = reference_backward(f, map, wide(one.dy), wide(one.x), wide(one.weight));
  const auto agree = [](std::vector<real>& ours, const golden_data& theirs, real digits) {
    ASSERT_EQ(ours.size(), theirs.size());
    real peak = 0;
    for (const double value : theirs) peak = std::max(peak, std::abs(static_cast<real>(value)));
    for (std::size_t i = 0; i < ours.size(); ++i)
      EXPECT_LE(std::abs(ours[i] - static_cast<real>(theirs[i])), digits * peak) << "oracle, element " << i;
    ours = wide(theirs);
  };
  // Doubles at 1e4 with a deviation of 1e-2 know their squares to ten digits.
  const real digits = std::string_view(one.name).ends_with("far_from_zero") ? 1e-8L : 1e-12L;
  agree(expected.x, one.dx, digits);
  agree(expected.weight.value, one.dweight, digits);
  EXPECT_TRUE(dx_within_bounds(elements_of(gradient.x), expected)) << "dx";
  EXPECT_TRUE(dweight_within_bounds<T>(elements_of(gradient.weight), expected)) << "dweight";
  if constexpr (requires { gradient.bias; }) {
    agree(expected.bias.value, one.dbias, digits);
    EXPECT_TRUE(dbias_within_bounds<T>(elements_of(gradient.bias), expected)) << "dbias";
  }
}

template <class T>
void expect_golden(const norm_gradient_case& one) {
  const std::string_view function = one.function;
  if (one.size.size() == 2) {
    const call<T, 2> c(one);
    const row_map map = rows_over_axes(one.size, 1, 1);
    if (function == "layer_norm")
      expect_golden<T>(one, {norm::layer, one.eps, 0}, map,
                       tn::layer_norm_backward(c.dy, c.x, c.weight, {.eps = one.eps}));
    else if (function == "rms_norm")
      expect_golden<T>(one, {norm::rms, one.eps, 0}, map,
                       tn::rms_norm_backward(c.dy, c.x, c.weight, {.eps = one.eps}));
    else
      expect_golden<T>(one, {norm::simple, one.eps, 0}, map,
                       tn::simple_norm_backward(c.dy, c.x, c.weight, {.eps = one.eps}));
    return;
  }
  const call<T, 3> c(one);
  if (function == "group_norm")
    expect_golden<T>(one, {norm::layer, one.eps, 0}, rows_over_groups(one.size, one.last_argument),
                     tn::group_norm_backward(c.dy, c.x, one.last_argument, c.weight, {.eps = one.eps}));
  else
    expect_golden<T>(one, {norm::layer, one.eps, one.last_argument}, rows_over_axes(one.size, 1, 1),
                     tn::layer_norm_backward(c.dy, c.x, c.weight,
                                             {.axes = 1, .eps = one.eps, .correction = one.last_argument}));
}

template <class T>
class golden_gradients : public testing::Test {};
using scalars = testing::Types<float, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(golden_gradients, scalars, scalar_names);

TYPED_TEST(golden_gradients, of_pytorch_are_met_within_the_bounds) {
  int checked = 0;
  for (const norm_gradient_case& one : norm_gradient_cases)
    if (one.scalar == scalar_names::GetName<TypeParam>(0)) {
      SCOPED_TRACE(testing::Message() << one.name << ", " << one.function);
      expect_golden<TypeParam>(one);
      ++checked;
    }
  EXPECT_GE(checked, 8);
}

}  // namespace
}  // namespace tensornorm_test
