// Gradients under each modifier alone and under all together, against their formulas; those of a bias are
// summed over the axes in which it is broadcast.
#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using list = modifier_list<float>;
using tn::align;

/// Sizes at which tiles are whole, cut, single, and at which queries and keys outnumber each other.
std::vector<attention_shape> shapes() {
  std::vector<attention_shape> all;
  for (const std::ptrdiff_t queries : {1, 9, 64, 65, 130})
    for (const std::ptrdiff_t keys : {1, 5, 63, 65, 130})
      all.push_back(
          {.batch = 2, .heads = 2, .queries = queries, .keys = keys, .dim = 12, .key_heads = 1, .dim_v = 9});
  return all;
}

struct backward_modifiers : testing::Test {
  /// Both paths against the oracle, with the modifiers that make(shape) gives.
  template <class Make>
  static void expect_the_formula(const Make& make) {
    std::uint32_t seed = 811;
    for (const attention_shape& shape : shapes()) {
      const list m = make(shape);
      const auto in = make_backward_inputs<float>(shape, seed++, m, 2);
      const attention_backward_reference expected = expected_gradients(in, m);
      for (const attention_path path : both_paths)
        EXPECT_TRUE(within_bounds(differentiated(path, in, m), expected))
            << name_of_backward(path) << ", " << shape;
    }
  }
};

TEST_F(backward_modifiers, softcap_flattens_the_gradient_of_the_scaled_scores) {
  for (const double cap : {0.5, 2.0, 50.0}) {
    SCOPED_TRACE(testing::Message() << "softcap " << cap);
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.softcap = cap;
      return m;
    });
  }
}

TEST_F(backward_modifiers, causal_hides_the_keys_to_come) {
  for (const align a : {align::top_left, align::bottom_right})
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.causal = a;
      return m;
    });
}

TEST_F(backward_modifiers, window_hides_all_but_the_neighbours) {
  for (const align a : {align::top_left, align::bottom_right})
    for (const auto& [left, right] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 0},
                                      {4, 0},
                                      {0, 3},
                                      {70, 70},
                                      {tn::unlimited, 0},
                                      {2, tn::unlimited},
                                      {tn::unlimited, tn::unlimited}})
      expect_the_formula([window = window_sizes{left, right, a}](const attention_shape&) {
        list m;
        m.window = window;
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

TEST_F(backward_modifiers, keep_mask_keeps_where_it_is_true_and_is_broadcast) {
  for (std::size_t which = 0; which < 16; ++which)
    expect_the_formula([&](const attention_shape& shape) {
      normal_source noise(static_cast<std::uint32_t>(812 + which));
      list m;
      m.mask = make_spread<bool>(broadcasts(shape)[which], [&](const score_index&) { return noise() < 0.3; });
      return m;
    });
}

TEST_F(backward_modifiers, score_bias_has_a_gradient_that_is_summed_where_it_is_broadcast) {
  for (std::size_t which = 0; which < 16; ++which)
    expect_the_formula([&](const attention_shape& shape) {
      normal_source noise(static_cast<std::uint32_t>(813 + which));
      list m;
      m.bias = make_spread<float>(broadcasts(shape)[which],
                                  [&](const score_index&) { return static_cast<float>(noise(0, 2)); });
      return m;
    });
}

TEST_F(backward_modifiers, score_bias_of_minus_infinity_has_a_gradient_of_zero) {
  for (const attention_shape& shape : shapes()) {
    list m;
    m.bias = make_spread<float>({1, 1, shape.queries, shape.keys}, [](const score_index& at) {
      return (at.query + at.key) % 3 == 0 ? -std::numeric_limits<float>::infinity() : 0.25f;
    });
    const auto in = make_backward_inputs<float>(shape, 814, m);
    const attention_backward_reference expected = expected_gradients(in, m);
    for (const attention_path path : both_paths) {
      const auto result = differentiated(path, in, m);
      EXPECT_TRUE(within_bounds(result, expected)) << name_of_backward(path) << ", " << shape;
      for (std::size_t i = 0; i < result.bias.size(); ++i)
        if (std::isinf(m.bias->data[static_cast<std::ptrdiff_t>(i)])) {
          ASSERT_EQ(result.bias[i], 0) << name_of_backward(path) << ", " << shape << ", element " << i;
        }
    }
  }
}

TEST_F(backward_modifiers, alibi_takes_away_the_distance_times_the_slope_of_the_head) {
  for (const align a : {align::top_left, align::bottom_right})
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.alibi = {{0.25f, 0.00390625f}, a};
      return m;
    });
}

TEST_F(backward_modifiers, sinks_take_part_in_the_softmax_and_have_a_gradient) {
  for (const float sink : {-30.f, 0.f, 2.5f, 30.f, -std::numeric_limits<float>::infinity()})
    expect_the_formula([&](const attention_shape&) {
      list m;
      m.sinks = {sink, 0.5f};
      return m;
    });
}

