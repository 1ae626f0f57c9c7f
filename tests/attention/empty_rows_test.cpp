// A query that sees no key has output 0 and lse -inf, or the sink's, however it came to see none.
#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"

namespace tensornorm_test {
namespace {

using list = modifier_list<float>;
using tn::align;

constexpr float infinity = std::numeric_limits<float>::infinity();

struct empty_rows : testing::Test {
  /// Rows that see nothing are exactly 0 (not -0) and -inf or their sink; all others keep the bounds.
  static void expect_zeros(const attention_shape& shape, const list& modifiers, bool all_empty = false) {
    const auto in = make_inputs<float>(shape, 351);
    const attention_reference expected = expected_attention(in, modifiers);
    const auto size = static_cast<std::size_t>(shape.size_of_v());
    std::size_t empty = 0;
    for (const attention_path path : both_paths) {
      SCOPED_TRACE(testing::Message() << name_of(path) << ", " << shape);
      const auto result = attended(path, in, modifiers);
      EXPECT_TRUE(within_bounds(result, expected));
      for (std::size_t row = 0; row < shape.rows(); ++row) {
        if (!is_empty(in, modifiers, row)) continue;
        ++empty;
        const std::size_t head =
            row / static_cast<std::size_t>(shape.queries) % static_cast<std::size_t>(shape.heads);
        for (std::size_t d = 0; d < size; ++d)
          ASSERT_EQ(bits(result.o[row * size + d]), bits(0.f)) << "query " << row;
        ASSERT_EQ(result.lse[row], modifiers.sinks ? modifiers.sinks->data[head] : -infinity)
            << "query " << row;
      }
    }
    EXPECT_GT(empty, 0u) << shape;
    if (all_empty) {
      EXPECT_EQ(empty, 2 * shape.rows()) << shape;
    }
  }

  /// By the oracle without the sinks.
  static bool is_empty(const attention_inputs<float>& in, const list& modifiers, std::size_t row) {
    static std::vector<real> lse;
    if (row == 0) {
      list without = modifiers;
      without.sinks.reset();
      lse = expected_attention(in, without).lse;
    }
    return lse[row] == -std::numeric_limits<real>::infinity();
  }

  static constexpr attention_shape shapes[] = {
      {.batch = 2, .heads = 2, .queries = 1, .keys = 1, .dim = 4},
      {.batch = 2, .heads = 2, .queries = 3, .keys = 70, .dim = 8, .key_heads = 1, .dim_v = 5},
      {.batch = 2, .heads = 2, .queries = 70, .keys = 70, .dim = 16},
      {.batch = 2, .heads = 2, .queries = 130, .keys = 129, .dim = 16, .dim_v = 20},
      {.batch = 2, .heads = 2, .queries = 2, .keys = 1100, .dim = 16}};
};

TEST_F(empty_rows, by_a_mask) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return false; });
    expect_zeros(shape, m, true);
    m.mask =
        make_spread<bool>({1, 1, shape.queries, 1}, [](const score_index& at) { return at.query % 3 == 1; });
    expect_zeros(shape, m);
    m.mask = make_spread<bool>(scores_of(shape), [](const score_index& at) {
      return (at.batch + at.head) % 2 == 1 && at.query % 4 != 0 && at.key % 5 == 0;
    });
    expect_zeros(shape, m);
  }
}

TEST_F(empty_rows, by_a_bias_of_minus_infinity) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return -infinity; });
    expect_zeros(shape, m, true);
    m.bias = make_spread<float>({1, 1, shape.queries, shape.keys},
                                [](const score_index& at) { return at.query % 3 == 0 ? -infinity : 0.5f; });
    expect_zeros(shape, m);
  }
}

TEST_F(empty_rows, by_causal_with_more_queries_than_keys) {
  for (const std::ptrdiff_t keys : {1, 5, 64, 66})
    for (const std::ptrdiff_t queries : {keys + 1, keys + 3, keys + 64, keys + 70}) {
      list m;
      m.causal = align::bottom_right;
      expect_zeros({.heads = 2, .queries = queries, .keys = keys, .dim = 8}, m);
    }
}

TEST_F(empty_rows, by_a_window_beside_the_keys) {
  for (const std::ptrdiff_t keys : {1, 5, 64, 66}) {
    list m;
    m.window = {2, 1, align::top_left};
    expect_zeros({.heads = 2, .queries = keys + 70, .keys = keys, .dim = 8}, m);
    m.window = {2, 1, align::bottom_right};
    expect_zeros({.heads = 2, .queries = keys + 70, .keys = keys, .dim = 8}, m);
  }
}

