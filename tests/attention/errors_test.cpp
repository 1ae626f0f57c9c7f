// Every size that can disagree: an error that names both, before anything is written, in Release too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using testing::StrEq;
using testing::ThrowsMessage;
using tensor = row_major_tensor<float, 4>;
using line = Eigen::Tensor<float, 1>;
using tn::align;

struct attention_errors : testing::Test {
  tensor q = normal_tensor<tensor>({2, 4, 5, 8}, 431), k = normal_tensor<tensor>({2, 2, 7, 8}, 432),
         v = normal_tensor<tensor>({2, 2, 7, 3}, 433);
  tensor o{2, 4, 5, 3};
  row_major_tensor<float, 3> lse{1, 1, 1};

  attention_errors() {
    o.setConstant(42);
    lse.setConstant(42);
  }

  /// Neither o nor lse was touched.
  void expect_untouched() const {
    for (const float value : elements_of(o)) ASSERT_EQ(value, 42);
    EXPECT_EQ(extents_of(o), (extents{2, 4, 5, 3}));
    EXPECT_EQ(extents_of(lse), (extents{1, 1, 1}));
    EXPECT_EQ(lse(0, 0, 0), 42);
  }

  /// Both functions throw this text after their name, as soon as they are called: what is never assigned
  /// needs no kernel, of which there would be one for each set of modifiers.
  template <class Q, class K, class V, class... Modifiers>
  void expect(const std::string& text, const Q& q_given, const K& k_given, const V& v_given,
              const Modifiers&... modifiers) {
    EXPECT_THAT(
        [&] { static_cast<void>(tn::attention(q_given, k_given, v_given, modifiers..., tn::save_lse(lse))); },
        ThrowsMessage<std::invalid_argument>(StrEq("attention: " + text)));
    EXPECT_THAT(
        [&] {
          static_cast<void>(
              tn::attention_unfused(q_given, k_given, v_given, modifiers..., tn::save_lse(lse)));
        },
        ThrowsMessage<std::invalid_argument>(StrEq("attention_unfused: " + text)));
    expect_untouched();
  }
  template <class... Modifiers>
  void expect_of(const std::string& text, const Modifiers&... modifiers) {
    expect(text, q, k, v, modifiers...);
  }

  static tensor zeros(Eigen::Index a, Eigen::Index b, Eigen::Index c, Eigen::Index d) {
    return tensor(a, b, c, d).setZero();
  }
  static line ones(Eigen::Index count) { return line(count).setConstant(1); }
};

TEST_F(attention_errors, k_of_another_head_size_than_q) {
  expect("k has head size 9, expected 8, that of q (q 2x4x5x8, k 2x2x7x9, v 2x2x7x3)", q, zeros(2, 2, 7, 9),
         v);
  expect("k has head size 7, expected 8, that of q (q 2x4x5x8, k 2x2x7x7, v 2x2x7x3)", q, zeros(2, 2, 7, 7),
         v);
}

TEST_F(attention_errors, k_or_v_of_another_batch) {
  expect("k has batch size 3, expected 2, that of q (q 2x4x5x8, k 3x2x7x8, v 3x2x7x3)", q, zeros(3, 2, 7, 8),
         zeros(3, 2, 7, 3));
  expect("k has batch size 1, expected 2, that of q (q 2x4x5x8, k 1x2x7x8, v 1x2x7x3)", q, zeros(1, 2, 7, 8),
         zeros(1, 2, 7, 3));
  expect("v has batch size 3, expected 2, that of q (q 2x4x5x8, k 2x2x7x8, v 3x2x7x3)", q, k,
         zeros(3, 2, 7, 3));
}

TEST_F(attention_errors, v_of_another_number_of_heads_or_tokens_than_k) {
  expect("v has heads 4, expected 2, those of k (q 2x4x5x8, k 2x2x7x8, v 2x4x7x3)", q, k, zeros(2, 4, 7, 3));
  expect("v has heads 1, expected 2, those of k (q 2x4x5x8, k 2x2x7x8, v 2x1x7x3)", q, k, zeros(2, 1, 7, 3));
  expect("v has tokens 8, expected 7, those of k (q 2x4x5x8, k 2x2x7x8, v 2x2x8x3)", q, k, zeros(2, 2, 8, 3));
  expect("v has tokens 6, expected 7, those of k (q 2x4x5x8, k 2x2x7x8, v 2x2x6x3)", q, k, zeros(2, 2, 6, 3));
  expect("v has tokens 0, expected 7, those of k (q 2x4x5x8, k 2x2x7x8, v 2x2x0x3)", q, k, zeros(2, 2, 0, 3));
}

TEST_F(attention_errors, key_heads_that_do_not_divide_the_query_heads) {
  expect("k has heads 3, expected a divisor of 4, those of q (q 2x4x5x8, k 2x3x7x8, v 2x3x7x3)", q,
         zeros(2, 3, 7, 8), zeros(2, 3, 7, 3));
  expect("k has heads 8, expected a divisor of 4, those of q (q 2x4x5x8, k 2x8x7x8, v 2x8x7x3)", q,
         zeros(2, 8, 7, 8), zeros(2, 8, 7, 3));
  expect("k has heads 0, expected a divisor of 4, those of q (q 2x4x5x8, k 2x0x7x8, v 2x0x7x3)", q,
         zeros(2, 0, 7, 8), zeros(2, 0, 7, 3));
}

