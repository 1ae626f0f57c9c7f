// A KeyValueCache holds what was appended, whatever its block; what does not fit is an error that changes
// nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <tensornorm/tensornorm.hpp>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using index_nn = Eigen::Index;

template <class T>
using heads = row_major_tensor<T, 4>;

/// Tokens [first, last) of k: batch x tokens x heads x dim.
template <class T>
heads<T> tokens_of(const heads<T>& k, index_nn first, index_nn last) {
  const Eigen::array<index_nn, 4> start{0, first, 0, 0};
  const Eigen::array<index_nn, 4> size{k.dimension(0), last - first, k.dimension(2), k.dimension(3)};
  return k.slice(start, size);
}

/// The first `count` tokens of what a cache holds, batch x heads x capacity x dim, as they were appended.
template <class T>
heads<T> first_tokens(const heads<T>& held, index_nn count) {
  heads<T> x(held.dimension(0), count, held.dimension(1), held.dimension(3));
  for (index_nn b = 0; b < x.dimension(0); ++b)
    for (index_nn t = 0; t < count; ++t)
      for (index_nn h = 0; h < x.dimension(2); ++h)
        for (index_nn d = 0; d < x.dimension(3); ++d) x(b, t, h, d) = held(b, h, t, d);
  return x;
}

template <class T>
struct cache_of : testing::Test {
  static constexpr tn::key_value_cache_options options(index_nn block) {
    return {.batch = 3, .key_heads = 2, .dim_head = 5, .value_dim = 4, .block = block};
  }
  const heads<T> k = normal_tensor<heads<T>>({3, 21, 2, 5}, 1241);
  const heads<T> v = normal_tensor<heads<T>>({3, 21, 2, 4}, 1242);

  void append(tn::KeyValueCache<T>& cache, index_nn first, index_nn last) const {
    cache.append(tokens_of(k, first, last), tokens_of(v, first, last));
  }
  void expect_first(const tn::KeyValueCache<T>& cache, index_nn count) const {
    ASSERT_EQ(cache.size(), count);
    ASSERT_GE(cache.capacity(), count);
    EXPECT_EQ(extents_of(cache.keys()), (extents{3, 2, cache.capacity(), 5}));
    EXPECT_EQ(extents_of(cache.values()), (extents{3, 2, cache.capacity(), 4}));
    EXPECT_TRUE(
        same_bits(elements_of(first_tokens(cache.keys(), count)), elements_of(tokens_of(k, 0, count))));
    EXPECT_TRUE(
        same_bits(elements_of(first_tokens(cache.values(), count)), elements_of(tokens_of(v, 0, count))));
    ASSERT_EQ(cache.lengths().size(), 3);
    for (index_nn b = 0; b < 3; ++b) EXPECT_EQ(cache.lengths()(b), count);
  }
};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(cache_of, scalars, scalar_names);

TYPED_TEST(cache_of, holds_what_was_appended_in_pieces_of_any_size) {
  for (const index_nn block : {1, 4, 256})
    for (const std::vector<index_nn>& ends :
         {std::vector<index_nn>{21}, {7, 8, 9, 10, 11, 21}, {0, 1, 1, 4, 5, 16, 17, 21}}) {
      SCOPED_TRACE(testing::Message() << "blocks of " << block);
      tn::KeyValueCache<TypeParam> cache(this->options(block));
      this->expect_first(cache, 0);
      index_nn first = 0;
      for (const index_nn last : ends) {
        this->append(cache, first, last);
        this->expect_first(cache, last);
        EXPECT_EQ(cache.capacity(), (last + block - 1) / block * block);
        first = last;
      }
    }
}

TYPED_TEST(cache_of, takes_column_major_tensors_and_expressions) {
  using T = TypeParam;
  const auto keys = tensor_of<col_major_tensor<T, 4>>({3, 21, 2, 5}, elements_of(this->k));
  const auto values = tensor_of<col_major_tensor<T, 4>>({3, 21, 2, 4}, elements_of(this->v));
  tn::KeyValueCache<T> by_columns(this->options(4)), by_expressions(this->options(4));
  by_columns.append(keys, values);
  this->expect_first(by_columns, 21);
  by_expressions.append(this->k * T(1.f), values * T(1.f));
  this->expect_first(by_expressions, 21);
}

TYPED_TEST(cache_of, truncated_forgets_the_last_tokens_and_keeps_its_memory) {
  tn::KeyValueCache<TypeParam> cache(this->options(4));
  this->append(cache, 0, 13);
  const auto* const memory = cache.keys().data();
  cache.truncate(13);
  this->expect_first(cache, 13);
  cache.truncate(6);
  this->expect_first(cache, 6);
  EXPECT_EQ(cache.capacity(), 16);
  this->append(cache, 6, 9);
  this->expect_first(cache, 9);
  cache.truncate();
  this->expect_first(cache, 0);
  this->append(cache, 0, 16);
  this->expect_first(cache, 16);
  EXPECT_EQ(cache.keys().data(), memory);
  this->append(cache, 16, 21);
  this->expect_first(cache, 21);
}

