// Attention2d on 16-bit scalars, and with masks and biases over positions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "attention2d_reference.hpp"

namespace tensornorm_test {
namespace {

using testing::StrEq;
using testing::ThrowsMessage;

template <class T>
struct attention2d_in_16_bits : testing::Test {};
using half_types = testing::Types<Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention2d_in_16_bits, half_types, scalar_names);

TYPED_TEST(attention2d_in_16_bits, is_the_composition_of_its_formulas_on_both_paths) {
  using T = TypeParam;
  for (const case_2d& c : cases_2d()) {
    SCOPED_TRACE(c.name);
    const auto x = input_of<T>(c);
    const auto fused = block_of<T>(c, paths_2d[0]), unfused = block_of<T>(c, paths_2d[1]);
    const auto expected = reference_attention_2d(fused, c, elements_of(x));
    const auto y = fused.forward(x), z = unfused.forward(x);
    EXPECT_LE(worst_of_bounds(elements_of(y), expected), 1);
    EXPECT_LE(worst_of_bounds(elements_of(z), expected), 1);
    for (index_2d i = 0; i < y.size(); ++i)
      EXPECT_LE(std::abs(widen(y.data()[i]) - widen(z.data()[i])),
                2 * expected.attention[static_cast<std::size_t>(i)]);
  }
}

TYPED_TEST(attention2d_in_16_bits, of_column_major_images_is_that_of_row_major_ones) {
  using T = TypeParam;
  const case_2d c = cases_2d()[7];
  const auto columns =
      normal_tensor<col_major_tensor<T, 4>>({c.batch, c.options.dim, c.height, c.width}, 241, 0.1, 2.1);
  const auto block = block_of<T>(c);
  EXPECT_TRUE(same_bits(elements_of(block.forward(columns)), elements_of(block.forward(input_of<T>(c)))));
}

/// What both paths make of x with modifiers is within the bound of the reference that sees the same.
template <class... M>
void expect_seen(const case_2d& c, const sight_2d& sight, const M&... modifiers) {
  const auto x = input_of<float>(c);
  for (const auto path : paths_2d) {
    const auto block = block_of<float>(c, path);
    const auto expected = reference_attention_2d(block, c, elements_of(x), sight);
    const auto y = elements_of(block.forward(x, modifiers...));
    EXPECT_LE(worst_of_bounds(y, expected), 1) << c.name;
    EXPECT_GT(worst_of_bounds(y, reference_attention_2d(block, c, elements_of(x))), 100) << c.name;
  }
}

const case_2d& masked_case(std::size_t n) { return cases_2d()[n == 0 ? 0 : n == 1 ? 2 : 7]; }

TEST(an_attention2d, sees_the_positions_that_a_mask_keeps) {
  for (std::size_t n = 0; n < 3; ++n) {
    const case_2d& c = masked_case(n);
    row_major_tensor<bool, 2> mask(c.positions(), c.positions());
    for (index_2d i = 0; i < c.positions(); ++i)
      for (index_2d j = 0; j < c.positions(); ++j) mask(i, j) = (i * 5 + j * 3) % 4 != 0 || i == j;
    expect_seen(c, {{}, [&](index_2d, index_2d, index_2d i, index_2d j) { return mask(i, j); }},
                tn::keep_mask(mask));
  }
}

TEST(an_attention2d, numbers_positions_row_by_row) {
  // A position sees its own row of the image and no other.
  const case_2d& c = cases_2d()[0];
  row_major_tensor<bool, 2> mask(c.positions(), c.positions());
  for (index_2d i = 0; i < c.positions(); ++i)
    for (index_2d j = 0; j < c.positions(); ++j) mask(i, j) = i / c.width == j / c.width;
  const auto block = block_of<float>(c);
  auto x = input_of<float>(c);
  const auto before = block.forward(x, tn::keep_mask(mask));
  x(0, 3, 1, 2) += 1;
  const auto after = block.forward(x, tn::keep_mask(mask));
  for (index_2d n = 0; n < c.batch; ++n)
    for (index_2d k = 0; k < c.dim_out(); ++k)
      for (index_2d h = 0; h < c.height; ++h)
        for (index_2d w = 0; w < c.width; ++w)
          EXPECT_EQ(before(n, k, h, w) != after(n, k, h, w), n == 0 && h == 1) << n << k << h << w;
}

TEST(an_attention2d, adds_a_bias_of_each_head_to_the_scores_of_positions) {
  for (std::size_t n = 0; n < 3; ++n) {
    const case_2d& c = masked_case(n);
    const auto bias =
        normal_tensor<row_major_tensor<float, 3>>({c.options.heads, c.positions(), c.positions()}, 251);
    expect_seen(c, {[&](index_2d, index_2d h, index_2d i, index_2d j) { return widen(bias(h, i, j)); }, {}},
                tn::score_bias(bias));
  }
}

TEST(an_attention2d, takes_a_mask_of_each_image_and_a_bias_together) {
  for (std::size_t n = 0; n < 2; ++n) {
    const case_2d& c = masked_case(n);
    row_major_tensor<bool, 4> mask(c.batch, 1, 1, c.positions());
    for (index_2d b = 0; b < c.batch; ++b)
      for (index_2d j = 0; j < c.positions(); ++j) mask(b, 0, 0, j) = (b + j) % 3 != 0;
    const auto bias = normal_tensor<row_major_tensor<float, 2>>({c.positions(), c.positions()}, 252);
    expect_seen(c,
                {[&](index_2d, index_2d, index_2d i, index_2d j) { return widen(bias(i, j)); },
                 [&](index_2d b, index_2d, index_2d, index_2d j) { return mask(b, 0, 0, j); }},
                tn::keep_mask(mask), tn::score_bias(bias));
  }
}

TEST(an_attention2d, is_the_bias_of_its_last_projection_where_a_position_sees_nothing) {
  const case_2d& c = cases_2d()[0];
  row_major_tensor<bool, 2> mask(c.positions(), c.positions());
  mask.setConstant(true);
  for (index_2d j = 0; j < c.positions(); ++j) mask(4, j) = false;
  for (const auto path : paths_2d) {
    const auto block = block_of<float>(c, path);
    const auto y = block.forward(input_of<float>(c), tn::keep_mask(mask));
    for (index_2d n = 0; n < c.batch; ++n)
      for (index_2d k = 0; k < c.dim_out(); ++k)
        EXPECT_EQ(bits(y(n, k, 4 / c.width, 4 % c.width)), bits(block.proj_bias(k)));
  }
}

TEST(an_attention2d, says_what_is_wrong_with_a_mask_and_writes_nothing) {
  const case_2d& c = cases_2d()[0];
  const auto block = block_of<float>(c);
  const auto x = input_of<float>(c);
  images<float> y(c.batch, c.dim_out(), c.height, c.width);
  y.setConstant(42);
  row_major_tensor<bool, 2> mask(c.height, c.width);
  mask.setConstant(true);
  EXPECT_THAT([&] { y = block(x, tn::keep_mask(mask)); },
              ThrowsMessage<std::invalid_argument>(
                  StrEq("Attention2d: keep_mask has shape 3x5, expected 2x3x15x15 (batch, heads, queries, "
                        "keys) or 1 in place of any of these")));
  for (const float value : elements_of(y)) ASSERT_EQ(value, 42);
}

TEST(an_attention2d, saves_the_lse_of_every_head_and_position) {
  const case_2d& c = cases_2d()[2];
  const auto x = input_of<float>(c);
  row_major_tensor<float, 3> lse;
  // Scores without spread: with a weight of zero for q every score is the bias of the mask alone.
  auto block = block_of<float>(c);
  block.qkv_weight.setZero();
  block.qkv_bias.setZero();
  const images<float> y = block(x, tn::save_lse(lse));
  EXPECT_EQ(extents_of(lse), (extents{c.batch, c.options.heads, c.positions()}));
  for (const float value : elements_of(lse))
    EXPECT_NEAR(value, std::log(static_cast<float>(c.positions())), 1e-6);
}

}  // namespace
}  // namespace tensornorm_test
