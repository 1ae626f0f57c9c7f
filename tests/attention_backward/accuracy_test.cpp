// The gradients of both functions against the long double reference, at every size where a loop could go
// wrong.
#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"

namespace tensornorm_test {
namespace {

constexpr std::ptrdiff_t head_sizes[] = {1, 16, 59, 64, 111, 128, 256};

/// Odd and even numbers of tokens around the sizes of vectors, tiles and blocks.
constexpr std::ptrdiff_t token_counts[] = {1,  2,  3,  5,  7,  8,  9,   11,  15,  16, 17,
                                           23, 31, 32, 33, 35, 47, 48,  49,  61,  63, 64,
                                           65, 67, 79, 95, 97, 99, 127, 128, 129, 130};

template <class T>
class attention_backward_accuracy : public testing::Test {
 protected:
  using accumulator = tn::accumulator_t<T>;

  /// Both paths against the oracle.
  void check(const attention_backward_inputs<T>& in, const modifier_list<accumulator>& modifiers = {}) {
    const attention_backward_reference expected = expected_gradients(in, modifiers);
    for (const attention_path path : both_paths)
      EXPECT_TRUE(within_bounds(differentiated(path, in, modifiers), expected))
          << name_of_backward(path) << ", " << in.shape;
  }
  void check(const attention_shape& shape, std::uint32_t seed, double q_deviation = 1,
             double k_deviation = 1) {
    check(make_backward_inputs<T>(shape, seed, {}, q_deviation, k_deviation));
  }

