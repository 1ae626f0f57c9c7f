// Gradients of Attention2d are those of differences of its y, on both paths, in every order of heads and both
// layouts; float, half and bfloat16 come near those of double. What is refused has added nothing.
#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "../support/differences.hpp"
#include "attention2d_reference.hpp"

namespace tensornorm_test {
namespace {

using testing::StrEq;
using testing::ThrowsMessage;

/// Small enough for a difference by each number, with sizes that cannot be taken for each other.
std::vector<case_2d> backward_cases() {
  return {{"even", 2, 2, 3, {.dim = 6, .heads = 3}},
          {"head first", 2, 3, 2, {.dim = 6, .dim_out = 5, .heads = 2, .head_first = true}},
          {"expand first", 1, 2, 2, {.dim = 5, .dim_out = 8, .heads = 2, .expand_first = true}},
          {"without bias", 2, 1, 4, {.dim = 4, .dim_out = 3, .heads = 1, .bias = false, .head_first = true}},
          {"one position", 3, 1, 1, {.dim = 4, .heads = 2}}};
}

template <class T>
images<T> dy_of(const case_2d& c) {
  return normal_tensor<images<T>>({c.batch, c.dim_out(), c.height, c.width}, 1301);
}

template <class T>
std::vector<std::vector<T>> parameter_gradients(const tn::Attention2d<T>& block) {
  return {elements_of(block.qkv_weight_gradient), elements_of(block.qkv_bias_gradient),
          elements_of(block.proj_weight_gradient), elements_of(block.proj_bias_gradient)};
}

/// Gradients of x and all parameters against differences; `words` go with every pass.
template <class... Words>
void expect_differences(const case_2d& c, tn::attention_path path, const Words&... words) {
  auto block = block_of<double>(c, path);
  auto x = input_of<double>(c);
  const auto dy = dy_of<double>(c);
  const auto loss = [&] {
    const images<double> y = block(x, words...);
    real sum = 0;
    for (index_2d i = 0; i < y.size(); ++i) sum += widen(y.data()[i]) * widen(dy.data()[i]);
    return sum;
  };
  block.zero_gradients();
  const images<double> dx = block.backward(dy, x, words...);
  EXPECT_EQ(extents_of(dx), extents_of(x));
  expect_slopes("x", elements_of(dx), slopes_of(x, loss), 0);
  expect_slopes("qkv_weight", elements_of(block.qkv_weight_gradient), slopes_of(block.qkv_weight, loss), 0);
  expect_slopes("proj_weight", elements_of(block.proj_weight_gradient), slopes_of(block.proj_weight, loss),
                0);
  expect_slopes("qkv_bias", elements_of(block.qkv_bias_gradient), slopes_of(block.qkv_bias, loss), 0);
  expect_slopes("proj_bias", elements_of(block.proj_bias_gradient), slopes_of(block.proj_bias, loss), 0);
}

TEST(attention2d_backward, is_that_of_differences_for_x_and_every_parameter) {
  for (const case_2d& c : backward_cases())
    for (const auto path : paths_2d) {
      SCOPED_TRACE(c.name);
      expect_differences(c, path);
    }
}

TEST(attention2d_backward, sees_what_the_forward_pass_saw) {
  for (const case_2d& c : backward_cases())
    for (const auto path : paths_2d) {
      SCOPED_TRACE(c.name);
      const index_2d n = c.positions();
      row_major_tensor<bool, 2> mask(n, n);
      for (index_2d q = 0; q < n; ++q)
        for (index_2d k = 0; k < n; ++k) mask(q, k) = q == k || (q + 2 * k) % 3 != 1;
      const auto bias = normal_tensor<row_major_tensor<double, 3>>({c.options.heads, n, n}, 1302);
      expect_differences(c, path, tn::keep_mask(mask), tn::score_bias(bias), tn::softcap(2));
    }
}

TEST(attention2d_backward, gives_the_gradient_of_a_learned_bias) {
  const case_2d c = backward_cases().front();
  const index_2d n = c.positions();
  for (const auto path : paths_2d) {
    const auto block_at_rest = block_of<double>(c, path);
    auto block = block_at_rest;
    const auto x = input_of<double>(c), dy = dy_of<double>(c);
    auto bias = normal_tensor<row_major_tensor<double, 3>>({c.options.heads, n, n}, 1303);
    auto dbias = bias;
    dbias.setConstant(quiet_nan<double>());
    block.backward(dy, x, tn::score_bias(bias), tn::grad_score_bias(dbias));
    const auto slopes = slopes_of(bias, [&] {
      const images<double> y = block_at_rest(x, tn::score_bias(bias));
      real sum = 0;
      for (index_2d i = 0; i < y.size(); ++i) sum += widen(y.data()[i]) * widen(dy.data()[i]);
      return sum;
    });
    expect_slopes("score_bias", elements_of(dbias), slopes, 0);
  }
}

/// Each of about eight steps rounds to the scalar of the data, and passes on what came in.
template <class T>
struct attention2d_backward_scalars : testing::Test {};
using narrow_scalars = testing::Types<float, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention2d_backward_scalars, narrow_scalars, scalar_names);

TYPED_TEST(attention2d_backward_scalars, come_near_those_of_double) {
  using T = TypeParam;
  for (const case_2d& c : backward_cases())
    for (const auto path : paths_2d) {
      SCOPED_TRACE(c.name);
      auto block = block_of<T>(c, path);
      auto wide = block_of<double>(c, path);
      const auto x = input_of<T>(c), dy = dy_of<T>(c);
      const auto copy = [](const auto& from, auto& to) {
        for (index_2d i = 0; i < to.size(); ++i) to.data()[i] = static_cast<double>(widen(from.data()[i]));
      };
      copy(block.qkv_weight, wide.qkv_weight);
      copy(block.qkv_bias, wide.qkv_bias);
      copy(block.proj_weight, wide.proj_weight);
      copy(block.proj_bias, wide.proj_bias);
      images<double> wide_x(x.dimensions()), wide_dy(dy.dimensions());
      copy(x, wide_x);
      copy(dy, wide_dy);
      const auto expect = [&](const char* name, const auto& found, const auto& expected, real peak) {
        for (index_2d i = 0; i < expected.size(); ++i)
          ASSERT_LE(std::abs(widen(found.data()[i]) - widen(expected.data()[i])), 32 * epsilon<T>() * peak)
              << name << " " << i;
      };
      const auto peak = [](const auto& values) {
        real most = 0;
        for (index_2d i = 0; i < values.size(); ++i) most = std::max(most, std::abs(widen(values.data()[i])));
        return most;
      };
      const auto dx = block.backward(dy, x);
      const auto wide_dx = wide.backward(wide_dy, wide_x);
      expect("x", dx, wide_dx, peak(wide_dx));
      expect("qkv_weight", block.qkv_weight_gradient, wide.qkv_weight_gradient,
             peak(wide.qkv_weight_gradient));
      expect("qkv_bias", block.qkv_bias_gradient, wide.qkv_bias_gradient, peak(wide.qkv_bias_gradient));
      expect("proj_weight", block.proj_weight_gradient, wide.proj_weight_gradient,
             peak(wide.proj_weight_gradient));
      expect("proj_bias", block.proj_bias_gradient, wide.proj_bias_gradient, peak(wide.proj_bias_gradient));
    }
}

TEST(attention2d_backward, has_the_same_bits_in_both_layouts_and_on_any_number_of_threads) {
  for (const case_2d& c : backward_cases()) {
    SCOPED_TRACE(c.name);
    const auto x = input_of<float>(c), dy = dy_of<float>(c);
    auto alone = block_of<float>(c);
    const auto dx = alone.backward(dy, x);
    for (const int threads : {1, 2, 3}) {
      Eigen::ThreadPool pool(threads);
      const Eigen::ThreadPoolDevice device(&pool, threads);
      auto block = block_of<float>(c);
      EXPECT_TRUE(same_bits(elements_of(block.backward(dy, x, tn::on(device))), elements_of(dx)));
      EXPECT_EQ(parameter_gradients(block), parameter_gradients(alone));
    }
    const auto columns = [](const images<float>& from) {
      return tensor_of<col_major_tensor<float, 4>>(
          {from.dimension(0), from.dimension(1), from.dimension(2), from.dimension(3)}, elements_of(from));
    };
    auto block = block_of<float>(c);
    tn::workspace memory;
    const Eigen::Tensor<float, 4> other = block.backward(columns(dy), columns(x), tn::use_workspace(memory));
    EXPECT_TRUE(same_bits(elements_of(other), elements_of(dx)));
    EXPECT_EQ(parameter_gradients(block), parameter_gradients(alone));
  }
}

TEST(attention2d_backward, adds_to_the_gradients_of_parameters_until_they_are_zeroed) {
  const case_2d c = backward_cases().front();
  auto block = block_of<double>(c);
  const auto x = input_of<double>(c), dy = dy_of<double>(c);
  block.backward(dy, x);
  const auto once = parameter_gradients(block);
  block.backward(dy, x);
  const auto twice = parameter_gradients(block);
  for (std::size_t p = 0; p < once.size(); ++p)
    for (std::size_t i = 0; i < once[p].size(); ++i) EXPECT_EQ(twice[p][i], 2 * once[p][i]);
  block.zero_gradients();
  for (const auto& gradient : parameter_gradients(block))
    for (const double value : gradient) EXPECT_EQ(value, 0);
}

TEST(attention2d_backward, refuses_before_it_adds_anything) {
  const case_2d c = backward_cases().front();
  const auto x = input_of<float>(c), dy = dy_of<float>(c);
  const auto expect = [&](const char* text, const auto& call) {
    auto block = block_of<float>(c);
    EXPECT_THAT([&] { call(block); }, ThrowsMessage<std::invalid_argument>(StrEq(text)));
    for (const auto& gradient : parameter_gradients(block))
      for (const float value : gradient) ASSERT_EQ(value, 0) << text;
  };
  const images<float> narrow(2, 5, 2, 3), turned(2, 6, 3, 2);
  row_major_tensor<bool, 2> mask(6, 5);
  row_major_tensor<float, 3> bias(3, 6, 6), dbias(3, 6, 5);
  mask.setConstant(true);
  bias.setZero();
  using block_type = tn::Attention2d<float>;
  expect("Attention2d: x has shape 2x5x2x3, expected 2x6x2x3",
         [&](block_type& b) { b.backward(dy, narrow); });
  expect("Attention2d: dy has shape 2x6x3x2, expected 2x6x2x3",
         [&](block_type& b) { b.backward(turned, x); });
  expect(
      "Attention2d: keep_mask has shape 6x5, expected 2x3x6x6 (batch, heads, queries, keys) or 1 in place of "
      "any "
      "of these",
      [&](block_type& b) { b.backward(dy, x, tn::keep_mask(mask)); });
  expect("Attention2d: the gradient of score_bias has shape 3x6x5, expected that of score_bias, 3x6x6",
         [&](block_type& b) { b.backward(dy, x, tn::score_bias(bias), tn::grad_score_bias(dbias)); });
  expect("Attention2d: qkv_bias gradient has shape 5, expected 18", [&](block_type& b) {
    b.qkv_bias_gradient.resize(5);
    b.qkv_bias_gradient.setZero();
    b.backward(dy, x);
  });
}

TEST(attention2d_backward, of_no_images_or_no_positions_adds_nothing) {
  for (const auto& [batch, height] : {std::pair{0, 2}, {2, 0}}) {
    case_2d c = backward_cases().front();
    c.batch = batch;
    c.height = height;
    auto block = block_of<float>(c);
    const images<float> x(c.batch, 6, c.height, c.width), dy(c.batch, 6, c.height, c.width);
    EXPECT_EQ(extents_of(block.backward(dy, x)), extents_of(x));
    for (const auto& gradient : parameter_gradients(block))
      for (const float value : gradient) EXPECT_EQ(value, 0);
  }
}

}  // namespace
}  // namespace tensornorm_test
