// Gradients through a caller's own modifiers: those of scores say their derivative, those of masks need not.
#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tensor = row_major_tensor<float, 4>;
using tn::align;

/// Keys a multiple of the stride away from the query, and all of one head.
struct dilated {
  static constexpr tn::attention_stage stage = tn::attention_stage::mask;
  std::ptrdiff_t stride;

  bool keeps(std::ptrdiff_t head, std::ptrdiff_t query, std::ptrdiff_t key) const {
    return head == 1 || (query - key) % stride == 0;
  }
  template <class T>
  T operator()(T score, tn::score_place at) const {
    return keeps(at.head, at.query, at.key) ? score : -std::numeric_limits<T>::infinity();
  }
};

/// The keys of the query's own chunk of tokens; says so for blocks of queries.
struct same_chunk {
  static constexpr tn::attention_stage stage = tn::attention_stage::mask;
  std::ptrdiff_t size;

  template <class T>
  T operator()(T score, tn::score_place at) const {
    return at.query / size == at.key / size ? score : -std::numeric_limits<T>::infinity();
  }
  tn::key_range visible(tn::query_block queries) const {
    return {queries.first / size * size, (queries.last - 1) / size * size + size};
  }
};

/// A temperature of each batch element and head, and a penalty that grows with the key.
struct tempered {
  static constexpr tn::attention_stage stage = tn::attention_stage::score;

  template <class T>
  T operator()(T score, tn::score_place at) const {
    return score * derivative(score, at) - T(0.125) * static_cast<T>(at.key % 8);
  }
  template <class T>
  T derivative(T, tn::score_place at) const {
    return T(0.25) * static_cast<T>(at.batch + 2 * at.head + 1);
  }
};

real temperature(const score_index& at) { return static_cast<real>(at.batch + 2 * at.head + 1) / 4; }
real tempered_score(real score, const score_index& at) {
  return score * temperature(at) - static_cast<real>(at.key % 8) / 8;
}

/// The slope is that at the score it was given, and not at what it made of it.
struct bent {
  static constexpr tn::attention_stage stage = tn::attention_stage::score;

  template <class T>
  T operator()(T score, tn::score_place) const {
    return score + score * score / T(16);
  }
  template <class T>
  T derivative(T score, tn::score_place) const {
    return T(1) + score / T(8);
  }
};

/// Hides keys with negative scores.
struct cut {
  static constexpr tn::attention_stage stage = tn::attention_stage::score;

  template <class T>
  T operator()(T score, tn::score_place) const {
    return score < 0 ? -std::numeric_limits<T>::infinity() : score;
  }
  template <class T>
  T derivative(T, tn::score_place) const {
    return T(1);
  }
};

struct backward_own_modifiers : testing::TestWithParam<std::ptrdiff_t> {
  std::ptrdiff_t queries = GetParam();
  attention_shape shape{.batch = 2, .heads = 2, .queries = queries, .keys = 97, .dim = 8, .dim_v = 5};
  tensor q = normal_tensor<tensor>({2, 2, queries, 8}, 841), k = normal_tensor<tensor>({2, 2, 97, 8}, 842),
         v = normal_tensor<tensor>({2, 2, 97, 5}, 843), dout = normal_tensor<tensor>({2, 2, queries, 5}, 844);
  row_major_tensor<float, 2> bias = normal_tensor<row_major_tensor<float, 2>>({queries, 97}, 845);
  attention_policy policy;

  struct forward_result {
    tensor o;
    row_major_tensor<float, 3> lse;
  };

  /// o and lse of the policy, by the oracle.
  forward_result forward() const {
    const auto exact = reference_attention(shape, widen(elements_of(q)), widen(elements_of(k)),
                                           widen(elements_of(v)), policy);
    return {tensor_of<tensor>({2, 2, queries, 5}, narrowed<float>(exact.o)),
            tensor_of<row_major_tensor<float, 3>>({2, 2, queries}, narrowed<float>(exact.lse))};
  }

  /// Gradients under the policy, of the bias as well if there is to be one.
  attention_backward_reference expected(const forward_result& f, bool with_bias = false) const {
    const auto wide_dout = widen(elements_of(dout)), o = widen(elements_of(f.o)),
               lse = widen(elements_of(f.lse));
    return reference_attention_backward(shape, widen(elements_of(q)), widen(elements_of(k)),
                                        widen(elements_of(v)), policy, {wide_dout, o, lse},
                                        with_bias ? bias_sizes{1, 1, queries, 97} : bias_sizes{0, 0, 0, 0});
  }
  template <class Gradients>
  static void expect_near(const Gradients& result, const attention_backward_reference& gradients) {
    EXPECT_TRUE(gradient_within_bounds<float>(elements_of(result.q), gradients.q)) << "dq";
    EXPECT_TRUE(gradient_within_bounds<float>(elements_of(result.k), gradients.k)) << "dk";
    EXPECT_TRUE(gradient_within_bounds<float>(elements_of(result.v), gradients.v)) << "dv";
  }
  template <class... Modifiers>
  void expect_both(const Modifiers&... own) const {
    const auto f = forward();
    const auto gradients = expected(f);
    expect_near(tn::attention_backward(dout, q, k, v, f.o, f.lse, own...), gradients);
    expect_near(tn::attention_unfused_backward(dout, q, k, v, f.o, f.lse, own...), gradients);
  }
};

