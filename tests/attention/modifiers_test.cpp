// Each modifier alone and all together, against their formulas; in any order of the call, and
// broadcast from any shape.
#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using list = modifier_list<float>;
using tn::align;

/// Sizes at which tiles are whole, cut, single, and at which queries and keys outnumber each other.
std::vector<attention_shape> shapes() {
  std::vector<attention_shape> all;
  for (const std::ptrdiff_t queries : {1, 3, 9, 64, 65, 130})
    for (const std::ptrdiff_t keys : {1, 5, 63, 64, 65, 130, 200, 1030})
      all.push_back(
          {.batch = 2, .heads = 2, .queries = queries, .keys = keys, .dim = 12, .key_heads = 1, .dim_v = 9});
  return all;
}

struct modifiers : testing::Test {
  /// Both paths against the oracle, with the modifiers that make(shape) gives.
  template <class Make>
  static void expect_the_formula(const Make& make) {
    std::uint32_t seed = 311;
    for (const attention_shape& shape : shapes()) {
      const auto in = make_inputs<float>(shape, seed++, 2);
      const list m = make(shape);
      const attention_reference expected = expected_attention(in, m);
      for (const attention_path path : both_paths)
        EXPECT_TRUE(within_bounds(attended(path, in, m), expected)) << name_of(path) << ", " << shape;
    }
  }
};

TEST_F(modifiers, softcap_bends_the_scaled_scores) {
  for (const double cap : {0.5, 2.0, 50.0}) {
    SCOPED_TRACE(testing::Message() << "softcap " << cap);
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.softcap = cap;
      return m;
    });
  }
}

TEST_F(modifiers, causal_hides_the_keys_to_come) {
  for (const align a : {align::top_left, align::bottom_right})
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.causal = a;
      return m;
    });
}

TEST_F(modifiers, window_hides_all_but_the_neighbours) {
  for (const align a : {align::top_left, align::bottom_right})
    for (const auto& [left, right] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 0},
                                      {4, 0},
                                      {0, 3},
                                      {70, 70},
                                      {64, 0},
                                      {tn::unlimited, 0},
                                      {2, tn::unlimited},
                                      {tn::unlimited, tn::unlimited}})
      expect_the_formula([&](const attention_shape&) {
        list m;
        m.window = {left, right, a};
        return m;
      });
}

/// The shapes that a mask or bias of rank 4 may have.
std::vector<std::array<std::ptrdiff_t, 4>> broadcasts(const attention_shape& shape) {
  std::vector<std::array<std::ptrdiff_t, 4>> all;
  for (unsigned kept = 0; kept < 16; ++kept) {
    all.push_back(scores_of(shape));
    for (std::size_t axis = 0; axis < 4; ++axis)
      if (!(kept >> axis & 1)) all.back()[axis] = 1;
  }
  return all;
}

TEST_F(modifiers, keep_mask_keeps_where_it_is_true_and_is_broadcast) {
  std::size_t next = 0;
  for (int round = 0; round < 16; ++round)
    expect_the_formula([&](const attention_shape& shape) {
      normal_source noise(static_cast<std::uint32_t>(312 + next));
      list m;
      m.mask = make_spread<bool>(broadcasts(shape)[next++ % 16],
                                 [&](const score_index&) { return noise() < 0.3; });
      return m;
    });
}

TEST_F(modifiers, score_bias_is_added_and_broadcast) {
  std::size_t next = 0;
  for (int round = 0; round < 16; ++round)
    expect_the_formula([&](const attention_shape& shape) {
      normal_source noise(static_cast<std::uint32_t>(313 + next));
      list m;
      m.bias = make_spread<float>(broadcasts(shape)[next++ % 16],
                                  [&](const score_index&) { return static_cast<float>(noise(0, 2)); });
      return m;
    });
}

TEST_F(modifiers, alibi_takes_away_the_distance_times_the_slope_of_the_head) {
  for (const align a : {align::top_left, align::bottom_right})
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.alibi = {{0.25f, 0.00390625f}, a};
      return m;
    });
}

TEST_F(modifiers, sinks_add_to_the_denominator_alone) {
  for (const float sink : {-30.f, 0.f, 2.5f, 30.f})
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.sinks = {sink, 0.5f - sink};
      return m;
    });
}

TEST_F(modifiers, key_lengths_end_the_keys_of_a_batch_element) {
  for (const std::int32_t cut : {0, 1, 62, 64})
    expect_the_formula([&](const attention_shape& shape) {
      const auto keys = static_cast<std::int32_t>(shape.keys);
      list m;
      m.lengths = {keys, std::max(0, keys - cut)};
      return m;
    });
}

