// Linear layers over tokens: y = x · Wᵀ + b and dx = dy · W are their sums, on any number of threads, and a
// token has the same bits wherever it stands.
#include "linear.hpp"

namespace tensornorm_test {
namespace {

template <class T, class W>
struct linear_calls : testing::Test {
  tn::workspace memory;

  template <class Device = Eigen::DefaultDevice>
  std::vector<T> forward(const linear_case<T, W>& c, const Device& device = {}) {
    std::vector<T> y(at(c.shape.tokens * c.shape.out), quiet_nan<T>());
    c.layer().forward(c.of_x(), y.data(), memory, device);
    return y;
  }
  /// dx into R, over NaN or added to what there is.
  template <class R, class Device = Eigen::DefaultDevice>
  std::vector<R> backward(const linear_case<T, W>& c, const std::vector<R>& before = {},
                          const Device& device = {}) {
    std::vector<R> dx = before;
    if (before.empty()) dx.assign(at(c.shape.tokens * c.shape.in), quiet_nan<R>());
    c.layer().backward_to_x(c.of_dy(), dx.data(), !before.empty(), memory, device);
    return dx;
  }
};
template <class L>
struct linear : linear_calls<typename L::scalar, typename L::parameter> {};
TYPED_TEST_SUITE(linear, all_linear_scalars, linear_scalar_names);

TYPED_TEST(linear, is_its_sum_at_every_size) {
  for (const linear_shape& shape : linear_shapes()) {
    const case_of<TypeParam> c(shape);
    EXPECT_TRUE(is_forward(c, this->forward(c))) << shape;
  }
}

TYPED_TEST(linear, has_a_gradient_of_x_that_is_its_sum_at_every_size) {
  using T = typename TypeParam::scalar;
  using A = tn::accumulator_t<T>;
  for (const linear_shape& shape : linear_shapes()) {
    const case_of<TypeParam> c(shape);
    EXPECT_TRUE(is_gradient_of_x(c, this->template backward<T>(c))) << shape;
    EXPECT_TRUE(is_gradient_of_x(c, this->template backward<A>(c))) << shape;
  }
}

TYPED_TEST(linear, adds_the_gradient_of_x_to_another) {
  using T = typename TypeParam::scalar;
  using A = tn::accumulator_t<T>;
  for (const linear_shape& shape : linear_shapes()) {
    if (shape.tokens > 130) continue;
    const case_of<TypeParam> c(shape);
    const auto before = normal<T>(at(shape.tokens * shape.in), 1111, 1);
    EXPECT_TRUE(is_gradient_of_x(c, this->template backward<T>(c, before), before)) << shape;
    const auto wide = normal<A>(at(shape.tokens * shape.in), 1112, 1);
    EXPECT_TRUE(is_gradient_of_x(c, this->template backward<A>(c, wide), wide)) << shape;
  }
}

TYPED_TEST(linear, of_no_tokens_writes_nothing) {
  const case_of<TypeParam> c({0, 5, 3});
  EXPECT_TRUE(this->forward(c).empty());
  EXPECT_TRUE(this->template backward<typename TypeParam::scalar>(c).empty());
}

TYPED_TEST(linear, has_the_same_bits_on_any_number_of_threads) {
  using T = typename TypeParam::scalar;
  for (const linear_shape& shape : {linear_shape{1, 16, 59},
                                    {33, 59, 16},
                                    {1, 300, 600},
                                    {100, 513, 257},
                                    {515, 64, 130},
                                    {1021, 130, 64}}) {
    const case_of<TypeParam> c(shape);
    const auto y = this->forward(c);
    const auto dx = this->template backward<T>(c);
    for (const int threads : {1, 2, 3}) {
      Eigen::ThreadPool pool(threads);
      const Eigen::ThreadPoolDevice device(&pool, threads);
      EXPECT_TRUE(same_bits(this->forward(c, device), y)) << shape << ", " << threads << " threads";
      EXPECT_TRUE(same_bits(this->template backward<T>(c, {}, device), dx)) << shape << ", " << threads;
    }
  }
}

TYPED_TEST(linear, gives_a_token_the_same_bits_alone_and_among_others) {
  using T = typename TypeParam::scalar;
  const linear_shape shape{67, 59, 16};
  const case_of<TypeParam> c(shape);
  const auto y = this->forward(c);
  for (const index_nn token : {0, 1, 15, 31, 63, 66}) {
    auto one = c;
    one.shape.tokens = 1;
    one.x.assign(c.x.begin() + token * shape.in, c.x.begin() + (token + 1) * shape.in);
    EXPECT_TRUE(same_bits(this->forward(one),
                          std::vector<T>(y.begin() + token * shape.out, y.begin() + (token + 1) * shape.out)))
        << token;
  }
}

TYPED_TEST(linear, of_a_token_with_a_nan_leaves_the_others_alone) {
  using T = typename TypeParam::scalar;
  const linear_shape shape{67, 5, 3};
  case_of<TypeParam> c(shape);
  const auto clean = this->forward(c);
  c.x[at(40 * shape.in + 2)] = quiet_nan<T>();
  const auto y = this->forward(c);
  for (index_nn i = 0; i < shape.tokens * shape.out; ++i) {
    if (i / shape.out == 40)
      EXPECT_TRUE(is_nan(y[at(i)]));
    else
      EXPECT_EQ(bits(y[at(i)]), bits(clean[at(i)]));
  }
}

TYPED_TEST(linear, keeps_its_memory_for_further_calls) {
  using T = typename TypeParam::scalar;
  const case_of<TypeParam> c({67, 59, 16});
  this->forward(c);
  this->template backward<T>(c);
  const std::size_t held = this->memory.bytes();
  this->forward(c);
  this->template backward<T>(c);
  EXPECT_EQ(this->memory.bytes(), held);
}

TYPED_TEST(linear, starts_with_numbers_of_the_size_of_one_over_the_root_of_in) {
  using layer = tn::detail::linear_layer<typename TypeParam::scalar, typename TypeParam::parameter>;
  using W = typename TypeParam::parameter;
  std::mt19937_64 random(3), again(3), other(4);
  layer a, b, c;
  a.start(64, 130, true, random);
  b.start(64, 130, true, again);
  c.start(64, 130, true, other);
  EXPECT_TRUE(same_bits(numbers_of(a.weight), numbers_of(b.weight)));
  EXPECT_TRUE(same_bits(numbers_of(a.bias), numbers_of(b.bias)));
  EXPECT_FALSE(same_bits(numbers_of(a.weight), numbers_of(c.weight)));
  const real bound = real{1} / 8 * (1 + epsilon<W>());
  real largest = 0, smallest = 1, sum = 0;
  for (const W w : numbers_of(a.weight)) {
    largest = std::max(largest, widen(w));
    smallest = std::min(smallest, widen(w));
    sum += widen(w);
  }
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, bound * 99 / 100);
  EXPECT_GE(smallest, -bound);
  EXPECT_LT(smallest, -bound * 99 / 100);
  // Five standard deviations of the mean of 8320 uniform numbers.
  EXPECT_LE(std::abs(sum / 8320), 5 * bound / std::sqrt(real{3 * 8320}));
  for (const auto& gradient : {numbers_of(a.weight_gradient), numbers_of(a.bias_gradient)})
    for (const W g : gradient) EXPECT_EQ(widen(g), 0);
}

}  // namespace
}  // namespace tensornorm_test