INSTANTIATE_TEST_SUITE_P(queries, backward_own_modifiers, testing::Values(1, 3, 70, 97));

TEST_P(backward_own_modifiers, may_mask) {
  policy.keep.push_back([](const score_index& at) { return dilated{7}.keeps(at.head, at.query, at.key); });
  expect_both(dilated{7});
  for (const std::ptrdiff_t size : {10, 64}) {
    policy.keep.assign(1, [&](const score_index& at) { return at.query / size == at.key / size; });
    expect_both(same_chunk{size});
  }
}

TEST_P(backward_own_modifiers, may_change_scores) {
  policy.own.push_back(tempered_score);
  policy.own_slope.push_back([](real, const score_index& at) { return temperature(at); });
  expect_both(tempered());
}

TEST_P(backward_own_modifiers, have_their_derivative_taken_at_the_score_they_were_given) {
  policy.own.push_back([](real s, const score_index&) { return s + s * s / 16; });
  policy.own_slope.push_back([](real s, const score_index&) { return 1 + s / 8; });
  expect_both(bent());
}

TEST_P(backward_own_modifiers, are_between_the_bias_and_the_masks_and_after_softcap) {
  policy.softcap = 2;
  policy.bias.push_back([&](const score_index& at) { return widen(bias(at.query, at.key)); });
  policy.own.push_back([](real s, const score_index&) { return s + s * s / 16; });
  policy.own_slope.push_back([](real s, const score_index&) { return 1 + s / 8; });
  policy.keep.push_back([](const score_index& at) { return at.key <= at.query; });
  policy.keep.push_back([](const score_index& at) { return dilated{3}.keeps(at.head, at.query, at.key); });
  const auto f = forward();
  const auto gradients = expected(f, true);
  const auto expect_near_with_bias = [&](const auto& backward) {
    tensor dq(2, 2, queries, 8), dk(2, 2, 97, 8), dv(2, 2, 97, 5);
    row_major_tensor<float, 2> dbias(queries, 97);
    backward(dilated{3}, tn::causal(align::top_left), bent(), tn::score_bias(bias), tn::softcap(2),
             tn::grad_q(dq), tn::grad_k(dk), tn::grad_v(dv), tn::grad_score_bias(dbias));
    const attention_gradients<float> result{
        elements_of(dq), elements_of(dk), elements_of(dv), elements_of(dbias), {}};
    EXPECT_TRUE(within_bounds(result, gradients));
  };
  expect_near_with_bias([&](const auto&... m) { tn::attention_backward(dout, q, k, v, f.o, f.lse, m...); });
  expect_near_with_bias(
      [&](const auto&... m) { tn::attention_unfused_backward(dout, q, k, v, f.o, f.lse, m...); });
}

TEST_P(backward_own_modifiers, mask_keys_whose_own_score_is_minus_infinity) {
  row_major_tensor<float, 3> lse;
  const tensor o = tn::attention(q, k, v, cut(), tn::save_lse(lse));
  const auto clean = tn::attention_backward(dout, q, k, v, o, lse, cut());
  const auto unfused = tn::attention_unfused_backward(dout, q, k, v, o, lse, cut());
  EXPECT_TRUE(std::ranges::none_of(elements_of(clean.q), is_nan<float>));
  std::vector<std::array<Eigen::Index, 3>> hidden;
  for (Eigen::Index b = 0; b < 2; ++b)
    for (Eigen::Index h = 0; h < 2; ++h)
      for (Eigen::Index j = 0; j < 97; ++j) {
        // A key that no query sees, as far as the test can tell apart what is near zero.
        bool unseen = true;
        for (Eigen::Index i = 0; i < queries; ++i) {
          double s = 0;
          for (Eigen::Index d = 0; d < 8; ++d) s += static_cast<double>(q(b, h, i, d)) * k(b, h, j, d);
          unseen = unseen && s < -1e-4;
        }
        if (!unseen) continue;
        v(b, h, j, 2) = std::numeric_limits<float>::quiet_NaN();
        hidden.push_back({b, h, j});
      }
  const auto expect_same = [&](const auto& result, const auto& before) {
    EXPECT_TRUE(same_bits(elements_of(result.q), elements_of(before.q)));
    EXPECT_TRUE(same_bits(elements_of(result.k), elements_of(before.k)));
    EXPECT_TRUE(same_bits(elements_of(result.v), elements_of(before.v)));
    for (const auto& [b, h, j] : hidden) {
      for (Eigen::Index d = 0; d < 8; ++d) ASSERT_EQ(result.k(b, h, j, d), 0);
      for (Eigen::Index d = 0; d < 5; ++d) ASSERT_EQ(result.v(b, h, j, d), 0);
    }
  };
  expect_same(tn::attention_backward(dout, q, k, v, o, lse, cut()), clean);
  expect_same(tn::attention_unfused_backward(dout, q, k, v, o, lse, cut()), unfused);
}

}  // namespace
}  // namespace tensornorm_test
