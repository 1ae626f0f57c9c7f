// Gradients of parameters add up until they are zeroed; of the context they are written or added; requests
// that do not fit are errors that change nothing.
#include "block.hpp"

namespace tensornorm_test {
namespace {

template <class Block>
struct block_gradient_rules : testing::Test {};
using layers = testing::Types<block_type<double, tn::none_t, tn::none_t>,
                              block_type<float, tn::LayerNorm<float>, tn::RmsNorm<float>>,
                              block_type<Eigen::bfloat16, tn::RmsNorm<Eigen::bfloat16, float>,
                                         tn::LayerNorm<Eigen::bfloat16, float>, float>>;
TYPED_TEST_SUITE(block_gradient_rules, layers);

constexpr block_case self{4, 2, 0, true, true, turning::halves, false, 7};
constexpr block_case cross{2, 2, 6, true, true, turning::interleaved, true, 0};

TYPED_TEST(block_gradient_rules, gradients_of_parameters_add_up_until_they_are_zeroed) {
  using T = typename TypeParam::scalar;
  for (const block_case& c : {self, cross}) {
    SCOPED_TRACE(testing::Message() << c);
    const block_data<T> data(c);
    learned<typename TypeParam::layer> layer(c.options());
    for (const auto& p : parameter_gradients(layer))
      for (const auto value : p.second) ASSERT_EQ(widen(value), 0) << p.first << " before anything";
    forwarded(layer, c, data);
    backwarded(layer, c, data);
    const auto once = parameter_gradients(layer);
    backwarded(layer, c, data);
    const auto twice = parameter_gradients(layer);
    for (std::size_t p = 0; p < once.size(); ++p) {
      real peak = 0;
      for (std::size_t i = 0; i < once[p].second.size(); ++i) {
        using P = std::remove_cvref_t<decltype(once[p].second[i])>;
        const real value = widen(once[p].second[i]);
        peak = std::max(peak, std::abs(value));
        EXPECT_LE(std::abs(widen(twice[p].second[i]) - 2 * value), 2 * epsilon<P>() * std::abs(2 * value))
            << once[p].first << " " << i;
      }
      EXPECT_GT(peak, 0) << once[p].first;
    }
    layer.zero_gradients();
    for (const auto& p : parameter_gradients(layer))
      for (const auto value : p.second) ASSERT_EQ(widen(value), 0) << p.first;
    backwarded(layer, c, data);
    const auto again = parameter_gradients(layer);
    for (std::size_t p = 0; p < once.size(); ++p)
      EXPECT_TRUE(same_bits(again[p].second, once[p].second)) << once[p].first;
  }
}

TYPED_TEST(block_gradient_rules, backward_goes_with_the_last_forward_and_leaves_parameters_alone) {
  using T = typename TypeParam::scalar;
  const block_data<T> data(self), other(self, 1231);
  learned<typename TypeParam::layer> layer(self.options()), fresh(self.options());
  const auto values = [](auto& of) {
    std::vector<T> all;
    for (const auto& entry : of.save())
      for (const auto value : elements_of(entry.second)) all.push_back(static_cast<T>(value));
    return all;
  };
  const auto before = values(layer);
  forwarded(layer, self, other);
  forwarded(layer, self, data);
  inferred(layer, self, other);
  forwarded(fresh, self, data);
  EXPECT_TRUE(
      same_bits(elements_of(backwarded(layer, self, data).x), elements_of(backwarded(fresh, self, data).x)));
  EXPECT_TRUE(same_bits(values(layer), before));
}

TYPED_TEST(block_gradient_rules, the_gradient_of_the_context_is_written_or_added_or_not_asked_for) {
  using T = typename TypeParam::scalar;
  const block_data<T> data(cross);
  learned<typename TypeParam::layer> layer(cross.options());
  forwarded(layer, cross, data);
  const auto written = backwarded(layer, cross, data);
  const auto gradients = parameter_gradients(layer);
  const tokens<T> before = normal_tensor<tokens<T>>({cross.batch, cross.keys(), 7}, 1232, 3);
  tokens<T> sum = before;
  layer.backward(data.dy, data.x, tn::context(data.context), tn::grad_context(sum, tn::accumulate));
  for (index_nn i = 0; i < sum.size(); ++i) {
    const real expected = widen(before.data()[i]) + widen(written.context.data()[i]);
    EXPECT_LE(std::abs(widen(sum.data()[i]) - expected),
              ulp<T>(expected) + ulp<T>(widen(written.context.data()[i])))
        << i;
  }
  layer.zero_gradients();
  const auto dx = layer.backward(data.dy, data.x, tn::context(data.context));
  EXPECT_TRUE(same_bits(elements_of(dx), elements_of(written.x)));
  const auto without = parameter_gradients(layer);
  for (std::size_t p = 0; p < gradients.size(); ++p)
    EXPECT_TRUE(same_bits(without[p].second, gradients[p].second)) << gradients[p].first;
}

/// A layer that has gone forward, and whose gradients must stay.
struct refused_backward : testing::Test {
  block_data<float> of_self{self}, of_cross{cross};
  learned<tn::Attention<float, tn::RmsNorm<float>, tn::LayerNorm<float>>> alone{self.options()},
      crossing{cross.options()};

