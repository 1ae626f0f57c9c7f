// The norms against values that PyTorch computed; norms.py says how.
#include "norms.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "../support/bounds.hpp"
#include "../support/rows.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

template <class T>
std::vector<T> as(const std::vector<double>& values) {
  std::vector<T> result;
  for (const double value : values) result.push_back(narrow<T>(value));
  return result;
}

template <class T>
Eigen::TensorMap<const Eigen::Tensor<T, 1>> map_of(const std::vector<T>& values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

/// What the library says to a case of norms.hpp, and the rows whose largest |y| bounds the error.
template <class T>
struct answer {
  std::vector<T> y;
  row_map rows;
};

/// Cases over the last axis, of rank two.
template <class T>
answer<T> over_the_last_axis(const norm_case& golden, norm kind, const call_options& options = {}) {
  const row_block block{golden.size[0], golden.size[1], 1};
  return {normalized({kind, golden.eps, 0}, block, as<T>(golden.x), as<T>(golden.weight), as<T>(golden.bias),
                     options),
          block.map()};
}

/// Cases with channels at axis one, of rank three.
template <class T>
answer<T> over_channels(const norm_case& golden) {
  using tensor = row_major_tensor<T, 3>;
  const auto x_values = as<T>(golden.x), weight_values = as<T>(golden.weight),
             bias_values = as<T>(golden.bias);
  const tensor x = tensor_of<tensor>({golden.size[0], golden.size[1], golden.size[2]}, x_values);
  const auto weight = map_of(weight_values), bias = map_of(bias_values);
  tensor y;
  if (golden.function == std::string_view("group_norm")) {
    y = tn::group_norm(x, golden.last_argument, weight, bias, {.eps = golden.eps});
    return {elements_of(y), rows_over_groups(golden.size, golden.last_argument)};
  }
  y = tn::layer_norm(x, weight, bias, {.axes = 1, .eps = golden.eps, .correction = golden.last_argument});
  return {elements_of(y), rows_over_axes(golden.size, 1, 1)};
}

template <class T>
void expect_golden(const norm_case& golden) {
  const std::string_view function = golden.function;
  answer<T> a;
  if (function == "layer_norm")
    a = over_the_last_axis<T>(golden, norm::layer);
  else if (function == "rms_norm")
    a = over_the_last_axis<T>(golden, norm::rms);
  else if (function == "simple_norm")
    a = over_the_last_axis<T>(golden, norm::simple);
  else
    a = over_channels<T>(golden);
  reference expected;
  for (const double y : golden.y) expected.y.push_back(static_cast<real>(y));
  std::vector<real> peak(a.rows.rows, 0);
  for (std::size_t i = 0; i < expected.y.size(); ++i)
    peak[a.rows.row[i]] = std::max(peak[a.rows.row[i]], std::abs(expected.y[i]));
  for (std::size_t i = 0; i < expected.y.size(); ++i) expected.row_peak.push_back(peak[a.rows.row[i]]);
  expected.centred = function != "rms_norm" && function != "simple_norm";
  EXPECT_TRUE(within_bounds(a.y, expected));
}

template <class T>
class golden : public testing::Test {};
using scalars = testing::Types<float, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(golden, scalars, scalar_names);

TYPED_TEST(golden, values_of_pytorch_are_met_within_the_bounds) {
  int checked = 0;
  for (const norm_case& one : norm_cases)
    if (one.scalar == scalar_names::GetName<TypeParam>(0) &&
        one.function != std::string_view("before_weight")) {
      SCOPED_TRACE(testing::Message() << one.name << ", " << one.function);
      expect_golden<TypeParam>(one);
      ++checked;
    }
  EXPECT_GE(checked, 9);
}

template <class T>
class golden_bits : public testing::Test {};
using half_types = testing::Types<Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(golden_bits, half_types, scalar_names);

TYPED_TEST(golden_bits, of_the_llama_class_are_met_by_rounding_before_the_weight) {
  int checked = 0;
  for (const norm_case& one : norm_cases)
    if (one.scalar == scalar_names::GetName<TypeParam>(0) &&
        one.function == std::string_view("before_weight")) {
      ++checked;
      const auto a = over_the_last_axis<TypeParam>(one, norm::rms, {false, tn::rounding::before_weight});
      EXPECT_TRUE(same_bits(a.y, as<TypeParam>(one.y)));
    }
  EXPECT_EQ(checked, 1);
}

}  // namespace
}  // namespace tensornorm_test