/// All modifiers, none of which hides everything.
list all_together(const attention_shape& shape, std::uint32_t seed) {
  normal_source noise(seed);
  const auto keys = static_cast<std::int32_t>(shape.keys);
  list m;
  m.softcap = 3;
  m.bias = make_spread<float>({1, shape.heads, shape.queries, shape.keys},
                              [&](const score_index&) { return static_cast<float>(noise()); });
  m.alibi = {{0.125f, 0.5f}, align::bottom_right};
  m.causal = align::bottom_right;
  m.window = {200, 3};
  m.mask =
      make_spread<bool>({shape.batch, 1, 1, shape.keys}, [&](const score_index&) { return noise() < 1; });
  m.lengths = {keys - keys / 4, keys};
  m.sinks = {-1.f, 1.f};
  return m;
}

TEST_F(modifiers, compose) {
  std::uint32_t seed = 314;
  expect_the_formula([&](const attention_shape& shape) { return all_together(shape, ++seed); });
}

TEST_F(modifiers, compose_where_bottom_right_is_the_last_key_of_each_length) {
  expect_the_formula([&](const attention_shape& shape) {
    const auto keys = static_cast<std::int32_t>(shape.keys);
    list m = all_together(shape, 315);
    m.lengths = {keys / 2, keys - keys / 3};
    m.window = {1, tn::unlimited};
    return m;
  });
}

using tensor = row_major_tensor<float, 4>;
using plane = row_major_tensor<bool, 4>;

struct modifiers_of_tensors : testing::Test {
  tensor q = normal_tensor<tensor>({2, 4, 67, 8}, 321), k = normal_tensor<tensor>({2, 2, 130, 8}, 322),
         v = normal_tensor<tensor>({2, 2, 130, 5}, 323);
  attention_inputs<float> in{
      {.batch = 2, .heads = 4, .queries = 67, .keys = 130, .dim = 8, .key_heads = 2, .dim_v = 5},
      elements_of(q),
      elements_of(k),
      elements_of(v)};
};

TEST_F(modifiers_of_tensors, give_the_same_bits_in_any_order_of_the_call) {
  const plane mask = (normal_tensor<tensor>({2, 1, 67, 130}, 324) > -1.f).eval();
  const auto bias = normal_tensor<tensor>({1, 4, 67, 130}, 325);
  const auto first = tn::softcap(4.f);
  const auto second = tn::score_bias(bias);
  const auto third = tn::keep_mask(mask);
  const auto fourth = tn::causal(align::bottom_right);
  const tensor o = tn::attention(q, k, v, first, second, third, fourth);
  const tensor unfused = tn::attention_unfused(q, k, v, first, second, third, fourth);
  const tensor backwards = tn::attention(q, k, v, fourth, third, second, first);
  const tensor unfused_backwards = tn::attention_unfused(q, k, v, fourth, third, second, first);
  const tensor mixed = tn::attention(q, k, v, second, fourth, first, third);
  const tensor unfused_mixed = tn::attention_unfused(q, k, v, second, fourth, first, third);
  EXPECT_TRUE(same_bits(elements_of(backwards), elements_of(o)));
  EXPECT_TRUE(same_bits(elements_of(mixed), elements_of(o)));
  EXPECT_TRUE(same_bits(elements_of(unfused_backwards), elements_of(unfused)));
  EXPECT_TRUE(same_bits(elements_of(unfused_mixed), elements_of(unfused)));
  list m;
  m.softcap = 4;
  m.bias = make_spread<float>({1, 4, 67, 130},
                              [&](const score_index& i) { return bias(0, i.head, i.query, i.key); });
  m.mask = make_spread<bool>({2, 1, 67, 130},
                             [&](const score_index& i) { return mask(i.batch, 0, i.query, i.key); });
  m.causal = align::bottom_right;
  const attention_reference expected = expected_attention(in, m);
  EXPECT_TRUE(o_within_bounds(elements_of(o), expected));
  EXPECT_TRUE(o_within_bounds(elements_of(unfused), expected));
}