  static modifier_list<accumulator> every_modifier(const attention_shape& shape, std::uint32_t seed) {
    normal_source noise(seed);
    const auto keys = static_cast<std::int32_t>(shape.keys);
    modifier_list<accumulator> m;
    m.softcap = 2.5;
    m.bias = make_spread<accumulator>(scores_of(shape),
                                      [&](const score_index&) { return narrow<accumulator>(noise()); });
    m.alibi = {{accumulator(0.5), accumulator(0.25), accumulator(0.125), accumulator(0.0625)},
               tn::align::bottom_right};
    m.causal = tn::align::bottom_right;
    m.window = window_sizes{300, 20};
    m.mask = make_spread<bool>(scores_of(shape), [&](const score_index&) { return noise() > -1; });
    m.lengths = {keys, keys - keys / 3};
    m.sinks = {accumulator(0.5), accumulator(-1), accumulator(3), accumulator(-8)};
    return m;
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention_backward_accuracy, scalars, scalar_names);

TYPED_TEST(attention_backward_accuracy, matches_the_long_double_reference_at_every_number_of_tokens) {
  std::uint32_t seed = 501;
  for (std::size_t n = 0; n < std::size(token_counts); ++n)
    for (const std::size_t step : {0u, 5u}) {
      const std::ptrdiff_t queries = token_counts[n],
                           keys = token_counts[(n * (step == 0 ? 1 : 7) + step) % std::size(token_counts)];
      const bool few = queries * keys > 1500;
      this->check({.batch = few ? 1 : 1 + seed % 2,
                   .heads = few ? 1 : 1 + seed % 3,
                   .queries = queries,
                   .keys = keys,
                   .dim = std::min(head_sizes[seed % std::size(head_sizes)], std::ptrdiff_t{few ? 59 : 256}),
                   .dim_v = seed % 4 == 0 ? 24 : 0},
                  seed);
      ++seed;
    }
}

TYPED_TEST(attention_backward_accuracy, matches_the_long_double_reference_at_every_pair_of_head_sizes) {
  std::uint32_t seed = 601;
  for (const std::ptrdiff_t dim : head_sizes)
    for (const std::ptrdiff_t dim_v : head_sizes) {
      this->check({.heads = 2,
                   .queries = 1 + seed % 23,
                   .keys = 1 + seed * 7 % 71,
                   .dim = dim,
                   .key_heads = 1 + seed % 2,
                   .dim_v = dim_v},
                  seed);
      ++seed;
    }
}

TYPED_TEST(attention_backward_accuracy, matches_the_long_double_reference_for_1021_queries_or_keys) {
  this->check({.queries = 1, .keys = 1021, .dim = 64}, 701);
  this->check({.heads = 2, .queries = 5, .keys = 1021, .dim = 59, .key_heads = 1}, 702);
  this->check({.queries = 67, .keys = 1021, .dim = 16, .dim_v = 111}, 703);
  this->check({.queries = 1021, .keys = 1, .dim = 64}, 704);
  this->check({.queries = 1021, .keys = 63, .dim = 16, .dim_v = 9}, 705);
  this->check({.queries = 1021, .keys = 1021, .dim = 8, .dim_v = 5}, 706);
}

TYPED_TEST(attention_backward_accuracy,
           matches_the_long_double_reference_for_several_chains_of_queries_or_keys) {
  this->check({.queries = 1, .keys = 4161, .dim = 8}, 707);
  this->check({.heads = 2, .queries = 3, .keys = 2113, .dim = 5, .key_heads = 1}, 708);
  this->check({.queries = 3137, .keys = 3, .dim = 4}, 709);
}

TYPED_TEST(attention_backward_accuracy, matches_the_long_double_reference_where_heads_share_keys) {
  for (const std::ptrdiff_t key_heads : {1, 2, 3, 6})
    for (const std::ptrdiff_t queries : {1, 5, 70})
      this->check({.batch = 2, .heads = 6, .queries = queries, .keys = 67, .dim = 20, .key_heads = key_heads},
                  711);
}

TYPED_TEST(attention_backward_accuracy, matches_the_long_double_reference_where_logits_are_large) {
  for (const std::ptrdiff_t keys : {2, 63, 200})
    for (const std::ptrdiff_t queries : {1, 67}) {
      this->check({.queries = queries, .keys = keys, .dim = 64}, 721, 10, 10);
      this->check({.queries = queries, .keys = keys, .dim = 64}, 722, 100, 100);
    }
}

TYPED_TEST(attention_backward_accuracy, matches_the_long_double_reference_where_weights_vanish) {
  // Two keys 85, 100 and 20000 apart: weights at, and far beyond, the edge of float.
  for (const double score : {85.0, 100.0, 20000.0}) {
    auto in = make_inputs<TypeParam>({.queries = 3, .keys = 4, .dim = 4, .dim_v = 9}, 731);
    for (std::size_t i = 0; i < in.q.size(); ++i) in.q[i] = narrow<TypeParam>(i % 4 == 0 ? 2 : 0);
    for (std::size_t i = 0; i < in.k.size(); ++i)
      in.k[i] = narrow<TypeParam>(i % 4 != 0 ? 0.5 : i < 4 ? score / 2 : -score / 2);
    this->check(with_forward(in, normal<TypeParam>(in.shape.o_count(), 732)));
  }
}

TYPED_TEST(attention_backward_accuracy, matches_the_long_double_reference_with_every_modifier) {
  std::uint32_t seed = 741;
  for (const std::ptrdiff_t queries : {1, 5, 66, 130})
    for (const std::ptrdiff_t keys : {3, 64, 190}) {
      const attention_shape shape{
          .batch = 2, .heads = 4, .queries = queries, .keys = keys, .dim = 16, .key_heads = 2, .dim_v = 24};
      const auto m = this->every_modifier(shape, seed);
      this->check(make_backward_inputs<TypeParam>(shape, seed++, m), m);
    }
}

template <class T>
class attention_backward_of_its_own_forward_pass : public testing::Test {};
using computed = testing::Types<float, double>;
TYPED_TEST_SUITE(attention_backward_of_its_own_forward_pass, computed, scalar_names);

/// 2 (8 + max|s|) e max|gradient| from the gradient of exact attention.
template <class T>
testing::AssertionResult near_the_exact_gradient(const std::vector<T>& gradient,
                                                 const gradient_sums& expected) {
  const real peak = std::ranges::max(expected.score_peak);
  real largest = 0;
  for (const real value : expected.value) largest = std::max(largest, std::abs(value));
  const real bound = 2 * (8 + peak) * epsilon<T>() * largest;
  return each_within(gradient, expected.value, [&](std::size_t) { return bound; });
}

TYPED_TEST(attention_backward_of_its_own_forward_pass, is_near_the_gradient_of_exact_attention) {
  using T = TypeParam;
  std::uint32_t seed = 751;
  for (const std::ptrdiff_t tokens : {2, 9, 64, 130, 300})
    for (const std::ptrdiff_t dim : {16, 64}) {
      const attention_shape shape{.heads = 2, .queries = tokens, .keys = tokens + 3, .dim = dim};
      const auto in = make_inputs<T>(shape, seed);
      const auto dout = normal<T>(shape.o_count(), seed + 3);
      const attention_reference exact = expected_attention(in);
      const auto wide_dout = widen(dout);
      const auto expected = reference_attention_backward(shape, widen(in.q), widen(in.k), widen(in.v), {},
                                                         {wide_dout, exact.o, exact.lse});
      for (const attention_path path : both_paths) {
        const auto forward = attended(path, in);
        const auto result =
            differentiated(path, attention_backward_inputs<T>{in, dout, forward.o, forward.lse});
        EXPECT_TRUE(near_the_exact_gradient(result.q, expected.q)) << "dq, " << name_of(path) << shape;
        EXPECT_TRUE(near_the_exact_gradient(result.k, expected.k)) << "dk, " << name_of(path) << shape;
        EXPECT_TRUE(near_the_exact_gradient(result.v, expected.v)) << "dv, " << name_of(path) << shape;
      }
      seed += 7;
    }
}

}  // namespace
}  // namespace tensornorm_test
