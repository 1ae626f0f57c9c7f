// A norm layer is its function, and its gradients are those of that function; they add up until they are
// zeroed; on one thread and on several.
#include "norm_layers.hpp"

namespace tensornorm_test {
namespace {

template <class T>
struct norm_layers : testing::Test {};
using scalars = testing::Types<layer_scalars<float, float>, layer_scalars<double, double>,
                               layer_scalars<Eigen::bfloat16, float>>;
TYPED_TEST_SUITE(norm_layers, scalars, layer_scalar_names);

TYPED_TEST(norm_layers, are_their_functions_in_inference_and_in_training) {
  for_each_layer<typename TypeParam::scalar, typename TypeParam::parameter>([](auto layer, const auto& x) {
    using tensor = std::remove_cvref_t<decltype(x)>;
    const auto expected = elements_of(function_of(layer, x));
    const tensor inferred = std::as_const(layer)(x), trained = layer.forward(x);
    EXPECT_TRUE(same_bits(elements_of(inferred), expected));
    EXPECT_TRUE(same_bits(elements_of(trained), expected));
    tensor in_place = x;
    in_place = layer(in_place);
    EXPECT_TRUE(same_bits(elements_of(in_place), expected));
  });
}

TYPED_TEST(norm_layers, add_to_the_gradients_of_their_parameters_until_these_are_zeroed) {
  using S = typename TypeParam::scalar;
  for_each_layer<S, typename TypeParam::parameter>([](auto layer, const auto& x) {
    using tensor = std::remove_cvref_t<decltype(x)>;
    const auto dy = normal_tensor<tensor>({4, 6, 5}, 514);
    tensor y = layer.forward(x);
    layer.backward(dy, x);
    const auto once = gradients_of(layer);
    layer.backward(dy, x);
    const auto twice = gradients_of(layer);
    ASSERT_EQ(once.size(), twice.size());
    for (std::size_t i = 0; i < once.size(); ++i) {
      EXPECT_NE(once[i], 0);
      EXPECT_LE(std::abs(widen(twice[i]) - 2 * widen(once[i])),
                2 * epsilon<typename TypeParam::parameter>() * std::abs(widen(twice[i])))
          << i;
    }
    layer.zero_gradients();
    for (const auto value : gradients_of(layer)) EXPECT_EQ(value, 0);
    layer.backward(dy, x);
    EXPECT_TRUE(same_bits(gradients_of(layer), once));
  });
}

template <class Layer>
constexpr bool is_tanh = false;
template <class S, class P>
constexpr bool is_tanh<tn::TanhNorm<S, P>> = true;

/// In double, the gradients are those of differences (norm_layers_double_test.cpp).
TYPED_TEST(norm_layers, have_the_gradients_of_the_same_layer_in_double) {
  using S = typename TypeParam::scalar;
  for_each_layer<S, typename TypeParam::parameter>([](auto layer, const auto& x) {
    using tensor = std::remove_cvref_t<decltype(x)>;
    const auto dy = normal_tensor<tensor>({4, 6, 5}, 505);
    const tensor y = layer.forward(x);
    const auto dx = elements_of(layer.backward(dy, x));
    const auto gradients = gradients_of(layer);

    auto wide = widened(layer);
    const auto wide_x = widened(x), wide_dy = widened(dy);
    const std::remove_const_t<decltype(wide_x)> wide_y = wide.forward(wide_x);
    const auto expected_dx = elements_of(wide.backward(wide_dy, wide_x));
    const auto expected = gradients_of(wide);

    // TanhNorm rounds dy · (1 - y²) to the type of the data.
    const real e = std::max(epsilon<tn::accumulator_t<S>>(), is_tanh<decltype(layer)> ? epsilon<S>() : 0);
    const real dx_bound = 32 * e * largest_of(expected_dx);
    for (std::size_t i = 0; i < dx.size(); ++i)
      ASSERT_LE(std::abs(widen(dx[i]) - expected_dx[i]), dx_bound + ulp<S>(expected_dx[i]) / 2) << i;
    ASSERT_EQ(gradients.size(), expected.size());
    for (std::size_t i = 0; i < gradients.size(); ++i)
      ASSERT_LE(std::abs(widen(gradients[i]) - expected[i]), 32 * e * std::max(real{1}, largest_of(expected)))
          << i;
  });
}

TYPED_TEST(norm_layers, take_requests) {
  using S = typename TypeParam::scalar;
  for_each_layer<S, typename TypeParam::parameter>([](auto layer, const auto& x) {
    using tensor = std::remove_cvref_t<decltype(x)>;
    const auto dy = normal_tensor<tensor>({4, 6, 5}, 506), ds = normal_tensor<tensor>({4, 6, 5}, 507);
    tensor y = layer.forward(x);
    const auto dx = elements_of(layer.backward(dy, x));
    const auto gradients = gradients_of(layer);

    layer.zero_gradients();
    tensor written = dy;
    static_assert(std::is_void_v<decltype(layer.backward(written, x, tn::grad_x(written)))>);
    layer.backward(written, x, tn::grad_x(written));  // in the memory of dy
    EXPECT_TRUE(same_bits(elements_of(written), dx));
    EXPECT_TRUE(same_bits(gradients_of(layer), gradients));

    const auto sum = elements_of(layer.backward(dy, x, tn::plus_gradient(ds)));
    const auto other_way = elements_of(ds);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const real expected = widen(dx[i]) + widen(other_way[i]);
      ASSERT_LE(std::abs(widen(sum[i]) - expected), ulp<S>(widen(dx[i])) + ulp<S>(expected)) << i;
    }
    written.setConstant(S(7.f));
    Eigen::ThreadPool pool(2);
    layer.backward(dy, x, tn::on(Eigen::ThreadPoolDevice(&pool, 2)), tn::grad_x(written),
                   tn::plus_gradient(ds));
    EXPECT_TRUE(same_bits(elements_of(written), sum));
  });
}

/// Parameters of the type of the data and rows enough for several threads.
template <class S, class P, class Make>
void expect_the_same_bits_on_threads(const Make& make) {
  const auto x = normal_tensor<row_major_tensor<S, 3>>({16, 48, 96}, 508, 0.25);
  const auto dy = normal_tensor<row_major_tensor<S, 3>>({16, 48, 96}, 509);
  const auto run = [&](const auto& device) {
    auto layer = with_learned_parameters(make());
    row_major_tensor<S, 3> inferred(16, 48, 96), y(16, 48, 96), dx(16, 48, 96);
    inferred.device(device) = std::as_const(layer)(x);
    y.device(device) = layer.forward(x);
    layer.backward(dy, x, tn::on(device), tn::grad_x(dx));
    return std::tuple{elements_of(inferred), elements_of(y), elements_of(dx), gradients_of(layer)};
  };
  const auto expected = run(Eigen::DefaultDevice());
  for (const int threads : {1, 2, 3}) {
    Eigen::ThreadPool pool(threads);
    const auto found = run(Eigen::ThreadPoolDevice(&pool, threads));
    EXPECT_TRUE(same_bits(std::get<0>(found), std::get<0>(expected))) << threads;
    EXPECT_TRUE(same_bits(std::get<1>(found), std::get<1>(expected))) << threads;
    EXPECT_TRUE(same_bits(std::get<2>(found), std::get<2>(expected))) << threads;
    EXPECT_TRUE(same_bits(std::get<3>(found), std::get<3>(expected))) << threads;
  }
}

TYPED_TEST(norm_layers, have_the_same_bits_on_any_number_of_threads) {
  using S = typename TypeParam::scalar;
  using P = typename TypeParam::parameter;
  expect_the_same_bits_on_threads<S, P>([] { return tn::RmsNorm<S, P>({.dim = 96}); });
  expect_the_same_bits_on_threads<S, P>([] { return tn::SimpleNorm<S, P>({.dim = 48, .axes = 1}); });
  expect_the_same_bits_on_threads<S, P>([] { return tn::LayerNorm<S, P>({.dim = 96}); });
  expect_the_same_bits_on_threads<S, P>([] { return tn::LayerNorm<S, P>({.dim = 48, .axes = 1}); });
  expect_the_same_bits_on_threads<S, P>([] { return tn::GroupNorm<S, P>({.groups = 4, .channels = 48}); });
  expect_the_same_bits_on_threads<S, P>([] { return tn::TanhNorm<S, P>(); });
  expect_the_same_bits_on_threads<S, P>([] { return tn::TanhNorm<S, P>({.axes = 1}); });
}

TYPED_TEST(norm_layers, of_no_rows_write_nothing_and_learn_nothing) {
  for_each_layer<typename TypeParam::scalar, typename TypeParam::parameter>([](auto layer, const auto& some) {
    using tensor = std::remove_cvref_t<decltype(some)>;
    if (layer.parameters()[0].value.size() == 4) return;  // rows of axis 0
    const tensor x(0, 6, 5);
    const tensor y = layer.forward(x);
    EXPECT_EQ(extents_of(y), (extents{0, 6, 5}));
    const auto before = gradients_of(layer);
    EXPECT_EQ(extents_of(layer.backward(y, x)), (extents{0, 6, 5}));
    EXPECT_TRUE(same_bits(gradients_of(layer), before));
  });
}

TYPED_TEST(norm_layers, take_matrices_and_expressions) {
  using S = typename TypeParam::scalar;
  using P = typename TypeParam::parameter;
  using tensor = row_major_tensor<S, 2>;
  using matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic>;
  const auto x = normal_tensor<tensor>({7, 5}, 510), dy = normal_tensor<tensor>({7, 5}, 511);
  const auto expect_alike = [&](auto layer) {
    layer = with_learned_parameters(layer);
    const tensor y = layer.forward(x);
    const auto dx = elements_of(layer.backward(dy, x));
    const auto gradients = gradients_of(layer);

    layer.zero_gradients();
    const tensor y_again = layer.forward(x * S(1.f));
    EXPECT_TRUE(same_bits(elements_of(y_again), elements_of(y)));
    EXPECT_TRUE(same_bits(elements_of(layer.backward(dy * S(1.f), x * S(1.f))), dx));
    EXPECT_TRUE(same_bits(gradients_of(layer), gradients));

    matrix m(7, 5), dm(7, 5);
    for (index_nn row = 0; row < 7; ++row)
      for (index_nn column = 0; column < 5; ++column)
        m(row, column) = x(row, column), dm(row, column) = dy(row, column);
    layer.zero_gradients();
    const matrix of_matrix = layer.forward(m);
    const matrix gradient = layer.backward(dm, m);
    for (index_nn row = 0; row < 7; ++row)
      for (index_nn column = 0; column < 5; ++column) {
        EXPECT_EQ(bits(of_matrix(row, column)), bits(y(row, column)));
        EXPECT_EQ(bits(gradient(row, column)), bits(dx[static_cast<std::size_t>(5 * row + column)]));
      }
    // A column-major matrix has its rows side by side, and sums over them in another order.
    const auto of_columns = gradients_of(layer);
    for (std::size_t i = 0; i < gradients.size(); ++i)
      EXPECT_LE(std::abs(widen(of_columns[i]) - widen(gradients[i])), 64 * epsilon<P>());
  };
  expect_alike(tn::RmsNorm<S, P>({.dim = 5}));
  expect_alike(tn::SimpleNorm<S, P>({.dim = 5}));
  expect_alike(tn::LayerNorm<S, P>({.dim = 5, .correction = 1}));
  expect_alike(tn::TanhNorm<S, P>({.alpha = 0.5}));
}

}  // namespace
}  // namespace tensornorm_test
