// Every error of a backward pass of attention: it names the function, the argument and the sizes, and comes
// before anything is written, in Release too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <string>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tensor = row_major_tensor<float, 4>;
using lines = row_major_tensor<float, 3>;
using numbers = Eigen::Tensor<float, 1>;

constexpr auto fused = [](const auto&... arguments) { tn::attention_backward(arguments...); };
constexpr auto unfused = [](const auto&... arguments) { tn::attention_unfused_backward(arguments...); };

struct attention_backward_errors : testing::Test {
  tensor q = normal_tensor<tensor>({2, 4, 5, 8}, 981), k = normal_tensor<tensor>({2, 2, 7, 8}, 982),
         v = normal_tensor<tensor>({2, 2, 7, 3}, 983), dout = normal_tensor<tensor>({2, 4, 5, 3}, 984),
         o = normal_tensor<tensor>({2, 4, 5, 3}, 985);
  lines lse = normal_tensor<lines>({2, 4, 5}, 986, 3, 0.25);
  tensor bias = normal_tensor<tensor>({1, 4, 1, 7}, 987);
  numbers sinks = normal_tensor<numbers>({4}, 988);
  tensor dq{2, 4, 5, 8}, dk{2, 2, 7, 8}, dv{2, 2, 7, 3}, dbias{1, 4, 1, 7};
  numbers dsinks{4};

  attention_backward_errors() {
    for (tensor* t : {&dq, &dk, &dv, &dbias}) t->setConstant(42);
    dsinks.setConstant(42);
  }

  /// Both functions have an error whose text begins with their name and holds each of these parts, before
  /// anything is written. call(the function).
  template <class Call>
  void expect(std::initializer_list<const char*> parts, const Call& call) const {
    expect_of("attention_backward", parts, [&] { call(fused); });
    expect_of("attention_unfused_backward", parts, [&] { call(unfused); });
  }
  void expect_untouched() const {
    for (const tensor* t : {&dq, &dk, &dv, &dbias})
      for (const float value : elements_of(*t)) ASSERT_EQ(value, 42);
    for (const float value : elements_of(dsinks)) ASSERT_EQ(value, 42);
    EXPECT_EQ(extents_of(dq), (extents{2, 4, 5, 8}));
    EXPECT_EQ(extents_of(dbias), (extents{1, 4, 1, 7}));
  }

  /// A call with destinations for everything, and these as the first six arguments.
  template <class DO, class Q, class K, class V, class O, class L>
  auto with(const DO& a, const Q& b, const K& c, const V& d, const O& e, const L& f) {
    return [&, this](const auto& backward) {
      backward(a, b, c, d, e, f, tn::score_bias(bias), tn::sinks(sinks), tn::grad_q(dq), tn::grad_k(dk),
               tn::grad_v(dv), tn::grad_score_bias(dbias), tn::grad_sinks(dsinks));
    };
  }
  /// A call on the right arguments, with these modifiers and requests.
  template <class... More>
  auto given(const More&... more) const {
    return [this, more...](const auto& backward) { backward(dout, q, k, v, o, lse, more...); };
  }

  static tensor zeros(Eigen::Index a, Eigen::Index b, Eigen::Index c, Eigen::Index d) {
    return tensor(a, b, c, d).setZero();
  }
  static tensor full(Eigen::Index a, Eigen::Index b, Eigen::Index c, Eigen::Index d) {
    return tensor(a, b, c, d).setConstant(42);
  }

 private:
  template <class Call>
  void expect_of(const std::string& function, std::initializer_list<const char*> parts,
                 const Call& call) const {
    SCOPED_TRACE(*parts.begin());
    try {
      call();
      ADD_FAILURE() << "no error of " << function << ", expected one with " << *parts.begin();
    } catch (const std::invalid_argument& error) {
      const std::string text = error.what();
      EXPECT_THAT(text, testing::StartsWith(function + ": "));
      for (const char* part : parts) EXPECT_THAT(text, testing::HasSubstr(part));
    }
    expect_untouched();
  }
};

TEST_F(attention_backward_errors, right_arguments_have_none) {
  with(dout, q, k, v, o, lse)(fused);
  with(dout, q, k, v, o, lse)(unfused);
  for (const tensor* t : {&dq, &dk, &dv, &dbias})
    for (const float value : elements_of(*t)) ASSERT_NE(value, 42);
}

