// Both functions against the long double reference, at every size where a loop could go wrong.
#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"

namespace tensornorm_test {
namespace {

constexpr std::ptrdiff_t head_sizes[] = {1, 2, 3, 8, 16, 59, 64, 111, 128, 256};

/// Every number of tokens up to 70, then around the sizes of blocks and chunks of keys.
std::vector<std::ptrdiff_t> token_counts() {
  std::vector<std::ptrdiff_t> all;
  for (std::ptrdiff_t tokens = 1; tokens <= 70; ++tokens) all.push_back(tokens);
  for (const std::ptrdiff_t tokens : {127, 128, 129, 197, 1023, 1024, 1025, 1100}) all.push_back(tokens);
  return all;
}

template <class T>
class attention_accuracy : public testing::Test {
 protected:
  /// Both paths against the oracle. In 16 bits fused may be twice as far off as unfused, too; where it rounds
  /// weights, which by luck can be all the rounding there is, twice as far as unfused may be.
  void check(const attention_inputs<T>& in, const modifier_list<tn::accumulator_t<T>>& modifiers = {}) {
    const attention_reference expected = expected_attention(in, modifiers);
    attention_result<T> result[2];
    for (const attention_path path : both_paths) {
      auto& own = result[path == attention_path::fused ? 0 : 1];
      own = attended(path, in, modifiers);
      EXPECT_TRUE(within_bounds(own, expected)) << name_of(path) << ", " << in.shape;
    }
    if constexpr (is_16_bit<T>) {
      const real unfused = rounds_weights<T>(attention_path::fused) ? worst_bound<T>(expected)
                                                                    : worst_error(result[1].o, expected);
      EXPECT_LE(worst_error(result[0].o, expected), 2 * unfused) << in.shape;
    }
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention_accuracy, scalars, scalar_names);

TYPED_TEST(attention_accuracy, matches_the_long_double_reference_at_every_number_of_tokens) {
  std::uint32_t seed = 201;
  for (const std::ptrdiff_t tokens : token_counts()) {
    const std::ptrdiff_t dim = head_sizes[seed++ % std::size(head_sizes)];
    const bool few = tokens > 200;
    this->check(make_inputs<TypeParam>({.batch = few ? 1 : 1 + seed % 2,
                                        .heads = few ? 1 : 1 + seed % 3,
                                        .queries = tokens,
                                        .keys = tokens,
                                        .dim = dim},
                                       seed));
  }
}

TYPED_TEST(attention_accuracy, matches_the_long_double_reference_at_every_pair_of_head_sizes) {
  std::uint32_t seed = 211;
  for (const std::ptrdiff_t dim : head_sizes)
    for (const std::ptrdiff_t dim_v : head_sizes) {
      const std::ptrdiff_t queries = 1 + seed % 67, keys = 1 + seed * 7 % 131;
      this->check(make_inputs<TypeParam>(
          {.heads = 2, .queries = queries, .keys = keys, .dim = dim, .dim_v = dim_v}, seed++));
    }
}

TYPED_TEST(attention_accuracy, matches_the_long_double_reference_for_few_queries_and_any_number_of_keys) {
  std::uint32_t seed = 221;
  for (std::ptrdiff_t queries = 1; queries <= 9; ++queries)
    for (const std::ptrdiff_t keys : {1, 63, 64, 65, 1000, 1024, 1025, 3000}) {
      const std::ptrdiff_t dim = head_sizes[(3 + seed) % std::size(head_sizes)];
      this->check(make_inputs<TypeParam>({.queries = queries, .keys = keys, .dim = dim}, seed++));
    }
}

TYPED_TEST(attention_accuracy, matches_the_long_double_reference_where_heads_share_keys) {
  for (const std::ptrdiff_t key_heads : {1, 2, 3, 6})
    for (const std::ptrdiff_t queries : {1, 5, 70})
      this->check(make_inputs<TypeParam>(
          {.batch = 2, .heads = 6, .queries = queries, .keys = 130, .dim = 20, .key_heads = key_heads}, 231));
}

TYPED_TEST(attention_accuracy, matches_the_long_double_reference_where_logits_are_ten_thousand) {
  for (const std::ptrdiff_t keys : {2, 63, 200, 1100})
    for (const std::ptrdiff_t queries : {1, 67})
      this->check(make_inputs<TypeParam>({.queries = queries, .keys = keys, .dim = 64}, 241, 100, 100));
}

TYPED_TEST(attention_accuracy, keeps_two_keys_apart_whose_logits_are_plus_and_minus_ten_thousand) {
  using T = TypeParam;
  const attention_shape shape{.queries = 2, .keys = 4, .dim = 4, .dim_v = 3};
  // scale q k = 1/2 (+-100) (+-200)
  attention_inputs<T> in = make_inputs<T>(shape, 251);
  for (std::size_t i = 0; i < in.q.size(); ++i) in.q[i] = narrow<T>(i % 4 == 0 ? (i < 4 ? 100 : -100) : 0);
  for (std::size_t i = 0; i < in.k.size(); ++i) in.k[i] = narrow<T>(i % 4 == 0 ? (i < 4 ? 200 : -200) : 0);
  this->check(in);
}

TYPED_TEST(attention_accuracy, returns_the_value_that_all_keys_agree_on) {
  using T = TypeParam;
  for (const std::ptrdiff_t keys : {1, 2, 63, 64, 65, 1000, 1025, 3000})
    for (const std::ptrdiff_t queries : {1, 4, 70}) {
      if (keys * queries > 100000) continue;
      attention_inputs<T> in =
          make_inputs<T>({.queries = queries, .keys = keys, .dim = 24, .dim_v = 19}, 261);
      for (std::size_t i = 24; i < in.k.size(); ++i) in.k[i] = in.k[i - 24];
      for (std::size_t i = 19; i < in.v.size(); ++i) in.v[i] = in.v[i - 19];
      const attention_reference expected = expected_attention(in);
      for (std::size_t i = 0; i < expected.o.size(); ++i)
        ASSERT_NEAR(static_cast<double>(expected.o[i]), static_cast<double>(widen(in.v[i % 19])), 1e-15);
      this->check(in);
    }
}

TYPED_TEST(attention_accuracy, matches_the_long_double_reference_with_every_modifier) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  std::uint32_t seed = 271;
  for (const std::ptrdiff_t queries : {1, 5, 66, 140})
    for (const std::ptrdiff_t keys : {3, 64, 190, 1030}) {
      const attention_shape shape{
          .batch = 2, .heads = 4, .queries = queries, .keys = keys, .dim = 16, .key_heads = 2, .dim_v = 24};
      normal_source noise(seed);
      modifier_list<A> m;
      m.softcap = 2.5;
      m.bias = make_spread<A>(scores_of(shape), [&](const score_index&) { return narrow<A>(noise()); });
      m.alibi = {{A(0.5), A(0.25), A(0.125), A(0.0625)}, tn::align::bottom_right};
      m.causal = tn::align::bottom_right;
      m.window = window_sizes{300, 20};
      m.mask = make_spread<bool>(scores_of(shape), [&](const score_index&) { return noise() > -1; });
      m.lengths = {static_cast<std::int32_t>(keys), static_cast<std::int32_t>(keys - keys / 3)};
      m.sinks = {A(0.5), A(-1), A(3), A(-8)};
      this->check(make_inputs<T>(shape, seed++), m);
    }
}

}  // namespace
}  // namespace tensornorm_test