  refused_backward() {
    forwarded(alone, self, of_self);
    forwarded(crossing, cross, of_cross);
  }
  template <class Call>
  void expect(const std::string& text, const Call& call) {
    expect_error(text, call);
    expect_nothing_changed();
  }
  void expect_nothing_changed() {
    for (auto* layer : {&alone, &crossing})
      for (const auto& p : parameter_gradients(*layer))
        for (const float value : p.second) ASSERT_EQ(value, 0) << p.first;
  }
};

TEST_F(refused_backward, of_x_dy_or_a_context_of_other_sizes) {
  const auto tensor = [](index_nn a, index_nn b, index_nn c) {
    return normal_tensor<tokens<float>>({a, b, c}, 1233);
  };
  expect("Attention: x has shape 2x4x16, expected 2x3x16",
         [&] { alone.backward(of_self.dy, tensor(2, 4, 16)); });
  expect("Attention: x has shape 1x3x16, expected 2x3x16",
         [&] { alone.backward(of_self.dy, tensor(1, 3, 16)); });
  expect("Attention: dy has shape 2x3x16, expected 2x3x7",
         [&] { alone.backward(tensor(2, 3, 16), of_self.x); });
  expect("Attention: dy has shape 2x2x7, expected 2x3x7",
         [&] { alone.backward(tensor(2, 2, 7), of_self.x); });
  const auto shorter = tensor(2, 4, 7);
  expect("Attention: context has shape 2x4x7, expected 2x5x7",
         [&] { crossing.backward(of_cross.dy, of_cross.x, tn::context(shorter)); });
}

TEST_F(refused_backward, before_any_forward) {
  learned<tn::Attention<float>> fresh(self.options());
  expect_error("Attention: x has shape 2x3x16, expected 0x0x16",
               [&] { fresh.backward(of_self.dy, of_self.x); });
  fresh(of_self.x);  // inference keeps nothing
  expect_error("Attention: x has shape 2x3x16, expected 0x0x16",
               [&] { fresh.backward(of_self.dy, of_self.x); });
}

TEST_F(refused_backward, into_a_gradient_of_the_context_of_another_size) {
  tokens<float> dcontext(2, 5, 6);
  dcontext.setConstant(42);
  expect("Attention: the gradient of the context has shape 2x5x6, expected 2x5x7", [&] {
    crossing.backward(of_cross.dy, of_cross.x, tn::context(of_cross.context), tn::grad_context(dcontext));
  });
  for (const float value : elements_of(dcontext)) EXPECT_EQ(value, 42);
}

TEST_F(refused_backward, with_a_modifier_that_does_not_fit) {
  row_major_tensor<bool, 2> mask(3, 4);
  mask.setConstant(true);
  EXPECT_THROW(alone.backward(of_self.dy, of_self.x, tn::keep_mask(mask)), std::invalid_argument);
  expect_nothing_changed();
}

TEST(a_refused_forward, of_x_or_a_context_of_other_sizes_says_so) {
  const auto tensor = [](index_nn a, index_nn b, index_nn c) {
    return normal_tensor<tokens<float>>({a, b, c}, 1234);
  };
  learned<tn::Attention<float>> alone(self.options()), crossing(cross.options());
  expect_error("Attention: x has shape 2x3x15, expected 2x3x16", [&] { alone(tensor(2, 3, 15)); });
  expect_error("Attention: x has shape 2x3x15, expected 2x3x16", [&] { alone.forward(tensor(2, 3, 15)); });
  const auto x = tensor(2, 3, 5), narrow_context = tensor(2, 3, 6), fewer = tensor(1, 3, 7);
  expect_error("Attention: context has shape 2x3x6, expected 2x3x7",
               [&] { crossing(x, tn::context(narrow_context)); });
  expect_error("Attention: context has shape 1x3x7, expected 2x3x7",
               [&] { crossing(x, tn::context(fewer)); });
  expect_error("Attention: context has shape 2x3x5, expected 2x3x7", [&] { crossing(x); });
}

TEST(a_refused_forward, leaves_what_the_last_one_kept) {
  const block_data<double> data(self);
  learned<tn::Attention<double>> layer(self.options()), fresh(self.options());
  forwarded(layer, self, data);
  forwarded(fresh, self, data);
  row_major_tensor<bool, 2> mask(3, 4);
  mask.setConstant(true);
  const block_data<double> other(self, 1235);
  EXPECT_THROW(layer.forward(other.x, tn::keep_mask(mask)), std::invalid_argument);
  EXPECT_TRUE(
      same_bits(elements_of(backwarded(layer, self, data).x), elements_of(backwarded(fresh, self, data).x)));
}

}  // namespace
}  // namespace tensornorm_test