TEST_F(attention_backward_errors, a_dout_or_o_of_another_shape_than_o) {
  for (const auto& [wrong, size] : {std::pair{zeros(2, 4, 5, 8), "2x4x5x8"},
                                    {zeros(2, 4, 6, 3), "2x4x6x3"},
                                    {zeros(2, 5, 4, 3), "2x5x4x3"},
                                    {zeros(1, 4, 5, 3), "1x4x5x3"},
                                    {zeros(2, 2, 5, 3), "2x2x5x3"}}) {
    expect({": dout has", size, "2x4x5x3"}, with(wrong, q, k, v, o, lse));
    expect({": o has", size, "2x4x5x3"}, with(dout, q, k, v, wrong, lse));
    expect({": dout has", size, "2x4x5x3"},
           [&, dout_given = &wrong](const auto& backward) { backward(*dout_given, q, k, v, o, lse); });
  }
}

TEST_F(attention_backward_errors, an_lse_that_is_not_one_number_for_each_query) {
  for (const auto& [wrong, size] : {std::pair{lines(2, 4, 6), "2x4x6"},
                                    {lines(2, 5, 4), "2x5x4"},
                                    {lines(1, 4, 5), "1x4x5"},
                                    {lines(2, 2, 5), "2x2x5"},
                                    {lines(0, 0, 0), "0x0x0"}})
    expect({": lse has", size, "2x4x5"}, with(dout, q, k, v, o, wrong));
}

TEST_F(attention_backward_errors, an_lse_with_heads_behind_tokens) {
  const auto q_first = zeros(2, 5, 4, 8), k_first = zeros(2, 7, 2, 8), v_first = zeros(2, 7, 2, 3),
             o_first = zeros(2, 5, 4, 3);
  const lines wrong(2, 5, 4);
  expect({": lse has", "2x5x4", "2x4x5"}, [&](const auto& backward) {
    backward(o_first, q_first, k_first, v_first, o_first, wrong, tn::tokens_first, tn::grad_k(dk));
  });
}

TEST_F(attention_backward_errors, k_and_v_that_do_not_fit_q) {
  expect({"k has head size 9, expected 8"}, with(dout, q, zeros(2, 2, 7, 9), v, o, lse));
  expect({"k has heads 3, expected a divisor of 4"},
         with(dout, q, zeros(2, 3, 7, 8), zeros(2, 3, 7, 3), o, lse));
  expect({"v has tokens 6, expected 7"}, with(dout, q, k, zeros(2, 2, 6, 3), o, lse));
  expect({"k has batch size 1, expected 2"}, with(dout, q, zeros(1, 2, 7, 8), zeros(1, 2, 7, 3), o, lse));
}

TEST_F(attention_backward_errors, destinations_of_another_shape_which_are_not_resized) {
  tensor q_turned = full(2, 4, 8, 5), q_fewer = full(1, 4, 5, 8), k_all_heads = full(2, 4, 7, 8),
         k_other = full(2, 2, 7, 3), v_other = full(2, 2, 7, 8), v_more = full(2, 2, 8, 3);
  expect({"the gradient of q", "2x4x8x5", "2x4x5x8"},
         given(tn::grad_q(q_turned), tn::grad_k(dk), tn::grad_v(dv)));
  expect({"the gradient of q", "1x4x5x8", "2x4x5x8"}, given(tn::grad_k(dk), tn::grad_q(q_fewer)));
  expect({"the gradient of k", "2x4x7x8", "2x2x7x8"},
         given(tn::grad_q(dq), tn::grad_k(k_all_heads), tn::grad_v(dv)));
  expect({"the gradient of k", "2x2x7x3", "2x2x7x8"}, given(tn::grad_q(dq), tn::grad_k(k_other)));
  expect({"the gradient of v", "2x2x7x8", "2x2x7x3"},
         given(tn::grad_q(dq), tn::grad_k(dk), tn::grad_v(v_other)));
  expect({"the gradient of v", "2x2x8x3", "2x2x7x3"}, given(tn::grad_v(v_more), tn::grad_q(dq)));
  for (const tensor* t : {&q_turned, &q_fewer, &k_all_heads, &k_other, &v_other, &v_more})
    for (const float value : elements_of(*t)) ASSERT_EQ(value, 42);
  EXPECT_EQ(extents_of(q_turned), (extents{2, 4, 8, 5}));
}

