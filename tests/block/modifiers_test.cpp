// Modifiers pass through the layer, forward and backward, on both paths.
#include "differences.hpp"
#include "reference.hpp"

namespace tensornorm_test {
namespace {

template <class Block>
struct block_modifiers : testing::Test {
  using layer_type = typename Block::layer;

  /// Forward on both paths against the reference that sees the same, and gradients against differences.
  template <class... Words>
  static void expect(const block_case& c, const attention_policy& policy, const Words&... words) {
    SCOPED_TRACE(testing::Message() << c);
    const block_data<double> data(c);
    tokens<double> y[2];
    for (const std::size_t path : {0u, 1u}) {
      learned<layer_type> layer(c.options(block_paths[path]));
      const auto expected = reference_block(layer, c, data, policy);
      y[path] = forwarded(layer, c, data, words...);
      EXPECT_LE(worst_of_bounds(y[path], expected), 1) << "path " << path;
      EXPECT_GT(worst_of_bounds(y[path], reference_block(layer, c, data)), 1e6) << "nothing was modified";
      EXPECT_TRUE(same_bits(elements_of(inferred(layer, c, data, words...)), elements_of(y[path])));
      if (path == 1) {
        EXPECT_TRUE(paths_agree(y[0], y[1], expected));
      }
    }
    expect_differences<layer_type>(c, words...);
  }

  static constexpr block_case self{4, 2, 0, true, true, turning::halves, false, 7, 2, 6};
  static constexpr block_case longer{4, 2, 6, true, true, turning::none, true, 0, 2, 4, 7};
  static constexpr block_case shorter{3, 1, 0, false, true, turning::interleaved, true, 7, 2, 5, 3};
};
using layers = testing::Types<block_type<double, tn::none_t, tn::none_t>,
                              block_type<double, tn::RmsNorm<double>, tn::LayerNorm<double>>>;
struct layer_names {
  template <class Block>
  static std::string GetName(int i) {
    return i == 0 ? "without_norms" : "with_norms";
  }
};
TYPED_TEST_SUITE(block_modifiers, layers, layer_names);

TYPED_TEST(block_modifiers, causal) {
  for (const block_case& c : {this->self, this->longer, this->shorter}) {
    attention_policy left, right;
    left.keep.push_back([](const score_index& i) { return i.key <= i.query; });
    right.keep.push_back(
        [shift = c.keys() - c.tokens](const score_index& i) { return i.key <= i.query + shift; });
    this->expect(c, left, tn::causal(align::top_left));
    this->expect(c, right, tn::causal(align::bottom_right));
  }
}

TYPED_TEST(block_modifiers, window) {
  attention_policy policy;
  policy.keep.push_back([](const score_index& i) { return i.query - 2 <= i.key && i.key <= i.query + 1; });
  this->expect(this->self, policy, tn::window(2, 1));
  this->expect(this->longer, policy, tn::window(2, 1, align::top_left));
}

TYPED_TEST(block_modifiers, keep_mask_of_all_heads_and_of_each) {
  for (const block_case& c : {this->self, this->longer, this->shorter}) {
    row_major_tensor<bool, 2> all(c.tokens, c.keys());
    row_major_tensor<bool, 4> each(c.batch, c.heads, c.tokens, c.keys());
    attention_policy by_all, by_each;
    by_all.keep.push_back([](const score_index& i) { return (i.query + 2 * i.key) % 3 != 1; });
    by_each.keep.push_back(
        [](const score_index& i) { return (i.query + i.key + i.head + 3 * i.batch) % 4 != 1; });
    for (index_nn q = 0; q < c.tokens; ++q)
      for (index_nn k = 0; k < c.keys(); ++k) {
        all(q, k) = by_all.keep[0]({0, 0, q, k});
        for (index_nn b = 0; b < c.batch; ++b)
          for (index_nn h = 0; h < c.heads; ++h) each(b, h, q, k) = by_each.keep[0]({b, h, q, k});
      }
    this->expect(c, by_all, tn::keep_mask(all));
    this->expect(c, by_each, tn::keep_mask(each));
  }
}

TYPED_TEST(block_modifiers, score_bias_of_each_head) {
  for (const block_case& c : {this->self, this->longer}) {
    const auto bias = normal_tensor<row_major_tensor<double, 3>>({c.heads, c.tokens, c.keys()}, 1221);
    attention_policy policy;
    policy.bias.push_back([&](const score_index& i) { return widen(bias(i.head, i.query, i.key)); });
    this->expect(c, policy, tn::score_bias(bias));
  }
}

TYPED_TEST(block_modifiers, softcap) {
  attention_policy policy;
  policy.softcap = real{1} / 8;
  this->expect(this->self, policy, tn::softcap(0.125));
  this->expect(this->longer, policy, tn::softcap(0.125));
}

TYPED_TEST(block_modifiers, key_lengths) {
  for (const block_case& c : {this->self, this->longer}) {
    Eigen::Tensor<std::int32_t, 1> lengths(2);
    lengths.setValues({3, static_cast<std::int32_t>(c.keys()) - 1});
    attention_policy policy;
    policy.key_lengths = {lengths(0), lengths(1)};
    this->expect(c, policy, tn::key_lengths(lengths));
  }
}

TYPED_TEST(block_modifiers, together_in_any_order) {
  const block_case& c = this->longer;
  const auto bias = normal_tensor<row_major_tensor<double, 2>>({c.tokens, c.keys()}, 1222);
  Eigen::Tensor<std::int32_t, 1> lengths(2);
  lengths.setValues({6, 7});
  attention_policy policy;
  policy.softcap = 1;
  policy.bias.push_back([&](const score_index& i) { return widen(bias(i.query, i.key)); });
  policy.key_lengths = {6, 7};
  policy.keep.push_back([](const score_index& i) { return i.key <= i.query + (i.batch == 0 ? 6 : 7) - 4; });
  this->expect(c, policy, tn::causal(align::bottom_right), tn::key_lengths(lengths), tn::score_bias(bias),
               tn::softcap(1));
  this->expect(c, policy, tn::softcap(1), tn::score_bias(bias), tn::causal(align::bottom_right),
               tn::key_lengths(lengths));
}

TYPED_TEST(block_modifiers, that_hide_all_keys_leave_the_last_projection_alone) {
  using Layer = typename TypeParam::layer;
  for (const block_case& c : {this->self, this->longer})
    for (const auto path : block_paths) {
      Eigen::Tensor<std::int32_t, 1> lengths(2);
      lengths.setValues({0, 2});
      const block_data<double> data(c);
      learned<Layer> layer(c.options(path));
      const auto y = forwarded(layer, c, data, tn::key_lengths(lengths));
      const auto found = backwarded(layer, c, data, tn::key_lengths(lengths));
      if constexpr (std::is_same_v<TypeParam, block_type<double, tn::none_t, tn::none_t>>) {
        for (index_nn t = 0; t < c.tokens; ++t)
          for (index_nn o = 0; o < c.size_of_y(); ++o) EXPECT_EQ(y(0, t, o), layer.out.bias(o));
      }
      for (index_nn t = 0; t < c.tokens; ++t)
        for (index_nn i = 0; i < c.dim(); ++i) EXPECT_EQ(found.x(0, t, i), 0);
      for (const double value : elements_of(y)) EXPECT_FALSE(is_nan(value));
      for (const auto& p : layer.parameters())
        for (index_nn i = 0; i < p.gradient.size(); ++i) EXPECT_FALSE(is_nan(p.gradient(i))) << p.name;
    }
}

}  // namespace
}  // namespace tensornorm_test