TEST_F(empty_rows, by_a_key_length_of_zero) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.lengths = {0, static_cast<std::int32_t>(shape.keys)};
    expect_zeros(shape, m);
    m.lengths = {0, 0};
    expect_zeros(shape, m, true);
  }
}

TEST_F(empty_rows, by_no_keys_at_all) {
  for (const std::ptrdiff_t queries : {1, 3, 70, 130}) {
    const attention_shape shape{.batch = 2, .heads = 2, .queries = queries, .keys = 0, .dim = 16, .dim_v = 9};
    expect_zeros(shape, {}, true);
    list m;
    m.sinks = {0.5f, -2.f};
    expect_zeros(shape, m, true);
    m = {};
    m.causal = align::top_left;
    expect_zeros(shape, m, true);
    m = {};
    m.mask = make_spread<bool>(scores_of(shape), [](const score_index&) { return true; });
    expect_zeros(shape, m, true);
  }
}

TEST_F(empty_rows, have_the_sink_as_lse) {
  for (const attention_shape& shape : shapes) {
    const auto keys = static_cast<std::int32_t>(shape.keys);
    list m;
    m.causal = align::bottom_right;
    m.mask = make_spread<bool>({1, 1, shape.queries, shape.keys},
                               [](const score_index& at) { return at.query % 2 == 1 && at.key % 3 == 0; });
    m.lengths = {keys / 2, 0};
    m.sinks = {0.5f, -20.f};
    expect_zeros(shape, m);
  }
}

TEST_F(empty_rows, have_the_sink_as_lse_even_where_it_is_minus_infinity) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.causal = align::top_left;
    m.mask =
        make_spread<bool>({1, 1, shape.queries, 1}, [](const score_index& at) { return at.query % 2 == 1; });
    m.lengths = {static_cast<std::int32_t>(shape.keys), 0};
    m.sinks = {-infinity, -infinity};
    expect_zeros(shape, m);
  }
}

TEST_F(empty_rows, of_every_modifier_at_once) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.softcap = 5;
    m.bias = make_spread<float>({1, 1, shape.queries, 1},
                                [](const score_index& at) { return at.query % 3 == 2 ? -infinity : 1.f; });
    m.alibi = {{0.5f, 0.25f}, align::top_left};
    m.causal = align::bottom_right;
    m.window = {40, 40};
    m.mask =
        make_spread<bool>({1, 1, shape.queries, 1}, [](const score_index& at) { return at.query % 2 == 1; });
    m.lengths = {static_cast<std::int32_t>(shape.keys), 0};
    m.sinks = {1.f, -1.f};
    expect_zeros(shape, m);
  }
}

template <class T>
class empty_rows_of : public testing::Test {};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(empty_rows_of, scalars, scalar_names);

TYPED_TEST(empty_rows_of, each_scalar_are_zeros) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  const attention_shape shape{.batch = 2, .queries = 5, .keys = 70, .dim = 8};
  modifier_list<A> m;
  m.bias = make_spread<A>({1, 1, 1, 1}, [](const score_index&) { return A(1); });
  m.mask = make_spread<bool>({1, 1, 5, 1}, [](const score_index& at) { return at.query % 2 == 1; });
  m.lengths = {70, 0};
  for (const attention_path path : both_paths) {
    const auto result = attended(path, make_inputs<T>(shape, 352), m);
    for (std::size_t row = 0; row < 10; ++row) {
      if (row == 1 || row == 3) continue;
      EXPECT_EQ(result.lse[row], -std::numeric_limits<A>::infinity()) << name_of(path) << " " << row;
      for (std::size_t d = 0; d < 8; ++d) EXPECT_EQ(bits(result.o[row * 8 + d]), bits(narrow<T>(0)));
    }
  }
}

TYPED_TEST(empty_rows_of, no_queries_write_nothing) {
  using T = TypeParam;
  for (const attention_shape& shape : {attention_shape{.queries = 0, .keys = 5, .dim = 4},
                                       attention_shape{.batch = 0, .queries = 3, .keys = 5, .dim = 4},
                                       attention_shape{.heads = 0, .queries = 3, .keys = 5, .dim = 4},
                                       attention_shape{.queries = 0, .keys = 0, .dim = 4}})
    for (const attention_path path : both_paths) {
      const auto in = make_inputs<T>(shape, 353);
      T untouched = narrow<T>(42);
      std::vector<tn::accumulator_t<T>> lse(3);
      attend<T>({path, shape, in.q.data(), in.k.data(), in.v.data(), &untouched, &lse});
      EXPECT_EQ(widen(untouched), 42);
      EXPECT_TRUE(lse.empty());
    }
}

}  // namespace
}  // namespace tensornorm_test