TYPED_TEST(cache_of, is_attended_to_as_what_was_appended) {
  using T = TypeParam;
  tn::KeyValueCache<T> cache(this->options(16));
  this->append(cache, 0, 21);
  for (const index_nn tokens : {1, 3, 21}) {
    const heads<T> q = normal_tensor<heads<T>>({3, tokens, 4, 5}, 1244);
    const heads<T> heads_first = q.shuffle(Eigen::array<int, 4>{0, 2, 1, 3});
    const auto causal = tn::causal(tn::align::bottom_right);
    const heads<T> expected = tn::attention(q, this->k, this->v, causal, tn::tokens_first);
    const heads<T> o =
        tn::attention(heads_first, cache.keys(), cache.values(), tn::key_lengths(cache.lengths()), causal);
    EXPECT_TRUE(same_bits(elements_of(first_tokens(o, tokens)), elements_of(expected))) << tokens;
  }
}

/// The call throws exactly this text.
template <class Call>
void expect_error(const std::string& text, const Call& call) {
  EXPECT_THAT(call, testing::ThrowsMessage<std::invalid_argument>(testing::StrEq(text)));
}

using a_cache = cache_of<float>;

TEST_F(a_cache, names_both_sizes_of_what_does_not_fit_and_is_unchanged) {
  tn::KeyValueCache<float> cache(options(4));
  append(cache, 0, 6);
  const auto expect = [&](const std::string& text, const extents& k_size, const extents& v_size) {
    const auto make = [](const extents& s) {
      return normal_tensor<heads<float>>({s[0], s[1], s[2], s[3]}, 1243);
    };
    expect_error("KeyValueCache: append: " + text, [&] { cache.append(make(k_size), make(v_size)); });
    expect_first(cache, 6);
    EXPECT_EQ(cache.capacity(), 8);
  };
  expect("k has shape 2x3x2x5, expected 3x3x2x5", {2, 3, 2, 5}, {3, 3, 2, 4});
  expect("k has shape 3x3x1x5, expected 3x3x2x5", {3, 3, 1, 5}, {3, 3, 2, 4});
  expect("k has shape 3x3x2x4, expected 3x3x2x5", {3, 3, 2, 4}, {3, 3, 2, 4});
  expect("v has shape 3x3x2x5, expected 3x3x2x4", {3, 3, 2, 5}, {3, 3, 2, 5});
  expect("v has shape 3x7x2x4, expected 3x3x2x4", {3, 3, 2, 5}, {3, 7, 2, 4});
  expect("v has shape 1x30x2x4, expected 3x30x2x4", {3, 30, 2, 5}, {1, 30, 2, 4});
}

TEST_F(a_cache, is_truncated_only_to_what_it_has) {
  tn::KeyValueCache<float> cache(options(4));
  append(cache, 0, 6);
  expect_error("KeyValueCache: truncate: tokens is 7, expected 0 to 6", [&] { cache.truncate(7); });
  expect_error("KeyValueCache: truncate: tokens is -1, expected 0 to 6", [&] { cache.truncate(-1); });
  expect_first(cache, 6);
}

TEST(options_of_a_cache, are_positive_and_value_dim_is_that_of_keys) {
  const auto make = [](const tn::key_value_cache_options& options) {
    return [options] { tn::KeyValueCache<float> cache(options); };
  };
  expect_error("KeyValueCache: batch is 0, expected at least 1",
               make({.batch = 0, .key_heads = 1, .dim_head = 1}));
  expect_error("KeyValueCache: key_heads is 0, expected at least 1", make({.dim_head = 1}));
  expect_error("KeyValueCache: dim_head is 0, expected at least 1", make({.key_heads = 1}));
  expect_error("KeyValueCache: value_dim is -2, expected at least 1",
               make({.key_heads = 1, .dim_head = 1, .value_dim = -2}));
  expect_error("KeyValueCache: block is 0, expected at least 1",
               make({.key_heads = 1, .dim_head = 1, .block = 0}));
  const tn::KeyValueCache<float> cache({.key_heads = 3, .dim_head = 8});
  EXPECT_EQ(cache.options().value_dim, 8);
  EXPECT_EQ(cache.options().batch, 1);
  EXPECT_EQ(cache.options().block, 256);
}

}  // namespace
}  // namespace tensornorm_test