TEST_F(modifiers_of_tensors, masks_of_lower_rank_align_with_the_last_axes) {
  row_major_tensor<bool, 1> keys(130);
  for (Eigen::Index j = 0; j < 130; ++j) keys(j) = j % 3 != 1;
  row_major_tensor<bool, 2> pairs(67, 130), column(67, 1);
  row_major_tensor<bool, 3> heads(4, 1, 130);
  for (Eigen::Index i = 0; i < 67; ++i) {
    column(i, 0) = i % 5 != 2;
    for (Eigen::Index j = 0; j < 130; ++j) pairs(i, j) = (i + j) % 4 != 0;
  }
  for (Eigen::Index h = 0; h < 4; ++h)
    for (Eigen::Index j = 0; j < 130; ++j) heads(h, 0, j) = j % (h + 2) == 0;
  const auto expect = [&](const auto& mask, const auto& keep) {
    attention_policy policy;
    policy.keep.push_back(keep);
    const attention_reference expected =
        reference_attention(in.shape, widen(in.q), widen(in.k), widen(in.v), policy);
    const tensor o = tn::attention(q, k, v, tn::keep_mask(mask));
    const tensor unfused = tn::attention_unfused(q, k, v, tn::keep_mask(mask));
    EXPECT_TRUE(o_within_bounds(elements_of(o), expected));
    EXPECT_TRUE(o_within_bounds(elements_of(unfused), expected));
  };
  expect(keys, [&](const score_index& at) { return keys(at.key); });
  expect(pairs, [&](const score_index& at) { return pairs(at.query, at.key); });
  expect(column, [&](const score_index& at) { return column(at.query, 0); });
  expect(heads, [&](const score_index& at) { return heads(at.head, 0, at.key); });
}

TEST_F(modifiers_of_tensors, masks_and_biases_may_be_given_several_times) {
  row_major_tensor<bool, 1> odd(130);
  row_major_tensor<bool, 2> pairs(67, 130);
  for (Eigen::Index j = 0; j < 130; ++j) odd(j) = j % 2 == 1;
  for (Eigen::Index i = 0; i < 67; ++i)
    for (Eigen::Index j = 0; j < 130; ++j) pairs(i, j) = (i + j) % 4 != 0;
  attention_policy policy;
  policy.keep.push_back([](const score_index& at) { return at.key % 2 == 1; });
  policy.keep.push_back([](const score_index& at) { return (at.query + at.key) % 4 != 0; });
  const attention_reference expected =
      reference_attention(in.shape, widen(in.q), widen(in.k), widen(in.v), policy);
  const tensor o = tn::attention(q, k, v, tn::keep_mask(odd), tn::keep_mask(pairs));
  const tensor unfused = tn::attention_unfused(q, k, v, tn::keep_mask(odd), tn::keep_mask(pairs));
  EXPECT_TRUE(o_within_bounds(elements_of(o), expected));
  EXPECT_TRUE(o_within_bounds(elements_of(unfused), expected));
}

TEST_F(modifiers_of_tensors, key_lengths_may_be_of_64_bits) {
  Eigen::Tensor<std::int64_t, 1> wide(2);
  Eigen::Tensor<std::int32_t, 1> narrow_lengths(2);
  wide.setValues({129, 17});
  narrow_lengths.setValues({129, 17});
  const tensor o = tn::attention(q, k, v, tn::key_lengths(wide));
  const tensor expected = tn::attention(q, k, v, tn::key_lengths(narrow_lengths));
  EXPECT_TRUE(same_bits(elements_of(o), elements_of(expected)));
}

TEST_F(modifiers_of_tensors, a_bias_may_have_the_scalar_of_q) {
  using T = Eigen::half;
  using half_tensor = row_major_tensor<T, 4>;
  const auto half_q = normal_tensor<half_tensor>({2, 2, 9, 8}, 331),
             half_k = normal_tensor<half_tensor>({2, 2, 70, 8}, 332),
             half_v = normal_tensor<half_tensor>({2, 2, 70, 5}, 333);
  const auto bias = normal_tensor<row_major_tensor<T, 2>>({9, 70}, 334);
  const row_major_tensor<float, 2> wide = bias.cast<float>();
  const half_tensor o = tn::attention(half_q, half_k, half_v, tn::score_bias(bias));
  const half_tensor expected = tn::attention(half_q, half_k, half_v, tn::score_bias(wide));
  const half_tensor unfused = tn::attention_unfused(half_q, half_k, half_v, tn::score_bias(bias));
  const half_tensor unfused_expected = tn::attention_unfused(half_q, half_k, half_v, tn::score_bias(wide));
  EXPECT_TRUE(same_bits(elements_of(o), elements_of(expected)));
  EXPECT_TRUE(same_bits(elements_of(unfused), elements_of(unfused_expected)));
}

}  // namespace
}  // namespace tensornorm_test
