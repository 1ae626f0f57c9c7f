// Parameters: what there is for which options, saved and loaded, packed and apart; options that make no
// layer.
#include "block.hpp"

namespace tensornorm_test {
namespace {

using map = tn::parameter_map<float>;
using normed = tn::Attention<float, tn::RmsNorm<float>, tn::LayerNorm<float>>;

constexpr block_case self{4, 2, 0, true, true, turning::halves, false, 7};

template <class Values>
std::map<std::string, std::vector<float>> numbers_of(const Values& saved) {
  std::map<std::string, std::vector<float>> all;
  for (const auto& entry : saved) all[entry.first] = elements_of(entry.second);
  return all;
}

TEST(parameters_of_a_block, have_the_sizes_of_its_options) {
  using sizes = std::map<std::string, std::size_t>;
  const auto sizes_of = [](const auto& layer) {
    sizes all;
    for (const auto& entry : layer.save()) all[entry.first] = at(entry.second.size());
    return all;
  };
  EXPECT_EQ(sizes_of(tn::Attention<float>({.dim = 16})), (sizes{{"q_weight", 256},
                                                                {"q_bias", 16},
                                                                {"k_weight", 256},
                                                                {"k_bias", 16},
                                                                {"v_weight", 256},
                                                                {"v_bias", 16},
                                                                {"out_weight", 256},
                                                                {"out_bias", 16}}));
  EXPECT_EQ(sizes_of(normed({.dim = 10,
                             .heads = 4,
                             .key_heads = 2,
                             .dim_head = 6,
                             .dim_context = 7,
                             .dim_out = 3,
                             .bias = false,
                             .out_bias = false})),
            (sizes{{"q_weight", 240},
                   {"k_weight", 84},
                   {"v_weight", 84},
                   {"out_weight", 72},
                   {"q_norm_weight", 6},
                   {"k_norm_weight", 6},
                   {"out_norm_weight", 24},
                   {"out_norm_bias", 24}}));
  const normed layer({.dim = 12, .heads = 3});
  EXPECT_EQ(extents_of(layer.q.weight), (extents{12, 12}));
  EXPECT_EQ(layer.options().key_heads, 3);
  EXPECT_EQ(layer.options().dim_head, 4);
  EXPECT_EQ(layer.options().dim_context, 12);
  EXPECT_EQ(layer.options().dim_out, 12);
  EXPECT_EQ(layer.options().rotary_dims, 4);
}

TEST(parameters_of_a_block, are_the_same_for_the_same_seed_and_norms_begin_at_one) {
  const normed a(self.options(), 3), b(self.options(), 3), other(self.options(), 4);
  EXPECT_EQ(numbers_of(a.save()), numbers_of(b.save()));
  EXPECT_NE(numbers_of(a.save())["q_weight"], numbers_of(other.save())["q_weight"]);
  const auto all = numbers_of(a.save());
  for (const char* name : {"q_norm_weight", "k_norm_weight", "out_norm_weight"})
    for (const float value : all.at(name)) EXPECT_EQ(value, 1);
  for (const float value : all.at("out_norm_bias")) EXPECT_EQ(value, 0);
  // No two linear layers begin alike.
  EXPECT_NE(all.at("k_weight"), all.at("v_weight"));
  EXPECT_NE(all.at("q_weight"), all.at("out_weight"));
  EXPECT_NE(all.at("k_bias"), all.at("v_bias"));
}

TEST(parameters_of_a_block, are_seen_by_name_with_their_gradients) {
  learned<normed> layer(self.options());
  const block_data<float> data(self);
  const auto before = inferred(layer, self, data);
  const auto saved = numbers_of(layer.save());
  auto all = layer.parameters();
  ASSERT_EQ(all.size(), saved.size());
  for (auto& p : all) {
    ASSERT_TRUE(saved.contains(p.name)) << p.name;
    ASSERT_EQ(p.value.size(), p.gradient.size()) << p.name;
    EXPECT_EQ(elements_of(p.value), saved.at(p.name)) << p.name;
    const float value = p.value(0);
    p.value(0) += 1;
    if (p.name != "k_bias") {
      EXPECT_FALSE(same_bits(elements_of(inferred(layer, self, data)), elements_of(before))) << p.name;
    }
    p.value(0) = value;
  }
  EXPECT_TRUE(same_bits(elements_of(inferred(layer, self, data)), elements_of(before)));
}

TEST(a_saved_block, loaded_into_another_gives_the_same_bits) {
  const learned<normed> from(self.options(), 3);
  normed to(self.options(), 4);
  const block_data<float> data(self);
  EXPECT_FALSE(same_bits(elements_of(inferred(to, self, data)), elements_of(inferred(from, self, data))));
  to.load(from.save());
  EXPECT_EQ(numbers_of(to.save()), numbers_of(from.save()));
  EXPECT_TRUE(same_bits(elements_of(inferred(to, self, data)), elements_of(inferred(from, self, data))));
}

/// q, k and v of a map, one after another.
map packed(map values, bool with_bias) {
  for (const std::string kind : {"weight", "bias"}) {
    if (kind == "bias" && !with_bias) continue;
    std::vector<float> all;
    for (const std::string part : {"q_", "k_", "v_"}) {
      for (const float value : elements_of(values.at(part + kind))) all.push_back(value);
      values.erase(part + kind);
    }
    values["qkv_" + kind] = tensor_of<Eigen::Tensor<float, 1>>({static_cast<index_nn>(all.size())}, all);
  }
  return values;
}

TEST(a_saved_block, may_have_q_k_and_v_packed) {
  for (const bool bias : {true, false}) {
    auto options = self.options();
    options.bias = bias;
    const learned<normed> from(options, 3);
    normed to(options, 4);
    to.load(packed(from.save(), bias));
    EXPECT_EQ(numbers_of(to.save()), numbers_of(from.save()));
  }
  // The weight packed and the bias apart.
  const learned<normed> from(self.options(), 3);
  normed to(self.options(), 4);
  auto mixed = from.save();
  const auto all = packed(from.save(), true);
  for (const char* name : {"q_weight", "k_weight", "v_weight"}) mixed.erase(name);
  mixed["qkv_weight"] = all.at("qkv_weight");
  to.load(mixed);
  EXPECT_EQ(numbers_of(to.save()), numbers_of(from.save()));
}

/// Loading what change() makes of a saved block is an error, and the block is as it was.
template <class Change>
void expect_not_loaded(const std::string& text, const block_case& c, const Change& change) {
  normed layer(c.options(), 3);
  const learned<normed> other(c.options(), 4);
  auto values = other.save();
  change(values);
  const auto before = numbers_of(layer.save());
  expect_error("Attention: load: " + text, [&] { layer.load(values); });
  EXPECT_EQ(numbers_of(layer.save()), before) << text;
}

TEST(a_saved_block, that_does_not_fit_is_named_and_changes_nothing) {
  for (const char* name : {"q_weight", "out_bias", "k_norm_weight", "out_norm_bias"})
    expect_not_loaded(std::string(name) + " is missing", self, [&](map& m) { m.erase(name); });
  expect_not_loaded("v_bias has 7 elements, expected 8", self, [](map& m) { m["v_bias"].resize(7); });
  expect_not_loaded("out_norm_weight has 17 elements, expected 16", self,
                    [](map& m) { m["out_norm_weight"].resize(17); });
  expect_not_loaded("surplus is no parameter of it", self, [](map& m) { m["surplus"].resize(3); });
  block_case without = self;
  without.bias = false;
  expect_not_loaded("k_bias is no parameter of it", without, [](map& m) { m["k_bias"].resize(8); });
}

TEST(a_saved_block, with_q_k_and_v_packed_that_does_not_fit_is_named_and_changes_nothing) {
  expect_not_loaded("qkv_weight has 511 elements, expected 512", self, [](map& m) {
    m = packed(m, true);
    m["qkv_weight"].resize(511);
  });
  expect_not_loaded("qkv_bias has 33 elements, expected 32", self, [](map& m) {
    m = packed(m, true);
    m["qkv_bias"].resize(33);
  });
  expect_not_loaded("q_bias is missing", self, [](map& m) {
    m = packed(m, true);
    m.erase("qkv_bias");
  });
  block_case without = self, cross = self;
  without.bias = false;
  expect_not_loaded("qkv_bias has 32 elements, expected 0", without, [](map& m) {
    m = packed(m, false);
    m["qkv_bias"].resize(32);
  });
  cross.has_context = true;
  expect_not_loaded("qkv_weight has 368 elements, expected 368 in q, k and v of their own", cross,
                    [](map& m) { m = packed(m, true); });
}

TEST(options_of_a_block, that_make_none_are_named) {
  const auto expect = [](const std::string& text, const tn::attention_options& options) {
    expect_error("Attention: " + text, [&] { tn::Attention<float> layer(options); });
  };
  using tn::rotary_pairs;
  expect("dim is 0, expected at least 1", {});
  expect("dim is -8, expected at least 1", {.dim = -8});
  expect("heads is 0, expected at least 1", {.dim = 8, .heads = 0});
  expect("heads is 5, expected a divisor of dim, 12, or a dim_head", {.dim = 12, .heads = 5});
  expect("heads is 8, expected a divisor of dim, 4, or a dim_head", {.dim = 4});
  expect("key_heads is 3, expected a divisor of the 8 heads", {.dim = 16, .key_heads = 3});
  expect("key_heads is 16, expected a divisor of the 8 heads", {.dim = 16, .key_heads = 16});
  expect("key_heads is -2, expected at least 1", {.dim = 16, .key_heads = -2});
  expect("dim_head is -1, expected at least 1", {.dim = 16, .dim_head = -1});
  expect("dim_context is -3, expected at least 1", {.dim = 16, .dim_context = -3});
  expect("dim_out is -3, expected at least 1", {.dim = 16, .dim_out = -3});
  expect("rotary_dims is 3, expected an even number up to dim_head, 3",
         {.dim = 24, .rotary = rotary_pairs::halves});
  expect("rotary_dims is 6, expected an even number up to dim_head, 4",
         {.dim = 32, .rotary = rotary_pairs::interleaved, .rotary_dims = 6});
  expect("rotary_dims is -2, expected an even number up to dim_head, 4",
         {.dim = 32, .rotary = rotary_pairs::halves, .rotary_dims = -2});
  expect("rotary_base is 0, expected a positive number",
         {.dim = 32, .rotary = rotary_pairs::halves, .rotary_base = 0});
  expect("rotary_base is nan, expected a positive number",
         {.dim = 32, .rotary = rotary_pairs::halves, .rotary_base = std::nan("")});
  EXPECT_NO_THROW(tn::Attention<float>({.dim = 12, .heads = 5, .dim_head = 3}));
}

}  // namespace
}  // namespace tensornorm_test
