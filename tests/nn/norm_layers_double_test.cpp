// Norm layers in double: gradients against differences, training towards a teacher, parameters by name,
// errors.
#include "norm_layers.hpp"

namespace tensornorm_test {
namespace {

TEST(a_norm_layer, has_the_gradients_of_differences) {
  for_each_layer<double, double>([](auto layer, auto x) {
    using tensor = decltype(x);
    const auto dy = normal_tensor<tensor>({4, 6, 5}, 520);
    const tensor y = layer.forward(x);
    const tensor dx = layer.backward(dy, x);
    const auto loss = [&] { return loss_of(layer, x, dy); };
    EXPECT_LE(worst_difference(x, dx, 1e-5, loss), 1e-7);
    for (auto& p : layer.parameters())
      EXPECT_LE(worst_difference(p.value, p.gradient, 1e-5, loss), 1e-7) << p.name;
  });
}

TEST(a_norm_layer, passes_gradients_through_another) {
  auto x = normal_tensor<row_major_tensor<double, 2>>({6, 5}, 521);
  const auto dy = normal_tensor<row_major_tensor<double, 2>>({6, 5}, 522);
  auto first = with_learned_parameters(tn::LayerNorm<double>({.dim = 5}));
  auto second = with_learned_parameters(tn::RmsNorm<double>({.dim = 5}));
  tn::TanhNorm<double> third({.alpha = 0.5});
  using tensor = row_major_tensor<double, 2>;
  const tensor a = first.forward(x), b = second.forward(a), c = third.forward(b);
  const tensor dx = first.backward(second.backward(third.backward(dy, b), a), x);
  const auto loss = [&] {
    const tensor hidden = first(x), more = second(hidden);
    return loss_of(third, more, dy);
  };
  EXPECT_LE(worst_difference(x, dx, 1e-5, loss), 1e-7);
  for (auto& p : first.parameters())
    EXPECT_LE(worst_difference(p.value, p.gradient, 1e-5, loss), 1e-7) << p.name;
}

/// Gradient descent on the mean over rows of the squared distance to what the teacher says.
template <class Layer, class X>
void expect_to_reach(const Layer& teacher, Layer student, const X& x, real rows, double rate) {
  const X target = teacher(x);
  const auto loss_now = [&] {
    const X distance = student(x) - target;
    const auto values = elements_of(distance);
    real sum = 0;
    for (const double value : values) sum += widen(value) * widen(value);
    return sum / rows;
  };
  real loss = loss_now();
  EXPECT_GT(loss, 0.01);
  for (int round = 0; round < 8; ++round) {
    for (int step = 0; step < 50; ++step) {
      const X y = student.forward(x);
      student.zero_gradients();
      student.backward((y - target) * static_cast<double>(2 / rows), x);
      for (auto& p : student.parameters()) p.value -= p.gradient * p.gradient.constant(rate);
    }
    const real now = loss_now();
    EXPECT_LE(now, std::max(loss / 2, 1e-24L)) << "round " << round;
    loss = now;
  }
  Layer copy = teacher;
  const auto goal = copy.parameters(), found = student.parameters();
  ASSERT_EQ(goal.size(), found.size());
  for (std::size_t i = 0; i < goal.size(); ++i)
    for (index_nn j = 0; j < goal[i].value.size(); ++j)
      EXPECT_NEAR(found[i].value(j), goal[i].value(j), 1e-10) << goal[i].name << " " << j;
}

TEST(a_norm_layer, learns_a_scale_for_each_dimension) {
  const auto x = normal_tensor<row_major_tensor<double, 2>>({48, 6}, 523, 0.25);
  const tn::RmsNorm<double> rms({.dim = 6});
  expect_to_reach(with_learned_parameters(rms), rms, x, 48, 0.25);
  const tn::SimpleNorm<double> simple({.dim = 6});
  expect_to_reach(with_learned_parameters(simple), simple, x, 48, 0.25);
}

TEST(a_norm_layer, learns_a_scale_and_a_shift) {
  const auto x = normal_tensor<row_major_tensor<double, 2>>({48, 6}, 524, 3, 2);
  const tn::LayerNorm<double> norm({.dim = 6});
  expect_to_reach(with_learned_parameters(norm), norm, x, 48, 0.25);
}

TEST(a_norm_layer, learns_a_scale_and_a_shift_over_a_chosen_axis_with_the_unbiased_variance) {
  const auto x = normal_tensor<row_major_tensor<double, 4>>({2, 6, 4, 5}, 525, 3, 2);
  const tn::LayerNorm<double> norm({.dim = 6, .axes = 1, .correction = 1});
  expect_to_reach(with_learned_parameters(norm), norm, x, 2 * 4 * 5, 0.25);
  // The unbiased variance is another target than the biased one.
  const row_major_tensor<double, 4> biased = tn::LayerNorm<double>({.dim = 6, .axes = 1})(x),
                                    unbiased = norm(x);
  EXPECT_NEAR(unbiased(1, 2, 3, 4) / biased(1, 2, 3, 4), std::sqrt(5. / 6), 1e-5);
}

TEST(a_norm_layer, learns_a_scale_and_a_shift_for_each_channel) {
  const auto x = normal_tensor<row_major_tensor<double, 3>>({8, 6, 5}, 526, 3, 2);
  const tn::GroupNorm<double> norm({.groups = 2, .channels = 6});
  expect_to_reach(with_learned_parameters(norm), norm, x, 8 * 5, 0.25);
}

TEST(a_norm_layer, learns_the_scale_inside_a_tanh) {
  const auto x = normal_tensor<row_major_tensor<double, 2>>({48, 6}, 527, 3, 2);
  expect_to_reach(tn::TanhNorm<double>({.alpha = 0.4}), tn::TanhNorm<double>(), x, 48, 0.1);
  expect_to_reach(tn::TanhNorm<double>({.alpha = -0.7}), tn::TanhNorm<double>({.alpha = -0.1}), x, 48, 0.1);
}

TEST(a_norm_layer, begins_as_the_norm_without_parameters) {
  using tensor = row_major_tensor<double, 3>;
  const auto x = normal_tensor<tensor>({3, 4, 6}, 528, 3, 2);
  const auto expect_equal = [&](auto layer, const tensor& expected) {
    const tensor y = layer(x);
    for (index_nn i = 0; i < x.size(); ++i) EXPECT_EQ(y.data()[i], expected.data()[i]) << layer.name;
    for (const auto value : gradients_of(layer)) EXPECT_EQ(value, 0) << layer.name;
  };
  expect_equal(tn::RmsNorm<double>({.dim = 6}), tn::rms_norm(x));
  expect_equal(tn::SimpleNorm<double>({.dim = 6}), tn::simple_norm(x));
  expect_equal(tn::LayerNorm<double>({.dim = 6}), tn::layer_norm(x));
  expect_equal(tn::GroupNorm<double>({.groups = 2, .channels = 4}), tn::group_norm(x, 2));
  expect_equal(tn::TanhNorm<double>(), tn::tanh(tn::layer_norm(x), 1.));
  expect_equal(tn::TanhNorm<double>({.alpha = 0.25}), tn::tanh(tn::layer_norm(x), 0.25));
}

TEST(a_norm_layer, learns_in_16_bits_where_tanh_is_1_in_16_bits) {
  using tensor = row_major_tensor<Eigen::bfloat16, 2>;
  const auto x = tensor_of<tensor>({1, 2}, {Eigen::bfloat16(-1.f), Eigen::bfloat16(1.f)});
  tn::TanhNorm<Eigen::bfloat16, float> norm({.alpha = 4});
  const tensor y = norm.forward(x);
  EXPECT_EQ(widen(y(0, 1)), 1);
  norm.backward(x, x);
  const double slope = 1 / std::pow(std::cosh(4.), 2);
  EXPECT_NEAR(norm.alpha_gradient(0), 2 * slope, slope / 50);
}

TEST(a_norm_layer, shows_its_parameters_by_name) {
  using testing::ElementsAre;
  const auto names = [](auto layer) {
    std::vector<std::string> all;
    for (const auto& p : layer.parameters()) all.push_back(p.name + " " + std::to_string(p.value.size()));
    return all;
  };
  EXPECT_THAT(names(tn::RmsNorm<float>({.dim = 3})), ElementsAre("weight 3"));
  EXPECT_THAT(names(tn::SimpleNorm<float>({.dim = 3})), ElementsAre("weight 3"));
  EXPECT_THAT(names(tn::LayerNorm<float>({.dim = 3})), ElementsAre("weight 3", "bias 3"));
  EXPECT_THAT(names(tn::LayerNorm<float>({.dim = 3, .bias = false})), ElementsAre("weight 3"));
  EXPECT_THAT(names(tn::GroupNorm<float>({.groups = 2, .channels = 4})), ElementsAre("weight 4", "bias 4"));
  EXPECT_THAT(names(tn::TanhNorm<float>()), ElementsAre("alpha 1"));

  tn::LayerNorm<float> layer({.dim = 3});
  const auto all = layer.parameters();
  EXPECT_EQ(all[0].value.data(), layer.weight.data());
  EXPECT_EQ(all[0].gradient.data(), layer.weight_gradient.data());
  EXPECT_EQ(all[1].value.data(), layer.bias.data());
  EXPECT_EQ(all[1].gradient.data(), layer.bias_gradient.data());
}

TEST(a_norm_layer, comes_back_as_it_was_saved) {
  for_each_layer<Eigen::bfloat16, Eigen::bfloat16>([](auto layer, const auto& x) {
    using tensor = std::remove_cvref_t<decltype(x)>;
    decltype(layer) other(layer.options());
    const tensor expected = layer(x), at_first = other(x);
    EXPECT_FALSE(same_bits(elements_of(at_first), elements_of(expected)));
    other.load(layer.save());
    const tensor y = other(x);
    EXPECT_TRUE(same_bits(elements_of(y), elements_of(expected)));
  });
}

TEST(a_norm_layer, is_unchanged_by_what_it_cannot_load) {
  auto layer = with_learned_parameters(tn::LayerNorm<float>({.dim = 3}));
  const auto before = layer.save();
  const auto expect_refused = [&](const char* text, const tn::parameter_map<float>& values) {
    expect_error(text, [&] { layer.load(values); });
    const auto after = layer.save();
    ASSERT_EQ(after.size(), before.size());
    for (const auto& [name, value] : before)
      EXPECT_TRUE(same_bits(elements_of(after.at(name)), elements_of(value)));
  };
  const tn::parameter_map<float> other = tn::LayerNorm<float>({.dim = 3}).save();
  auto wrong = other;
  wrong.erase("bias");
  expect_refused("LayerNorm: load: bias is missing", wrong);
  wrong = other;
  wrong["scale"] = wrong["weight"];
  expect_refused("LayerNorm: load: scale is no parameter of it", wrong);
  wrong = other;
  wrong["bias"].resize(4);
  expect_refused("LayerNorm: load: bias has 4 elements, expected 3", wrong);
  expect_refused("LayerNorm: load: bias is missing", tn::RmsNorm<float>({.dim = 3}).save());
  expect_refused("LayerNorm: load: weight is missing", {});
  tn::LayerNorm<float> without({.dim = 3, .bias = false});
  expect_error("LayerNorm: load: bias is no parameter of it", [&] { without.load(other); });
  tn::TanhNorm<float> tanh;
  expect_error("TanhNorm: load: alpha is missing", [&] { tanh.load(other); });
}

TEST(a_norm_layer, is_not_made_of_sizes_that_make_no_norm) {
  expect_error("RmsNorm: dim is 0, expected at least 1", [] { tn::RmsNorm<float>({}); });
  expect_error("SimpleNorm: dim is 1, expected at least 2", [] { tn::SimpleNorm<float>({.dim = 1}); });
  expect_error("LayerNorm: dim is -3, expected at least 1", [] { tn::LayerNorm<float>({.dim = -3}); });
  expect_error("LayerNorm: dim is 1, expected at least 2",
               [] { tn::LayerNorm<float>({.dim = 1, .correction = 1}); });
  expect_error("GroupNorm: channels is 0, expected at least 1", [] { tn::GroupNorm<float>({.groups = 2}); });
  expect_error("GroupNorm: groups is 0, expected at least 1",
               [] { tn::GroupNorm<float>({.groups = 0, .channels = 4}); });
  expect_error("GroupNorm: groups is 3, expected a divisor of the 4 channels",
               [] { tn::GroupNorm<float>({.groups = 3, .channels = 4}); });
  expect_error("TanhNorm: eps is -1, expected a finite number that is not negative",
               [] { tn::TanhNorm<float>({.eps = -1}); });
  expect_error("RmsNorm: eps is nan, expected a finite number that is not negative",
               [] { tn::RmsNorm<float>({.dim = 1, .eps = std::nan("")}); });
}

TEST(a_norm_layer, names_itself_and_the_sizes_when_something_does_not_fit) {
  using tensor = row_major_tensor<float, 3>;
  const auto x = normal_tensor<tensor>({2, 3, 5}, 529);
  tensor y(2, 3, 5);
  y.setConstant(42);
  tn::RmsNorm<float> rms({.dim = 4});
  expect_error("RmsNorm: x has rows of 5 elements, expected 4 (axes {2, 2} of 2x3x5)", [&] { y = rms(x); });
  expect_error("RmsNorm: x has rows of 5 elements, expected 4 (axes {2, 2} of 2x3x5)",
               [&] { y = rms.forward(x); });
  expect_error("RmsNorm: x has rows of 5 elements, expected 4 (axes {2, 2} of 2x3x5)",
               [&] { rms.backward(x, x); });
  tn::TanhNorm<float> far({.axes = 3});
  expect_error("TanhNorm: axes {3, 3} do not name a run of the 3 axes of x, 2x3x5", [&] { y = far(x); });
  tn::GroupNorm<float> group({.groups = 2, .channels = 4});
  expect_error("GroupNorm: x has shape 2x3x5, expected 4 channels in axis 1", [&] { y = group(x); });

  tn::LayerNorm<float> layer({.dim = 5});
  layer.weight.resize(4);
  expect_error("LayerNorm: weight has 4 elements, expected 5", [&] { y = layer(x); });
  expect_error("LayerNorm: weight has 4 elements, expected 5", [&] { layer.parameters(); });
  layer = tn::LayerNorm<float>({.dim = 5});
  layer.bias_gradient.resize(0);
  expect_error("LayerNorm: bias_gradient has 0 elements, expected 5", [&] { y = layer.forward(x); });
  layer = tn::LayerNorm<float>({.dim = 5, .bias = false});
  layer.bias.resize(5);
  expect_error("LayerNorm: bias has 5 elements, expected 0", [&] { y = layer(x); });
  for (const float value : elements_of(y)) EXPECT_EQ(value, 42);
}

TEST(a_norm_layer, goes_backward_only_where_it_went_forward) {
  using tensor = row_major_tensor<float, 2>;
  const auto x = normal_tensor<tensor>({4, 5}, 530), fewer = normal_tensor<tensor>({3, 5}, 531);
  tn::LayerNorm<float> layer({.dim = 5});
  tensor dx(4, 5);
  dx.setConstant(42);
  const auto expect_refused = [&](const char* text, const auto& call) {
    expect_error(text, call);
    for (const float value : elements_of(dx)) EXPECT_EQ(value, 42);
    for (const float value : gradients_of(layer)) EXPECT_EQ(value, 0);
  };
  expect_refused("LayerNorm: backward of x with 4 rows, but forward kept the statistics of 0",
                 [&] { layer.backward(x, x, tn::grad_x(dx)); });
  tensor y = layer(x);  // inference keeps nothing
  expect_refused("LayerNorm: backward of x with 4 rows, but forward kept the statistics of 0",
                 [&] { layer.backward(x, x, tn::grad_x(dx)); });
  y = layer.forward(fewer);
  expect_refused("LayerNorm: backward of x with 4 rows, but forward kept the statistics of 3",
                 [&] { layer.backward(x, x, tn::grad_x(dx)); });
  y = layer.forward(x);
  expect_refused("LayerNorm: dy has shape 3x5, expected 4x5",
                 [&] { layer.backward(fewer, x, tn::grad_x(dx)); });
}

}  // namespace
}  // namespace tensornorm_test