TEST_F(attention_errors, tensors_of_heads_and_of_tokens_that_disagree) {
  row_major_tensor<float, 3> q3(4, 5, 8), k3(3, 7, 8), v3(3, 7, 3), o3(4, 5, 3);
  o3.setConstant(42);
  EXPECT_THAT(
      [&] { o3 = tn::attention(q3, k3, v3); },
      ThrowsMessage<std::invalid_argument>(StrEq(
          "attention: k has heads 3, expected a divisor of 4, those of q (q 4x5x8, k 3x7x8, v 3x7x3)")));
  for (const float value : elements_of(o3)) EXPECT_EQ(value, 42);
  Eigen::MatrixXf qm(5, 8), km(7, 9), vm(7, 3), om = Eigen::MatrixXf::Constant(5, 3, 42);
  EXPECT_THAT([&] { om.noalias() = tn::attention(qm, km, vm); },
              ThrowsMessage<std::invalid_argument>(
                  StrEq("attention: k has head size 9, expected 8, that of q (q 5x8, k 7x9, v 7x3)")));
  EXPECT_TRUE((om.array() == 42).all());
}

TEST_F(attention_errors, tokens_that_are_not_first) {
  // 2 x 4 x 5 x 8 read as batch x tokens x heads x dim has 5 heads, k has 7.
  expect("k has heads 7, expected a divisor of 5, those of q (q 2x4x5x8, k 2x2x7x8, v 2x2x7x3)", q, k, v,
         tn::tokens_first);
}

TEST_F(attention_errors, masks_and_biases_that_are_not_broadcast_to_the_scores) {
  const std::string expected =
      ", expected 2x4x5x7 (batch, heads, queries, keys) or 1 in place of any of these";
  for (const auto& size : std::vector<std::array<Eigen::Index, 4>>{{3, 4, 5, 7},
                                                                   {2, 2, 5, 7},
                                                                   {2, 4, 7, 5},
                                                                   {2, 4, 5, 6},
                                                                   {2, 4, 5, 8},
                                                                   {1, 1, 1, 0},
                                                                   {0, 1, 1, 1}}) {
    row_major_tensor<bool, 4> mask(size);
    mask.setConstant(true);
    tensor bias(size);
    bias.setZero();
    const std::string given = std::to_string(size[0]) + "x" + std::to_string(size[1]) + "x" +
                              std::to_string(size[2]) + "x" + std::to_string(size[3]);
    expect_of("keep_mask has shape " + given + expected, tn::keep_mask(mask));
    expect_of("score_bias has shape " + given + expected, tn::score_bias(bias));
  }
  row_major_tensor<bool, 2> pairs(7, 5);
  pairs.setConstant(true);
  expect_of("keep_mask has shape 7x5" + expected, tn::keep_mask(pairs));
  expect_of("score_bias has shape 5" + expected, tn::score_bias(ones(5)));
}

TEST_F(attention_errors, slopes_and_sinks_that_are_not_one_for_each_query_head) {
  for (const Eigen::Index count : {0, 2, 3, 5}) {
    const std::string rest = " has shape " + std::to_string(count) + ", expected 4, one for each query head";
    expect_of("alibi" + rest, tn::alibi(ones(count)));
    expect_of("sinks" + rest, tn::sinks(ones(count)));
  }
}

TEST_F(attention_errors, key_lengths_that_are_not_one_for_each_batch_element) {
  Eigen::Tensor<std::int32_t, 1> lengths(3);
  lengths.setConstant(1);
  expect_of("key_lengths has shape 3, expected 2, one for each batch element", tn::key_lengths(lengths));
  lengths.resize(1);
  lengths.setConstant(1);
  expect_of("key_lengths has shape 1, expected 2, one for each batch element", tn::key_lengths(lengths));
}

TEST_F(attention_errors, key_lengths_below_zero_or_past_the_keys) {
  Eigen::Tensor<std::int64_t, 1> lengths(2);
  lengths.setValues({7, 8});
  expect_of("key_lengths[1] is 8, expected 0 to 7", tn::key_lengths(lengths));
  lengths.setValues({-1, 7});
  expect_of("key_lengths[0] is -1, expected 0 to 7", tn::key_lengths(lengths));
}

TEST_F(attention_errors, a_softcap_that_is_not_positive_and_finite) {
  expect_of("softcap is 0, expected a positive number", tn::softcap(0.f));
  expect_of("softcap is -1, expected a positive number", tn::softcap(-1.f));
  expect_of("softcap is nan, expected a positive number",
            tn::softcap(std::numeric_limits<float>::quiet_NaN()));
}

TEST_F(attention_errors, a_window_below_zero_that_is_not_unlimited) {
  expect_of("window reaches -2 to the left, expected 0 or more, or unlimited", tn::window(-2, 0));
  expect_of("window reaches -3 to the right, expected 0 or more, or unlimited", tn::window(0, -3));
}