TEST_F(attention_backward_errors, a_gradient_of_the_bias_of_another_shape_than_the_bias) {
  tensor all = full(2, 4, 5, 7), heads = full(1, 1, 1, 7), keys = full(1, 4, 1, 6);
  expect({"the gradient of score_bias", "2x4x5x7", "1x4x1x7"}, [&](const auto& backward) {
    backward(dout, q, k, v, o, lse, tn::score_bias(bias), tn::grad_q(dq), tn::grad_score_bias(all));
  });
  expect({"the gradient of score_bias", "1x1x1x7", "1x4x1x7"}, [&](const auto& backward) {
    backward(dout, q, k, v, o, lse, tn::score_bias(bias), tn::grad_q(dq), tn::grad_score_bias(heads));
  });
  expect({"the gradient of score_bias", "1x4x1x6", "1x4x1x7"}, [&](const auto& backward) {
    backward(dout, q, k, v, o, lse, tn::score_bias(bias), tn::grad_q(dq), tn::grad_score_bias(keys));
  });
  for (const tensor* t : {&all, &heads, &keys})
    for (const float value : elements_of(*t)) ASSERT_EQ(value, 42);
}

TEST_F(attention_backward_errors, a_gradient_of_sinks_that_is_not_one_for_each_head) {
  numbers fewer(2), more(5), none;
  for (auto& [wrong, size] :
       std::initializer_list<std::pair<numbers*, const char*>>{{&fewer, "2"}, {&more, "5"}, {&none, "0"}}) {
    wrong->setConstant(42);
    expect({"the gradient of sinks", size, "4"}, [&, to = wrong](const auto& backward) {
      backward(dout, q, k, v, o, lse, tn::sinks(sinks), tn::grad_q(dq), tn::grad_sinks(*to));
    });
    for (const float value : elements_of(*wrong)) ASSERT_EQ(value, 42);
  }
}

TEST_F(attention_backward_errors, a_gradient_of_a_bias_or_of_sinks_that_are_not_there) {
  expect({"score_bias"}, [&](const auto& backward) {
    backward(dout, q, k, v, o, lse, tn::sinks(sinks), tn::grad_q(dq), tn::grad_score_bias(dbias));
  });
  expect({"sinks"}, [&](const auto& backward) {
    backward(dout, q, k, v, o, lse, tn::score_bias(bias), tn::grad_q(dq), tn::grad_sinks(dsinks));
  });
}

TEST_F(attention_backward_errors, modifiers_that_do_not_fit) {
  row_major_tensor<bool, 2> mask(7, 5);
  mask.setConstant(true);
  Eigen::Tensor<std::int64_t, 1> lengths(2);
  lengths.setValues({7, 8});
  numbers slopes(3);
  slopes.setConstant(1);
  const auto call = [&](const auto& modifier) {
    return [&, modifier](const auto& backward) { backward(dout, q, k, v, o, lse, tn::grad_q(dq), modifier); };
  };
  expect({"keep_mask", "7x5", "2x4x5x7"}, call(tn::keep_mask(mask)));
  expect({"score_bias", "2x4x5x3", "2x4x5x7"}, call(tn::score_bias(o)));
  expect({"key_lengths[1] is 8, expected 0 to 7"}, call(tn::key_lengths(lengths)));
  expect({"alibi", "3", "4"}, call(tn::alibi(slopes)));
  expect({"sinks", "3", "4"}, call(tn::sinks(slopes)));
  expect({"softcap is 0"}, call(tn::softcap(0)));
  expect({"window reaches -2"}, call(tn::window(-2, 0)));
}

TEST_F(attention_backward_errors, matrices_that_do_not_fit) {
  const Eigen::MatrixXf mq = Eigen::MatrixXf::Ones(5, 8), mk = Eigen::MatrixXf::Ones(7, 8),
                        mv = Eigen::MatrixXf::Ones(7, 3), mo = Eigen::MatrixXf::Ones(5, 3);
  const numbers m_lse = numbers(5).setConstant(2), short_lse = numbers(4).setConstant(2);
  Eigen::MatrixXf to = Eigen::MatrixXf::Constant(5, 8, 42), turned = to.transpose();
  expect({": dout has", "7x3", "5x3"},
         [&](const auto& backward) { backward(mv, mq, mk, mv, mo, m_lse, tn::grad_q(to)); });
  expect({": lse has", "4", "5"},
         [&](const auto& backward) { backward(mo, mq, mk, mv, mo, short_lse, tn::grad_q(to)); });
  expect({"the gradient of q", "8x5", "5x8"},
         [&](const auto& backward) { backward(mo, mq, mk, mv, mo, m_lse, tn::grad_q(turned)); });
  EXPECT_TRUE((to.array() == 42).all());
  EXPECT_TRUE((turned.array() == 42).all());
}

