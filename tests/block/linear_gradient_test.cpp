// The gradients of weight and bias of a linear layer are sums over tokens, added to what is there, whatever
// the threads.
#include "linear.hpp"

namespace tensornorm_test {
namespace {

template <class T, class W>
struct linear_gradient_calls : testing::Test {
  struct gradients {
    std::vector<W> weight, bias;
  };

  /// What becomes of gradients that held numbers before.
  template <class Device = Eigen::DefaultDevice>
  gradients added_to(const gradients& before, const linear_case<T, W>& c, const Device& device = {}) {
    auto layer = c.layer();
    std::ranges::copy(before.weight, layer.weight_gradient.data());
    std::ranges::copy(before.bias, layer.bias_gradient.data());
    layer.backward_to_parameters(c.of_dy(), c.x.data(), memory, device);
    EXPECT_TRUE(same_bits(numbers_of(layer.weight), c.weight));
    EXPECT_TRUE(same_bits(numbers_of(layer.bias), c.bias));
    return {numbers_of(layer.weight_gradient), numbers_of(layer.bias_gradient)};
  }
  static gradients zeros(const linear_shape& s) {
    return {std::vector<W>(at(s.out * s.in), W(0)), std::vector<W>(at(s.bias ? s.out : 0), W(0))};
  }
  static gradients some(const linear_shape& s) {
    return {normal<W>(at(s.out * s.in), 1121, 3), normal<W>(at(s.bias ? s.out : 0), 1122, -3)};
  }
  static void expect_sums(const linear_case<T, W>& c, const gradients& found, const gradients& before) {
    EXPECT_TRUE(is_gradient_of_weight(c, found.weight, before.weight)) << c.shape;
    EXPECT_TRUE(is_gradient_of_bias(c, found.bias, before.bias)) << c.shape;
  }
  static void expect_same(const gradients& a, const gradients& b) {
    EXPECT_TRUE(same_bits(a.weight, b.weight));
    EXPECT_TRUE(same_bits(a.bias, b.bias));
  }

  tn::workspace memory;
};
template <class L>
struct linear_gradient : linear_gradient_calls<typename L::scalar, typename L::parameter> {};
TYPED_TEST_SUITE(linear_gradient, all_linear_scalars, linear_scalar_names);

TYPED_TEST(linear_gradient, is_its_sum_at_every_size) {
  for (const linear_shape& shape : linear_shapes()) {
    const case_of<TypeParam> c(shape);
    const auto before = this->zeros(shape);
    this->expect_sums(c, this->added_to(before, c), before);
  }
}

TYPED_TEST(linear_gradient, is_added_to_what_is_there) {
  for (const linear_shape& shape : linear_shapes()) {
    if (shape.tokens > 130) continue;
    const case_of<TypeParam> c(shape);
    const auto before = this->some(shape);
    this->expect_sums(c, this->added_to(before, c), before);
  }
}

/// Roundings of equal terms all go the same way.
TYPED_TEST(linear_gradient, of_many_equal_tokens_is_as_good) {
  using T = typename TypeParam::scalar;
  for (const index_nn tokens : {2048, 4099, 8191}) {
    const linear_shape shape{tokens, 3, 2};
    case_of<TypeParam> c(shape);
    for (const double value : {0.1, 0.7, 1.7}) {
      c.dy.assign(c.dy.size(), narrow<T>(value));
      c.x.assign(c.x.size(), narrow<T>(1));
      const auto before = this->zeros(shape);
      this->expect_sums(c, this->added_to(before, c), before);
    }
  }
}

TYPED_TEST(linear_gradient, of_no_tokens_leaves_what_is_there) {
  const linear_shape shape{0, 5, 3};
  const case_of<TypeParam> c(shape);
  this->expect_same(this->added_to(this->some(shape), c), this->some(shape));
}

TYPED_TEST(linear_gradient, has_the_same_bits_on_any_number_of_threads) {
  for (const linear_shape& shape : {linear_shape{33, 16, 59}, {515, 3, 200}, {2100, 59, 130}}) {
    const case_of<TypeParam> c(shape);
    const auto expected = this->added_to(this->some(shape), c);
    for (const int threads : {1, 2, 3}) {
      Eigen::ThreadPool pool(threads);
      const Eigen::ThreadPoolDevice device(&pool, threads);
      SCOPED_TRACE(testing::Message() << shape << ", " << threads << " threads");
      this->expect_same(this->added_to(this->some(shape), c, device), expected);
    }
  }
}

TYPED_TEST(linear_gradient, of_a_channel_with_a_nan_leaves_the_others_alone) {
  using T = typename TypeParam::scalar;
  const linear_shape shape{70, 5, 3};
  case_of<TypeParam> c(shape);
  const auto clean = this->added_to(this->zeros(shape), c);
  c.dy[at(66 * shape.out + 1)] = quiet_nan<T>();
  const auto found = this->added_to(this->zeros(shape), c);
  for (index_nn i = 0; i < shape.out * shape.in; ++i) {
    if (i / shape.in == 1)
      EXPECT_TRUE(is_nan(found.weight[at(i)]));
    else
      EXPECT_EQ(bits(found.weight[at(i)]), bits(clean.weight[at(i)]));
  }
  EXPECT_EQ(bits(found.bias[0]), bits(clean.bias[0]));
  EXPECT_TRUE(is_nan(found.bias[1]));
  EXPECT_EQ(bits(found.bias[2]), bits(clean.bias[2]));
}

}  // namespace
}  // namespace tensornorm_test