TEST_F(attention_errors, sizes_whose_product_overflows) {
  const Eigen::Index many = Eigen::Index(1) << 31;
  const Eigen::TensorMap<const tensor> vast(q.data(), many, many, 1, 8), keys(k.data(), many, many, 1, 8);
  EXPECT_THAT([&] { static_cast<void>(tn::attention(vast, keys, keys)); },
              ThrowsMessage<std::invalid_argument>(StrEq(
                  "attention: q has more elements than memory can address, 2147483648x2147483648x1x8")));
}

TEST_F(attention_errors, q_resized_between_the_call_and_its_evaluation) {
  const auto expression = tn::attention(q, k, v);
  q.resize(2, 4, 3, 8);
  EXPECT_THAT([&] { o = expression; },
              ThrowsMessage<std::invalid_argument>(StrEq("attention: q was resized after the call")));
  expect_untouched();
}

/// A buffer in which maps can be laid over one another.
struct attention_overlaps : attention_errors {
  std::vector<float> buffer = std::vector<float>(2000, 42.f);

  /// 2 x 2 x 5 x 4: 80 elements.
  Eigen::TensorMap<tensor> map(std::size_t offset) { return {buffer.data() + offset, 2, 2, 5, 4}; }

  template <class Call>
  void expect_overlap(const char* text, const Call& call) {
    EXPECT_THAT(call, ThrowsMessage<std::invalid_argument>(StrEq(text)));
    for (const float value : buffer) ASSERT_EQ(value, 42);
  }
};

TEST_F(attention_overlaps, of_o_and_q_in_part) {
  for (const std::size_t offset : {1u, 20u, 79u}) {
    expect_overlap("attention: o overlaps q in part; they may be the same memory or apart",
                   [&] { map(offset) = tn::attention(map(0), map(200), map(300)); });
    expect_overlap("attention: o overlaps q in part; they may be the same memory or apart",
                   [&] { map(0) = tn::attention(map(offset), map(200), map(300)); });
    expect_overlap("attention_unfused: o overlaps q in part; they may be the same memory or apart",
                   [&] { map(0) = tn::attention_unfused(map(offset), map(200), map(300)); });
  }
  // Beside each other, and in place.
  map(80) = tn::attention(map(0), map(200), map(300));
  map(0) = tn::attention(map(0), map(200), map(300));
}

TEST_F(attention_overlaps, of_o_and_k_or_v) {
  for (const std::size_t offset : {0u, 1u, 79u}) {
    expect_overlap("attention: o overlaps k",
                   [&] { map(200) = tn::attention(map(0), map(200 + offset), map(300)); });
    expect_overlap("attention: o overlaps v",
                   [&] { map(300) = tn::attention(map(0), map(200), map(300 + offset)); });
    expect_overlap("attention_unfused: o overlaps v",
                   [&] { map(300 + offset) = tn::attention_unfused(map(0), map(200), map(300)); });
  }
}

TEST_F(attention_overlaps, of_o_and_a_mask_or_bias) {
  const Eigen::TensorMap<row_major_tensor<float, 2>> bias(buffer.data() + 70, 5, 5);
  const Eigen::TensorMap<row_major_tensor<bool, 2>> mask(reinterpret_cast<bool*>(buffer.data() + 79), 1, 4);
  expect_overlap("attention: o overlaps an argument of a modifier",
                 [&] { map(0) = tn::attention(map(200), map(300), map(400), tn::score_bias(bias)); });
  const Eigen::TensorMap<tensor> four_keys(buffer.data() + 300, 2, 2, 4, 4);
  expect_overlap("attention: o overlaps an argument of a modifier",
                 [&] { map(0) = tn::attention(map(200), four_keys, four_keys, tn::keep_mask(mask)); });
}

TEST_F(attention_overlaps, of_o_and_q_where_v_has_another_head_size) {
  const Eigen::TensorMap<tensor> narrow_v(buffer.data() + 300, 2, 2, 5, 3);
  Eigen::TensorMap<tensor> narrow_o(buffer.data(), 2, 2, 5, 3);
  expect_overlap("attention: o overlaps q in part; they may be the same memory or apart",
                 [&] { narrow_o = tn::attention(map(0), map(200), narrow_v); });
}

TEST_F(attention_overlaps, of_a_map_for_o_of_another_shape) {
  const Eigen::MatrixXf q2 = Eigen::MatrixXf::Ones(5, 4), v2 = Eigen::MatrixXf::Ones(5, 3);
  expect_overlap("attention: o has shape 4x4, expected 5x4",
                 [&] { Eigen::Map<Eigen::MatrixXf>(buffer.data(), 4, 4) = tn::attention(q2, q2, q2); });
  expect_overlap("attention: o has shape 5x4, expected 5x3",
                 [&] { Eigen::Map<Eigen::MatrixXf>(buffer.data(), 5, 4) = tn::attention(q2, q2, v2); });
}

}  // namespace
}  // namespace tensornorm_test