TEST_F(backward_modifiers, key_lengths_end_the_keys_of_a_batch_element) {
  for (const std::int32_t cut : {0, 1, 62, 64})
    expect_the_formula([&](const attention_shape& shape) {
      const auto keys = static_cast<std::int32_t>(shape.keys);
      list m;
      m.lengths = {keys, std::max(0, keys - cut)};
      return m;
    });
}

/// All modifiers.
list all_together(const attention_shape& shape, std::uint32_t seed,
                  const std::array<std::ptrdiff_t, 4>& bias) {
  normal_source noise(seed);
  const auto keys = static_cast<std::int32_t>(shape.keys);
  list m;
  m.softcap = 3;
  m.bias = make_spread<float>(bias, [&](const score_index&) { return static_cast<float>(noise()); });
  m.alibi = {{0.125f, 0.5f}, align::bottom_right};
  m.causal = align::bottom_right;
  m.window = {200, 3};
  m.mask =
      make_spread<bool>({shape.batch, 1, 1, shape.keys}, [&](const score_index&) { return noise() < 1; });
  m.lengths = {keys - keys / 4, keys};
  m.sinks = {-1.f, 1.f};
  return m;
}

TEST_F(backward_modifiers, compose) {
  for (std::size_t which = 0; which < 16; ++which)
    expect_the_formula([&](const attention_shape& shape) {
      return all_together(shape, static_cast<std::uint32_t>(815 + which), broadcasts(shape)[which]);
    });
}

TEST_F(backward_modifiers, compose_where_bottom_right_is_the_last_key_of_each_length) {
  expect_the_formula([&](const attention_shape& shape) {
    const auto keys = static_cast<std::int32_t>(shape.keys);
    list m = all_together(shape, 835, scores_of(shape));
    m.lengths = {keys / 2, keys - keys / 3};
    m.window = {1, tn::unlimited};
    return m;
  });
}

TEST(backward_modifiers_of_tensors, give_the_same_bits_in_any_order_of_the_call) {
  using tensor = row_major_tensor<float, 4>;
  const auto q = normal_tensor<tensor>({2, 4, 67, 8}, 821), k = normal_tensor<tensor>({2, 2, 70, 8}, 822),
             v = normal_tensor<tensor>({2, 2, 70, 5}, 823), dout = normal_tensor<tensor>({2, 4, 67, 5}, 824);
  const row_major_tensor<bool, 4> mask = normal_tensor<tensor>({2, 1, 67, 70}, 825) > -1.f;
  const auto bias = normal_tensor<row_major_tensor<float, 3>>({4, 67, 70}, 826);
  Eigen::Tensor<float, 1> sinks(4);
  sinks.setConstant(0.5f);
  row_major_tensor<float, 3> lse;
  const tensor o = tn::attention(q, k, v, tn::softcap(4), tn::score_bias(bias), tn::keep_mask(mask),
                                 tn::causal(align::bottom_right), tn::sinks(sinks), tn::save_lse(lse));
  const auto expect_any_order = [&](const auto& backward) {
    tensor dq(2, 4, 67, 8), dk(2, 2, 70, 8), dv(2, 2, 70, 5);
    row_major_tensor<float, 3> dbias(4, 67, 70);
    Eigen::Tensor<float, 1> dsinks(4);
    const auto hash = [&] {
      bit_hash all;
      all.add(elements_of(dq));
      all.add(elements_of(dk));
      all.add(elements_of(dv));
      all.add(elements_of(dbias));
      all.add(elements_of(dsinks));
      return all.value();
    };
    backward(tn::softcap(4), tn::score_bias(bias), tn::keep_mask(mask), tn::causal(align::bottom_right),
             tn::sinks(sinks), tn::grad_q(dq), tn::grad_k(dk), tn::grad_v(dv), tn::grad_score_bias(dbias),
             tn::grad_sinks(dsinks));
    const auto expected = hash();
    dq.setConstant(quiet_nan<float>());
    dbias.setConstant(quiet_nan<float>());
    backward(tn::grad_sinks(dsinks), tn::sinks(sinks), tn::grad_score_bias(dbias), tn::grad_v(dv),
             tn::causal(align::bottom_right), tn::grad_k(dk), tn::keep_mask(mask), tn::grad_q(dq),
             tn::score_bias(bias), tn::softcap(4));
    EXPECT_EQ(hash(), expected);
  };
  expect_any_order([&](const auto&... more) { tn::attention_backward(dout, q, k, v, o, lse, more...); });
  expect_any_order(
      [&](const auto&... more) { tn::attention_unfused_backward(dout, q, k, v, o, lse, more...); });
}

}  // namespace
}  // namespace tensornorm_test