/// All of a call in one piece of memory, at places that can be chosen.
struct attention_backward_overlaps : testing::Test {
  std::vector<float> buffer = std::vector<float>(2000, 42);
  static constexpr std::size_t q = 0, k = 100, v = 200, dout = 300, o = 400, lse = 500, bias = 550,
                               mask = 700, sinks = 800, free_q = 900, free_k = 1000, free_v = 1100,
                               free_bias = 1200, free_sinks = 1400;

  /// 2 x 2 x 5 x 4 numbers from a place on.
  Eigen::TensorMap<tensor> map(std::size_t place) { return {buffer.data() + place, 2, 2, 5, 4}; }

  void run(const auto& backward, std::size_t dq, std::size_t dk, std::size_t dv, std::size_t dbias,
           std::size_t dsinks) {
    const Eigen::TensorMap<lines> lse_map(buffer.data() + lse, 2, 2, 5);
    const Eigen::TensorMap<tensor> bias_map(buffer.data() + bias, 2, 2, 5, 5);
    const Eigen::TensorMap<row_major_tensor<bool, 2>> mask_map(reinterpret_cast<bool*>(buffer.data() + mask),
                                                               5, 5);
    const Eigen::TensorMap<numbers> sinks_map(buffer.data() + sinks, 2);
    backward(map(dout), map(q), map(k), map(v), map(o), lse_map, tn::score_bias(bias_map),
             tn::keep_mask(mask_map), tn::sinks(sinks_map), tn::grad_q(map(dq)), tn::grad_k(map(dk)),
             tn::grad_v(map(dv)),
             tn::grad_score_bias(Eigen::TensorMap<tensor>(buffer.data() + dbias, 2, 2, 5, 5)),
             tn::grad_sinks(Eigen::TensorMap<numbers>(buffer.data() + dsinks, 2)));
  }

  void expect_error(const char* what, std::size_t dq, std::size_t dk, std::size_t dv, std::size_t dbias,
                    std::size_t dsinks) {
    SCOPED_TRACE(what);
    const auto expect_of = [&](const std::string& function, const auto& backward) {
      try {
        run(backward, dq, dk, dv, dbias, dsinks);
        ADD_FAILURE() << "no error of " << function;
      } catch (const std::invalid_argument& error) {
        EXPECT_THAT(error.what(), testing::StartsWith(function + ": "));
        EXPECT_THAT(error.what(), testing::HasSubstr("overlaps"));
        EXPECT_THAT(error.what(), testing::HasSubstr(what));
      }
      for (const float value : buffer) ASSERT_EQ(value, 42);
    };
    expect_of("attention_backward", fused);
    expect_of("attention_unfused_backward", unfused);
  }
};

TEST_F(attention_backward_overlaps, of_results_and_what_is_read) {
  for (const std::size_t place : {q, k, v, dout, o, lse, bias, sinks, mask})
    for (const std::size_t offset : {0u, 1u}) {
      const std::size_t at = place + offset;
      expect_error("the gradient of q", at, free_k, free_v, free_bias, free_sinks);
      expect_error("the gradient of k", free_q, at, free_v, free_bias, free_sinks);
      expect_error("the gradient of v", free_q, free_k, at, free_bias, free_sinks);
      expect_error("the gradient of score_bias", free_q, free_k, free_v, at, free_sinks);
      expect_error("the gradient of sinks", free_q, free_k, free_v, free_bias, at);
    }
  expect_error("the gradient of q", q + 79, free_k, free_v, free_bias, free_sinks);
}

TEST_F(attention_backward_overlaps, of_results_and_results) {
  for (const std::size_t offset : {0u, 1u, 79u}) {
    expect_error("the gradient of", free_q, free_q + offset, free_v, free_bias, free_sinks);
    expect_error("the gradient of", free_q, free_k, free_q + offset, free_bias, free_sinks);
    expect_error("the gradient of", free_q, free_k, free_k + offset, free_bias, free_sinks);
    expect_error("the gradient of", free_q, free_k, free_v, free_k + offset, free_sinks);
    expect_error("the gradient of", free_q, free_k, free_v, free_bias, free_v + offset);
    expect_error("the gradient of", free_q, free_k, free_v, free_bias, free_bias + offset);
  }
}

TEST_F(attention_backward_overlaps, are_none_where_results_lie_beside_each_other) {
  std::ranges::fill(buffer, 0.5f);
  std::fill_n(reinterpret_cast<bool*>(buffer.data() + mask), 25, true);
  run(fused, free_q, free_q + 80, free_q + 160, free_q + 240, free_q + 340);
  run(unfused, free_q, free_q + 80, free_q + 160, free_q + 240, free_q + 340);
}

}  // namespace
}  // namespace tensornorm_test
