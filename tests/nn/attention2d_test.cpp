// Attention2d is its formula, on both paths, in every order of heads and every layout; alone and in a batch,
// on one thread and on several.
#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "attention2d_reference.hpp"

namespace tensornorm_test {
namespace {

using testing::StrEq;
using testing::ThrowsMessage;

template <class T>
struct attention2d : testing::Test {};
using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(attention2d, scalars, scalar_names);

TYPED_TEST(attention2d, is_the_composition_of_its_formulas_on_both_paths) {
  using T = TypeParam;
  for (const case_2d& c : cases_2d()) {
    SCOPED_TRACE(c.name);
    const auto x = input_of<T>(c);
    const auto fused = block_of<T>(c, paths_2d[0]), unfused = block_of<T>(c, paths_2d[1]);
    const auto expected = reference_attention_2d(fused, c, elements_of(x));
    const auto y = fused.forward(x), z = unfused.forward(x);
    EXPECT_EQ(extents_of(y), (extents{c.batch, c.dim_out(), c.height, c.width}));
    EXPECT_LE(worst_of_bounds(elements_of(y), expected), 1);
    EXPECT_LE(worst_of_bounds(elements_of(z), expected), 1);
    // From the same q, k and v; each path is within the bound of attention and the projection.
    for (index_2d i = 0; i < y.size(); ++i)
      EXPECT_LE(std::abs(widen(y.data()[i]) - widen(z.data()[i])),
                2 * expected.attention[static_cast<std::size_t>(i)]);
  }
}

TYPED_TEST(attention2d, would_not_pass_with_another_scale_order_of_heads_or_without_a_bias) {
  using T = TypeParam;
  for (const case_2d& c : cases_2d()) {
    const index_2d channels = c.options.expand_first ? c.dim_out() : c.options.dim;
    const bool one_position = c.positions() == 1;  // which has one weight, 1, whatever its score
    const auto x = elements_of(input_of<T>(c));
    const auto block = block_of<T>(c);
    const auto y = elements_of(block.forward(input_of<T>(c)));
    const auto distance = [&](mistake wrong) {
      return worst_of_bounds(y, reference_attention_2d(block, c, x, {}, wrong));
    };
    if (c.options.heads * c.options.heads != channels && !one_position) {
      EXPECT_GT(distance(mistake::scale_by_heads), 100) << c.name;
    }
    if (c.options.heads > 1) {
      EXPECT_GT(distance(mistake::other_head_order), 100) << c.name;
      EXPECT_GT(distance(mistake::heads_one_after_another), 100) << c.name;
    }
    if (c.options.bias) {
      EXPECT_GT(distance(mistake::no_bias), 100) << c.name;
    }
  }
}

TYPED_TEST(attention2d, of_column_major_images_is_that_of_row_major_ones) {
  using T = TypeParam;
  for (const case_2d& c : cases_2d()) {
    const auto x = input_of<T>(c);
    const auto columns =
        normal_tensor<col_major_tensor<T, 4>>({c.batch, c.options.dim, c.height, c.width}, 241, 0.1, 2.1);
    const auto block = block_of<T>(c);
    const col_major_tensor<T, 4> y = block.forward(columns);
    EXPECT_TRUE(same_bits(elements_of(y), elements_of(block.forward(x)))) << c.name;
  }
}

TYPED_TEST(attention2d, of_an_expression_or_a_map_is_that_of_its_value) {
  using T = TypeParam;
  const case_2d c = cases_2d()[2];
  auto x = input_of<T>(c);
  const images<T> twice = x * T(2);
  const col_major_tensor<T, 4> columns =
      tensor_of<col_major_tensor<T, 4>>({c.batch, c.options.dim, c.height, c.width}, elements_of(x));
  const auto block = block_of<T>(c);
  const auto expected = elements_of(block.forward(twice));
  EXPECT_TRUE(same_bits(elements_of(block.forward(x * T(2))), expected));
  EXPECT_TRUE(same_bits(elements_of(block.forward(columns * T(2))), expected));
  x = twice;
  EXPECT_TRUE(
      same_bits(elements_of(block.forward(Eigen::TensorMap<images<T>>(x.data(), x.dimensions()))), expected));
  images<T> y(c.batch, c.dim_out(), c.height, c.width);
  Eigen::TensorMap<images<T>> map(y.data(), y.dimensions());
  map = block(x);
  EXPECT_TRUE(same_bits(elements_of(y), expected));
}

TYPED_TEST(attention2d, has_the_same_bits_on_any_number_of_threads) {
  using T = TypeParam;
  for (const case_2d& c : {cases_2d()[0], cases_2d()[10]})
    for (const auto path : paths_2d) {
      const auto x = input_of<T>(c);
      const auto block = block_of<T>(c, path);
      const auto expected = elements_of(block.forward(x));
      for (const int threads : {1, 2, 3}) {
        Eigen::ThreadPool pool(threads);
        const Eigen::ThreadPoolDevice device(&pool, threads);
        images<T> y(c.batch, c.dim_out(), c.height, c.width);
        y.device(device) = block(x);
        EXPECT_TRUE(same_bits(elements_of(y), expected)) << c.name << ", " << threads << " threads";
      }
    }
}

TYPED_TEST(attention2d, of_an_image_has_the_same_bits_alone_and_in_a_batch) {
  using T = TypeParam;
  for (case_2d c : {cases_2d()[0], cases_2d()[2], cases_2d()[7]}) {
    c.batch = 3;
    const auto x = input_of<T>(c);
    const auto block = block_of<T>(c);
    const images<T> y = block.forward(x);
    for (index_2d n = 0; n < c.batch; ++n) {
      const Eigen::array<index_2d, 4> from{n, 0, 0, 0};
      const images<T> image = x.slice(from, Eigen::array<index_2d, 4>{1, c.options.dim, c.height, c.width});
      const images<T> expected = y.slice(from, Eigen::array<index_2d, 4>{1, c.dim_out(), c.height, c.width});
      EXPECT_TRUE(same_bits(elements_of(block.forward(image)), elements_of(expected))) << c.name;
    }
  }
}

TYPED_TEST(attention2d, of_an_image_with_a_nan_leaves_the_others_alone) {
  using T = TypeParam;
  const case_2d c = cases_2d()[0];
  auto x = input_of<T>(c);
  const auto block = block_of<T>(c);
  const images<T> clean = block.forward(x);
  x(1, 2, 0, 3) = quiet_nan<T>();
  const images<T> y = block.forward(x);
  const index_2d image = y.size() / 2;
  for (index_2d i = 0; i < image; ++i) {
    ASSERT_EQ(bits(y.data()[i]), bits(clean.data()[i]));
    ASSERT_TRUE(is_nan(y.data()[image + i]));  // every position sees the key that is NaN
  }
}

TYPED_TEST(attention2d, of_no_images_or_of_images_without_positions_writes_nothing) {
  using T = TypeParam;
  const auto block = block_of<T>(cases_2d()[0]);
  EXPECT_EQ(extents_of(block.forward(images<T>(0, 12, 3, 5))), (extents{0, 12, 3, 5}));
  EXPECT_EQ(extents_of(block.forward(images<T>(2, 12, 0, 5))), (extents{2, 12, 0, 5}));
  EXPECT_EQ(extents_of(block.forward(images<T>(2, 12, 3, 0))), (extents{2, 12, 3, 0}));
}

TYPED_TEST(attention2d, has_the_same_parameters_for_the_same_seed_and_others_for_another) {
  using T = TypeParam;
  const options_2d options{.dim = 12, .dim_out = 30, .heads = 5, .expand_first = true};
  const tn::Attention2d<T> a(options, 3), b(options, 3), other(options, 4), first(options), zero(options, 0);
  const auto parameters = [](const tn::Attention2d<T>& block) {
    auto all = elements_of(block.qkv_weight);
    for (const auto& more :
         {elements_of(block.qkv_bias), elements_of(block.proj_weight), elements_of(block.proj_bias)})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_TRUE(same_bits(parameters(a), parameters(b)));
  EXPECT_TRUE(same_bits(parameters(first), parameters(zero)));
  const auto one = parameters(a), two = parameters(other);
  int equal = 0;
  for (std::size_t i = 0; i < one.size(); ++i) equal += one[i] == two[i];
  EXPECT_LT(equal, 5);
  EXPECT_EQ(a.dim_attn(), 30);
  EXPECT_EQ(a.dim_head(), 6);
  EXPECT_EQ(extents_of(a.qkv_weight), (extents{90, 12}));
  EXPECT_EQ(extents_of(a.qkv_bias), (extents{90}));
  EXPECT_EQ(extents_of(a.proj_weight), (extents{30, 30}));
  EXPECT_EQ(extents_of(a.proj_bias), (extents{30}));
}

TYPED_TEST(attention2d, has_parameters_uniform_up_to_one_over_the_root_of_what_goes_in) {
  using T = TypeParam;
  const tn::Attention2d<T> block({.dim = 64, .dim_out = 16, .heads = 4, .expand_first = true});
  const auto expect_uniform = [](const auto& parameter, real in) {
    const real bound = 1 / std::sqrt(in);
    const auto values = elements_of(parameter);
    const auto count = static_cast<real>(values.size());
    real sum = 0, squares = 0;
    for (const T value : values) {
      EXPECT_LE(std::abs(widen(value)), bound * (1 + epsilon<T>()));
      sum += widen(value) / bound;
      squares += widen(value) / bound * widen(value) / bound;
    }
    // Five standard deviations of the mean, and of the mean of the squares, of uniform numbers.
    EXPECT_LE(std::abs(sum / count), 5 * std::sqrt(1 / (3 * count)));
    EXPECT_LE(std::abs(squares / count - real{1} / 3), 5 * std::sqrt(4 / (45 * count)));
  };
  expect_uniform(block.qkv_weight, 64);
  expect_uniform(block.qkv_bias, 64);
  expect_uniform(block.proj_weight, 16);
  expect_uniform(block.proj_bias, 16);
}

/// The call throws exactly this text.
template <class Call>
void expect_error(const char* text, const Call& call) {
  EXPECT_THAT(call, ThrowsMessage<std::invalid_argument>(StrEq(text)));
}

TEST(an_attention2d, is_not_made_of_heads_that_do_not_divide_its_channels) {
  const auto make = [](const options_2d& options) {
    return [options] { tn::Attention2d<float> block(options); };
  };
  expect_error("Attention2d: heads is 5, expected a divisor of the 12 channels of dim",
               make({.dim = 12, .dim_out = 10, .heads = 5}));
  expect_error("Attention2d: heads is 5, expected a divisor of the 12 channels of dim_out",
               make({.dim = 10, .dim_out = 12, .heads = 5, .expand_first = true}));
  expect_error("Attention2d: heads is 32, expected a divisor of the 16 channels of dim", make({.dim = 16}));
}

TEST(an_attention2d, is_not_made_of_sizes_that_are_not_positive) {
  const auto make = [](const options_2d& options) {
    return [options] { tn::Attention2d<float> block(options); };
  };
  expect_error("Attention2d: dim is 0, expected at least 1", make({}));
  expect_error("Attention2d: dim is -4, expected at least 1", make({.dim = -4, .dim_out = 4, .heads = 1}));
  expect_error("Attention2d: dim_out is -1, expected at least 1",
               make({.dim = 4, .dim_out = -1, .heads = 1}));
  expect_error("Attention2d: heads is 0, expected at least 1", make({.dim = 4, .heads = 0}));
}

/// A block, and a y that must stay as it is.
struct attention2d_errors : testing::Test {
  tn::Attention2d<float> block{{.dim = 12, .dim_out = 5, .heads = 3}};
  images<float> x = normal_tensor<images<float>>({2, 12, 3, 5}, 242);
  images<float> y{2, 5, 3, 5};

  attention2d_errors() { y.setConstant(42); }

  template <class Call>
  void expect(const char* text, const Call& call) {
    expect_error(text, call);
    ASSERT_EQ(extents_of(y), (extents{2, 5, 3, 5}));
    for (const float value : elements_of(y)) ASSERT_EQ(value, 42);
  }
};

TEST_F(attention2d_errors, an_image_with_other_channels) {
  const images<float> wider = normal_tensor<images<float>>({2, 13, 3, 5}, 243);
  expect("Attention2d: x has 13 channels, expected 12 (x 2x13x3x5)", [&] { y = block(wider); });
  const images<float> narrower = normal_tensor<images<float>>({2, 4, 3, 5}, 243);
  expect("Attention2d: x has 4 channels, expected 12 (x 2x4x3x5)", [&] { y = block(narrower); });
  expect("Attention2d: x has 13 channels, expected 12 (x 2x13x3x5)", [&] { y = block(wider * 2.f); });
}

TEST_F(attention2d_errors, parameters_of_other_sizes) {
  const auto whole = block;
  block.qkv_weight.resize(36, 11);
  expect("Attention2d: qkv_weight has shape 36x11, expected 36x12", [&] { y = block(x); });
  block = whole;
  block.qkv_weight.resize(12, 36);
  expect("Attention2d: qkv_weight has shape 12x36, expected 36x12", [&] { y = block(x); });
  block = whole;
  block.qkv_bias.resize(35);
  expect("Attention2d: qkv_bias has shape 35, expected 36", [&] { y = block(x); });
  block = whole;
  block.qkv_bias.resize(0);
  expect("Attention2d: qkv_bias has shape 0, expected 36", [&] { y = block(x); });
  block = whole;
  block.proj_weight.resize(12, 5);
  expect("Attention2d: proj_weight has shape 12x5, expected 5x12", [&] { y = block(x); });
  block = whole;
  block.proj_bias.resize(12);
  expect("Attention2d: proj_bias has shape 12, expected 5", [&] { y = block(x); });
}

TEST_F(attention2d_errors, a_bias_where_there_is_none) {
  block = tn::Attention2d<float>({.dim = 12, .dim_out = 5, .heads = 3, .bias = false});
  EXPECT_EQ(block.qkv_bias.size(), 0);
  EXPECT_EQ(block.proj_bias.size(), 0);
  block.proj_bias.resize(5);
  expect("Attention2d: proj_bias has shape 5, expected 0", [&] { y = block(x); });
}

TEST_F(attention2d_errors, a_result_in_the_memory_of_the_image) {
  tn::Attention2d<float> same({.dim = 12, .heads = 3});
  const auto before = elements_of(x);
  expect("Attention2d: y overlaps x", [&] { x = same(x); });
  EXPECT_TRUE(same_bits(elements_of(x), before));
}

}  // namespace
}  // namespace tensornorm_test
