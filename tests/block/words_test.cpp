// What only some callers say to the layer: gradients of what modifiers have learned, a context in another
// layout, memory of one's own; and copies, and parameters of other sizes.
#include <type_traits>
#include <vector>

#include "differences.hpp"

namespace tensornorm_test {
namespace {

using layer_type = tn::Attention<double>;
using numbers = Eigen::Tensor<double, 1>;
constexpr block_case self{4, 2, 0, true, true, turning::halves, false, 7, 2, 5};
constexpr block_case cross{2, 2, 6, true, true, turning::none, true, 7, 2, 4, 6};

TEST(a_block, gives_the_gradients_of_a_bias_and_of_sinks) {
  for (const auto path : block_paths) {
    const block_data<double> data(self);
    layer_type layer(self.options(path), 5);
    auto bias = normal_tensor<row_major_tensor<double, 3>>({self.heads, self.tokens, self.tokens}, 1241);
    auto sinks = normal_tensor<numbers>({self.heads}, 1242);
    const auto loss = [&] {
      const auto y = layer(data.x, tn::score_bias(bias), tn::sinks(sinks));
      real sum = 0;
      for (index_nn i = 0; i < y.size(); ++i) sum += widen(y.data()[i]) * widen(data.dy.data()[i]);
      return sum;
    };
    layer.forward(data.x, tn::score_bias(bias), tn::sinks(sinks));
    auto dbias = bias;
    dbias.setConstant(quiet_nan<double>());
    numbers dsinks(self.heads);
    dsinks.setConstant(2);
    const auto dx = layer.backward(data.dy, data.x, tn::score_bias(bias), tn::grad_score_bias(dbias),
                                   tn::sinks(sinks), tn::grad_sinks(dsinks, tn::accumulate));
    for (index_nn i = 0; i < dsinks.size(); ++i) dsinks(i) -= 2;
    expect_slopes("score_bias", elements_of(dbias), slopes_of(bias, loss), 0);
    expect_slopes("sinks", elements_of(dsinks), slopes_of(sinks, loss), 0);
    EXPECT_TRUE(
        same_bits(elements_of(layer.backward(data.dy, data.x, tn::score_bias(bias), tn::sinks(sinks))),
                  elements_of(dx)));
  }
}

TEST(a_block, refuses_gradients_of_modifiers_before_it_adds_any) {
  const block_data<double> data(self);
  layer_type layer(self.options(), 5);
  const auto bias = normal_tensor<row_major_tensor<double, 3>>({self.heads, self.tokens, self.tokens}, 1241);
  layer.forward(data.x, tn::score_bias(bias));
  row_major_tensor<double, 3> other(self.heads, self.tokens, self.tokens + 1);
  EXPECT_THROW(layer.backward(data.dy, data.x, tn::score_bias(bias), tn::grad_score_bias(other)),
               std::invalid_argument);
  EXPECT_THROW(layer.backward(data.dy, data.x, tn::grad_score_bias(other)), std::invalid_argument);
  numbers sinks(self.heads);
  EXPECT_THROW(layer.backward(data.dy, data.x, tn::score_bias(bias), tn::grad_sinks(sinks)),
               std::invalid_argument);
  for (const auto& p : parameter_gradients(layer))
    for (const double value : p.second) ASSERT_EQ(value, 0) << p.first;
}

TEST(a_block, takes_a_context_and_its_gradient_in_either_layout) {
  const block_data<double> data(cross);
  layer_type layer(cross.options(), 5);
  Eigen::Tensor<double, 3> context(data.context.dimensions());
  for (index_nn b = 0; b < context.dimension(0); ++b)
    for (index_nn t = 0; t < context.dimension(1); ++t)
      for (index_nn c = 0; c < context.dimension(2); ++c) context(b, t, c) = data.context(b, t, c);
  forwarded(layer, cross, data);
  const auto expected = backwarded(layer, cross, data);
  EXPECT_TRUE(same_bits(elements_of(layer.forward(data.x, tn::context(context))),
                        elements_of(inferred(layer, cross, data))));
  Eigen::Tensor<double, 3> dcontext(context.dimensions());
  dcontext.setConstant(quiet_nan<double>());
  const auto dx = layer.backward(data.dy, data.x, tn::context(context), tn::grad_context(dcontext));
  EXPECT_TRUE(same_bits(elements_of(dx), elements_of(expected.x)));
  for (index_nn b = 0; b < context.dimension(0); ++b)
    for (index_nn t = 0; t < context.dimension(1); ++t)
      for (index_nn c = 0; c < context.dimension(2); ++c)
        ASSERT_EQ(dcontext(b, t, c), expected.context(b, t, c));
  const auto once = dcontext;
  layer.backward(data.dy, data.x, tn::context(context), tn::grad_context(dcontext, tn::accumulate));
  for (index_nn i = 0; i < once.size(); ++i) ASSERT_EQ(dcontext.data()[i], 2 * once.data()[i]);
}

TEST(a_block, works_in_memory_that_it_is_given) {
  const block_data<double> data(self);
  layer_type layer(self.options(), 5), other(self.options(), 5);
  tn::workspace memory;
  const auto y = layer.forward(data.x, tn::use_workspace(memory));
  const auto held = memory.bytes();
  EXPECT_GT(held, 0u);
  EXPECT_TRUE(same_bits(elements_of(y), elements_of(other.forward(data.x))));
  EXPECT_TRUE(same_bits(elements_of(layer.backward(data.dy, data.x, tn::use_workspace(memory))),
                        elements_of(other.backward(data.dy, data.x))));
  const tn::workspace copy(memory);
  EXPECT_EQ(copy.bytes(), 0u);
  tn::workspace assigned;
  assigned = memory;
  EXPECT_EQ(assigned.bytes(), 0u);
  EXPECT_GE(memory.bytes(), held);
}

TEST(a_block, is_copied_and_moved_with_what_it_has_kept) {
  static_assert(std::is_copy_constructible_v<layer_type> && std::is_move_constructible_v<layer_type> &&
                std::is_copy_assignable_v<layer_type>);
  const block_data<double> data(self);
  std::vector<layer_type> all;
  all.emplace_back(self.options(), 5);
  all[0].forward(data.x);
  layer_type copy = all[0];
  all.emplace_back(self.options(), 6);  // moves the first
  const auto dx = all[0].backward(data.dy, data.x);
  for (const double value : elements_of(copy.q.weight_gradient)) ASSERT_EQ(value, 0);
  EXPECT_TRUE(same_bits(elements_of(copy.backward(data.dy, data.x)), elements_of(dx)));
  all[1] = copy;
  EXPECT_TRUE(same_bits(elements_of(all[1](data.x)), elements_of(copy(data.x))));
}

TEST(a_block, names_a_parameter_of_another_size_and_changes_nothing) {
  const block_data<double> data(self);
  const auto expect = [&](const std::string& text, const auto& change) {
    tn::Attention<double, tn::RmsNorm<double>> layer(self.options(), 5);
    layer.forward(data.x);
    change(layer);
    expect_error(text, [&] { layer(data.x); });
    expect_error(text, [&] { layer.forward(data.x); });
    expect_error(text, [&] { layer.backward(data.dy, data.x); });
    for (const double value : elements_of(layer.v.weight_gradient)) ASSERT_EQ(value, 0);
  };
  expect("Attention: q_weight has shape 16x15, expected 16x16", [](auto& l) { l.q.weight.resize(16, 15); });
  expect("Attention: k_bias has shape 3, expected 8", [](auto& l) { l.k.bias.resize(3); });
  expect("Attention: out_weight gradient has shape 7x3, expected 7x16",
         [](auto& l) { l.out.weight_gradient.resize(7, 3); });
  expect("Attention: out_bias gradient has shape 0, expected 7",
         [](auto& l) { l.out.bias_gradient.resize(0); });
  expect("RmsNorm: weight has 5 elements, expected 4", [](auto& l) { l.k_norm.weight.resize(5); });
}

TEST(a_block, names_modifiers_that_do_not_fit_as_its_own) {
  const block_data<double> data(self);
  layer_type layer(self.options(), 5);
  layer.forward(data.x);
  const std::string text = "Attention: softcap is -1, expected a positive number";
  expect_error(text, [&] { layer(data.x, tn::softcap(-1)); });
  expect_error(text, [&] { layer.forward(data.x, tn::softcap(-1)); });
  expect_error(text, [&] { layer.backward(data.dy, data.x, tn::softcap(-1)); });
}

TEST(a_saved_block, with_q_k_and_v_both_packed_and_apart_is_refused) {
  layer_type layer(self.options(), 5);
  auto values = layer.save();
  values["qkv_weight"] = numbers(512);
  expect_error("Attention: load: q_weight stands beside qkv_weight: give one of them",
               [&] { layer.load(values); });
}

}  // namespace
}  // namespace tensornorm_test
