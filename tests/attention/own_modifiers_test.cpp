// A caller's own modifiers, of scores and of masks, with and without saying which keys a block of
// queries can see.
#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tensor = row_major_tensor<float, 4>;

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

/// The keys of the query's own chunk of tokens; a block of queries sees no other.
struct same_chunk {
  static constexpr tn::attention_stage stage = tn::attention_stage::mask;
  std::ptrdiff_t size;

  template <class T>
  T operator()(T score, tn::score_place at) const {
    return at.query / size == at.key / size ? score : -std::numeric_limits<T>::infinity();
  }
};

struct same_chunk_that_says_so : same_chunk {
  tn::key_range visible(tn::query_block queries) const {
    return {queries.first / size * size, (queries.last - 1) / size * size + size};
  }
};

/// A temperature of each batch element and head, and a penalty that grows with the key.
struct tempered {
  static constexpr tn::attention_stage stage = tn::attention_stage::score;

  template <class T>
  T operator()(T score, tn::score_place at) const {
    return score * T(0.5) * static_cast<T>(at.batch + 2 * at.head + 1) -
           T(0.125) * static_cast<T>(at.key % 8);
  }
};

real tempered_score(real score, const score_index& at) {
  return score * static_cast<real>(at.batch + 2 * at.head + 1) / 2 - static_cast<real>(at.key % 8) / 8;
}

/// Hides keys with negative scores.
struct cut {
  static constexpr tn::attention_stage stage = tn::attention_stage::score;

  template <class T>
  T operator()(T score, tn::score_place) const {
    return score < 0 ? -std::numeric_limits<T>::infinity() : score;
  }
};

struct own_modifiers : testing::TestWithParam<std::ptrdiff_t> {
  std::ptrdiff_t queries = GetParam();
  tensor q = normal_tensor<tensor>({2, 2, queries, 8}, 341), k = normal_tensor<tensor>({2, 2, 150, 8}, 342),
         v = normal_tensor<tensor>({2, 2, 150, 5}, 343);
  attention_policy policy;

  /// o against the oracle under the policy.
  void expect_the_formula(const tensor& o) const {
    const attention_shape shape{
        .batch = 2, .heads = 2, .queries = queries, .keys = 150, .dim = 8, .dim_v = 5};
    EXPECT_TRUE(o_within_bounds(elements_of(o),
                                reference_attention(shape, widen(elements_of(q)), widen(elements_of(k)),
                                                    widen(elements_of(v)), policy)));
  }
  template <class... Modifiers>
  void expect_both(const Modifiers&... own) const {
    const tensor o = tn::attention(q, k, v, own...), unfused = tn::attention_unfused(q, k, v, own...);
    expect_the_formula(o);
    expect_the_formula(unfused);
  }
};

INSTANTIATE_TEST_SUITE_P(queries, own_modifiers, testing::Values(1, 3, 70, 150));

TEST_P(own_modifiers, may_mask) {
  policy.keep.push_back([](const score_index& at) { return dilated{7}.keeps(at.head, at.query, at.key); });
  expect_both(dilated{7});
}

TEST_P(own_modifiers, may_change_scores) {
  policy.own.push_back(tempered_score);
  expect_both(tempered());
}

TEST_P(own_modifiers, change_scores_after_the_bias_and_before_masks) {
  const auto bias = normal_tensor<row_major_tensor<float, 2>>({queries, 150}, 344);
  policy.softcap = 2;
  policy.bias.push_back([&](const score_index& at) { return widen(bias(at.query, at.key)); });
  policy.own.push_back(tempered_score);
  policy.keep.push_back([](const score_index& at) { return at.key <= at.query; });
  policy.keep.push_back([](const score_index& at) { return dilated{3}.keeps(at.head, at.query, at.key); });
  expect_both(dilated{3}, tn::causal(tn::align::top_left), tempered(), tn::score_bias(bias),
              tn::softcap(2.f));
}

TEST_P(own_modifiers, mask_keys_whose_own_score_is_minus_infinity) {
  const tensor clean = tn::attention(q, k, v, cut()), unfused = tn::attention_unfused(q, k, v, cut());
  EXPECT_TRUE(std::ranges::none_of(elements_of(clean), is_nan<float>));
  for (Eigen::Index b = 0; b < 2; ++b)
    for (Eigen::Index h = 0; h < 2; ++h)
      for (Eigen::Index j = 0; j < 150; ++j) {
        // A key that no query sees, as far as the test can tell apart what is near zero.
        bool unseen = true;
        for (Eigen::Index i = 0; i < queries; ++i) {
          double s = 0;
          for (Eigen::Index d = 0; d < 8; ++d) s += static_cast<double>(q(b, h, i, d)) * k(b, h, j, d);
          unseen = unseen && s < -1e-4;
        }
        if (unseen) v(b, h, j, 2) = std::numeric_limits<float>::quiet_NaN();
      }
  const tensor o = tn::attention(q, k, v, cut()), unfused_o = tn::attention_unfused(q, k, v, cut());
  EXPECT_TRUE(same_bits(elements_of(o), elements_of(clean)));
  EXPECT_TRUE(same_bits(elements_of(unfused_o), elements_of(unfused)));
}

TEST_P(own_modifiers, give_the_same_bits_whether_they_say_what_a_block_sees_or_not) {
  for (const std::ptrdiff_t size : {10, 64, 75}) {
    policy.keep.assign(1, [&](const score_index& at) { return at.query / size == at.key / size; });
    expect_both(same_chunk{size});
    expect_both(same_chunk_that_says_so{{size}});
    const tensor silent = tn::attention(q, k, v, same_chunk{size});
    const tensor said = tn::attention(q, k, v, same_chunk_that_says_so{{size}});
    EXPECT_TRUE(same_bits(elements_of(said), elements_of(silent))) << size;
  }
}

}  // namespace
}  // namespace tensornorm_test
