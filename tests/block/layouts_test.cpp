// The layer of column-major tensors, expressions and maps is that of their values; it has the same bits on
// any number of threads, and alone or in a batch.
#include "block.hpp"

namespace tensornorm_test {
namespace {

template <class Block>
struct block_layouts : testing::Test {
  using layer_type = typename Block::layer;
};
using layers = testing::Types<block_type<float, tn::none_t, tn::none_t>,
                              block_type<float, tn::RmsNorm<float>, tn::LayerNorm<float>>,
                              block_type<Eigen::half, tn::none_t, tn::RmsNorm<Eigen::half>>>;
TYPED_TEST_SUITE(block_layouts, layers);

constexpr block_case self{4, 2, 0, true, true, turning::halves, false, 7};
constexpr block_case cross{2, 2, 6, true, true, turning::interleaved, true, 0};

template <class T>
col_major_tensor<T, 3> columns_of(const tokens<T>& x) {
  return tensor_of<col_major_tensor<T, 3>>({x.dimension(0), x.dimension(1), x.dimension(2)}, elements_of(x));
}

/// What a pass gives, whatever its arguments are.
template <class T>
struct outcome {
  std::vector<T> inferred, y, dx, dcontext;
  std::vector<std::vector<T>> gradients;
};
template <class T>
void expect_same(const outcome<T>& a, const outcome<T>& b) {
  EXPECT_TRUE(same_bits(a.inferred, b.inferred));
  EXPECT_TRUE(same_bits(a.y, b.y));
  EXPECT_TRUE(same_bits(a.dx, b.dx));
  EXPECT_TRUE(same_bits(a.dcontext, b.dcontext));
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (std::size_t i = 0; i < a.gradients.size(); ++i)
    EXPECT_TRUE(same_bits(a.gradients[i], b.gradients[i])) << i;
}

template <class Layer, class T>
void add_gradients(Layer& layer, outcome<T>& to) {
  for (const auto& p : parameter_gradients(layer)) to.gradients.push_back(p.second);
}

template <class Layer, class X, class DY, class... Words>
auto outcome_of(const block_case& c, const X& x, const DY& dy, const Words&... words) {
  learned<Layer> layer(c.options());
  outcome<typename X::Scalar> result;
  result.inferred = elements_of(std::as_const(layer)(x, words...));
  result.y = elements_of(layer.forward(x, words...));
  result.dx = elements_of(layer.backward(dy, x, words...));
  add_gradients(layer, result);
  return result;
}

/// dcontext is of the layout of the context, full of NaN before.
template <class Layer, class X, class C, class D, class DY, class... Words>
auto outcome_of_cross(const X& x, const C& context, D dcontext, const DY& dy, const Words&... words) {
  learned<Layer> layer(cross.options());
  outcome<typename X::Scalar> result;
  result.inferred = elements_of(std::as_const(layer)(x, tn::context(context), words...));
  result.y = elements_of(layer.forward(x, tn::context(context), words...));
  dcontext.setConstant(quiet_nan<typename X::Scalar>());
  result.dx = elements_of(layer.backward(dy, x, tn::context(context), tn::grad_context(dcontext), words...));
  result.dcontext = elements_of(dcontext);
  add_gradients(layer, result);
  return result;
}

TYPED_TEST(block_layouts, of_column_major_tensors_expressions_and_maps_are_those_of_their_values) {
  using T = typename TypeParam::scalar;
  using Layer = typename TypeParam::layer;
  block_data<T> data(self);
  const auto expected = outcome_of<Layer>(self, data.x, data.dy);
  const auto columns = columns_of(data.x), dy_columns = columns_of(data.dy);
  expect_same(outcome_of<Layer>(self, columns, dy_columns), expected);
  expect_same(outcome_of<Layer>(self, data.x, dy_columns), expected);
  expect_same(outcome_of<Layer>(self, data.x * T(1.f), data.dy * T(1.f)), expected);
  expect_same(outcome_of<Layer>(self, columns * T(1.f), dy_columns * T(1.f)), expected);
  const Eigen::TensorMap<const tokens<T>> map(data.x.data(), data.x.dimensions());
  expect_same(outcome_of<Layer>(self, map, data.dy), expected);
  const tokens<T> twice = data.x * T(2.f);
  expect_same(outcome_of<Layer>(self, data.x * T(2.f), data.dy), outcome_of<Layer>(self, twice, data.dy));
}

TYPED_TEST(block_layouts, of_a_context_are_those_of_its_values) {
  using T = typename TypeParam::scalar;
  using Layer = typename TypeParam::layer;
  const block_data<T> data(cross);
  const auto expected = outcome_of_cross<Layer>(data.x, data.context, data.context, data.dy);
  const auto columns = columns_of(data.context);
  expect_same(outcome_of_cross<Layer>(data.x, columns, data.context, data.dy), expected);
  expect_same(outcome_of_cross<Layer>(columns_of(data.x), data.context * T(1.f), data.context, data.dy),
              expected);
}

TYPED_TEST(block_layouts, have_the_same_bits_on_any_number_of_threads) {
  using T = typename TypeParam::scalar;
  using Layer = typename TypeParam::layer;
  block_case large = self, large_cross = cross;
  large.tokens = 150;
  large_cross.tokens = 70;
  large_cross.context_tokens = 130;
  const block_data<T> data(large), other(large_cross);
  const auto causal = tn::causal(align::bottom_right);
  const auto expected = outcome_of<Layer>(large, data.x, data.dy, causal);
  const auto expected_cross = outcome_of_cross<Layer>(other.x, other.context, other.context, other.dy);
  for (const int threads : {1, 2, 3}) {
    SCOPED_TRACE(testing::Message() << threads << " threads");
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    expect_same(outcome_of<Layer>(large, data.x, data.dy, causal, tn::on(device)), expected);
    expect_same(outcome_of_cross<Layer>(other.x, other.context, other.context, other.dy, tn::on(device)),
                expected_cross);
  }
}

TYPED_TEST(block_layouts, have_the_same_bits_alone_and_in_a_batch) {
  using T = typename TypeParam::scalar;
  const block_data<T> data(self);
  const learned<typename TypeParam::layer> layer(self.options());
  const tokens<T> y = layer(data.x);
  for (index_nn n = 0; n < self.batch; ++n) {
    const Eigen::array<index_nn, 3> from{n, 0, 0};
    const tokens<T> x = data.x.slice(from, Eigen::array<index_nn, 3>{1, self.tokens, self.dim()});
    const tokens<T> expected = y.slice(from, Eigen::array<index_nn, 3>{1, self.tokens, self.size_of_y()});
    EXPECT_TRUE(same_bits(elements_of(layer(x)), elements_of(expected))) << n;
  }
}

TYPED_TEST(block_layouts, of_a_batch_element_with_a_nan_leave_the_others_alone) {
  using T = typename TypeParam::scalar;
  block_data<T> data(self);
  const learned<typename TypeParam::layer> layer(self.options());
  const tokens<T> clean = layer(data.x);
  data.x(1, 2, 3) = quiet_nan<T>();
  const tokens<T> y = layer(data.x);
  for (index_nn i = 0; i < y.size(); ++i) {
    if (i < y.size() / 2)
      ASSERT_EQ(bits(y.data()[i]), bits(clean.data()[i]));
    else
      ASSERT_TRUE(is_nan(y.data()[i]));
  }
}

TYPED_TEST(block_layouts, of_no_batch_or_no_tokens_have_nothing) {
  using T = typename TypeParam::scalar;
  for (const auto& [batch, count] : {std::pair<index_nn, index_nn>{0, 3}, {2, 0}}) {
    learned<typename TypeParam::layer> layer(self.options());
    const tokens<T> x(batch, count, self.dim()), dy(batch, count, 7);
    EXPECT_EQ(extents_of(layer(x)), (extents{batch, count, 7}));
    EXPECT_EQ(extents_of(layer.forward(x)), (extents{batch, count, 7}));
    EXPECT_EQ(extents_of(layer.backward(dy, x)), (extents{batch, count, self.dim()}));
    for (const auto& p : parameter_gradients(layer))
      for (const auto value : p.second) EXPECT_EQ(widen(value), 0) << p.first;
  }
}

}  // namespace
}  // namespace tensornorm_test
