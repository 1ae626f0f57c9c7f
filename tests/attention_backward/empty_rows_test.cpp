// A query that sees no key has no gradient and gives none, and a key that no query sees has none, however
// that came to be.
#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"

namespace tensornorm_test {
namespace {

using list = modifier_list<float>;
using tn::align;

constexpr float infinity = std::numeric_limits<float>::infinity();

struct backward_empty_rows : testing::Test {
  static constexpr attention_shape shapes[] = {
      {.batch = 2, .heads = 2, .queries = 1, .keys = 1, .dim = 4},
      {.batch = 2, .heads = 2, .queries = 3, .keys = 70, .dim = 8, .key_heads = 1, .dim_v = 5},
      {.batch = 2, .heads = 2, .queries = 70, .keys = 70, .dim = 16},
      {.batch = 2, .heads = 2, .queries = 130, .keys = 67, .dim = 16, .dim_v = 20}};

  /// Empty queries have rows of exact zeros in dq, keys that nobody sees in dk and dv; the others keep the
  /// bounds. A NaN in the dout of an empty query changes nothing.
  static void expect_zeros(const attention_shape& shape, const list& modifiers) {
    auto in = make_backward_inputs<float>(shape, 881, modifiers);
    const auto empty = empty_queries(in, modifiers);
    EXPECT_TRUE(std::ranges::count(empty, true) > 0) << shape;
    const auto expected = expected_gradients(in, modifiers);
    for (const attention_path path : both_paths) {
      SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape);
      const auto result = differentiated(path, in, modifiers);
      EXPECT_TRUE(within_bounds(result, expected));
      expect_zeros_where(empty, result.q, "dq");
      expect_zeros_where(unseen_keys(expected.k), result.k, "dk");
      expect_zeros_where(unseen_keys(expected.v), result.v, "dv");
      if (modifiers.sinks) continue;
      auto loud = in;
      for (std::size_t row = 0; row < empty.size(); ++row)
        if (empty[row])
          std::fill_n(loud.dout.begin() + offset(row, shape), shape.size_of_v(), quiet_nan<float>());
      EXPECT_TRUE(same_bits(differentiated(path, loud, modifiers), result)) << "NaN in dout";
    }
  }

 private:
  static std::ptrdiff_t offset(std::size_t row, const attention_shape& shape) {
    return static_cast<std::ptrdiff_t>(row) * shape.size_of_v();
  }

  /// By the oracle without the sinks.
  static std::vector<bool> empty_queries(const attention_inputs<float>& in, list modifiers) {
    modifiers.sinks.reset();
    std::vector<bool> empty;
    for (const real lse : expected_attention(in, modifiers).lse)
      empty.push_back(lse == -std::numeric_limits<real>::infinity());
    return empty;
  }
  /// Keys without a single term.
  static std::vector<bool> unseen_keys(const gradient_sums& expected) {
    std::vector<bool> unseen;
    for (std::size_t row = 0; row < expected.score_peak.size(); ++row)
      unseen.push_back(expected.score_peak[row] == 0 && expected.terms[row * expected.row_size] == 0);
    return unseen;
  }
  static void expect_zeros_where(const std::vector<bool>& zero, const std::vector<float>& rows,
                                 const char* name) {
    const std::size_t size = zero.empty() ? 0 : rows.size() / zero.size();
    for (std::size_t row = 0; row < zero.size(); ++row)
      for (std::size_t d = 0; d < size && zero[row]; ++d)
        ASSERT_EQ(rows[row * size + d], 0) << name << ", row " << row;
  }
};

TEST_F(backward_empty_rows, by_a_mask) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return false; });
    expect_zeros(shape, m);
    m.mask =
        make_spread<bool>({1, 1, shape.queries, 1}, [](const score_index& at) { return at.query % 3 == 1; });
    expect_zeros(shape, m);
    m.mask = make_spread<bool>(scores_of(shape), [](const score_index& at) {
      return (at.batch + at.head) % 2 == 1 && at.query % 4 != 0 && at.key % 5 == 0;
    });
    expect_zeros(shape, m);
  }
}

TEST_F(backward_empty_rows, by_a_bias_of_minus_infinity) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return -infinity; });
    expect_zeros(shape, m);
    m.bias = make_spread<float>({1, 1, shape.queries, shape.keys},
                                [](const score_index& at) { return at.query % 3 == 0 ? -infinity : 0.5f; });
    expect_zeros(shape, m);
  }
}

TEST_F(backward_empty_rows, by_causal_with_more_queries_than_keys) {
  for (const std::ptrdiff_t keys : {1, 5, 64, 66})
    for (const std::ptrdiff_t queries : {keys + 1, keys + 3, keys + 64, keys + 70}) {
      list m;
      m.causal = align::bottom_right;
      expect_zeros({.heads = 2, .queries = queries, .keys = keys, .dim = 8}, m);
    }
}

TEST_F(backward_empty_rows, by_a_window_beside_the_keys) {
  for (const align a : {align::top_left, align::bottom_right})
    for (const std::ptrdiff_t keys : {1, 5, 64, 66}) {
      list m;
      m.window = {2, 1, a};
      expect_zeros({.heads = 2, .queries = keys + 70, .keys = keys, .dim = 8}, m);
    }
}

TEST_F(backward_empty_rows, by_a_key_length_of_zero) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.lengths = {0, static_cast<std::int32_t>(shape.keys)};
    expect_zeros(shape, m);
    m.lengths = {0, 0};
    expect_zeros(shape, m);
  }
}

TEST_F(backward_empty_rows, by_no_keys_at_all) {
  for (const std::ptrdiff_t queries : {1, 3, 70}) {
    const attention_shape shape{.batch = 2, .heads = 2, .queries = queries, .keys = 0, .dim = 16, .dim_v = 9};
    expect_zeros(shape, {});
    list m;
    m.sinks = {0.5f, -2.f};
    expect_zeros(shape, m);
    m = {};
    m.causal = align::top_left;
    expect_zeros(shape, m);
    m = {};
    m.mask = make_spread<bool>(scores_of(shape), [](const score_index&) { return true; });
    expect_zeros(shape, m);
  }
}

TEST_F(backward_empty_rows, that_have_a_sink) {
  for (const attention_shape& shape : shapes)
    for (const float second : {-20.f, -infinity}) {
      const auto keys = static_cast<std::int32_t>(shape.keys);
      list m;
      m.causal = align::bottom_right;
      m.mask = make_spread<bool>({1, 1, shape.queries, shape.keys},
                                 [](const score_index& at) { return at.query % 2 == 1 && at.key % 3 == 0; });
      m.lengths = {keys / 2, 0};
      m.sinks = {0.5f, second};
      expect_zeros(shape, m);
    }
}

TEST_F(backward_empty_rows, of_every_modifier_at_once) {
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
class backward_empty_rows_of : public testing::Test {};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(backward_empty_rows_of, scalars, scalar_names);

TYPED_TEST(backward_empty_rows_of, each_scalar_are_zeros) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  const attention_shape shape{.batch = 2, .queries = 5, .keys = 70, .dim = 8};
  modifier_list<A> m;
  m.bias = make_spread<A>({1, 1, 1, 1}, [](const score_index&) { return A(1); });
  m.mask = make_spread<bool>({1, 1, 5, 70},
                             [](const score_index& at) { return at.query % 2 == 1 && at.key != 3; });
  m.lengths = {69, 0};
  for (const attention_path path : both_paths) {
    const auto result = differentiated(path, make_backward_inputs<T>(shape, 882, m), m);
    for (std::size_t i = 0; i < result.q.size(); ++i)
      if (i / 8 != 1 && i / 8 != 3) {
        ASSERT_EQ(widen(result.q[i]), 0) << name_of_backward(path) << " " << i;
      }
    for (std::size_t i = 0; i < result.k.size(); ++i)
      if (i / 8 == 3 || i / 8 >= 69) {
        ASSERT_EQ(widen(result.k[i]), 0) << name_of_backward(path) << " " << i;
        ASSERT_EQ(widen(result.v[i]), 0) << name_of_backward(path) << " " << i;
      }
  }
}

TYPED_TEST(backward_empty_rows_of, keys_without_queries_are_zeros) {
  using T = TypeParam;
  for (const attention_shape& shape :
       {attention_shape{.queries = 0, .keys = 5, .dim = 4},
        attention_shape{
            .batch = 2, .heads = 4, .queries = 0, .keys = 70, .dim = 16, .key_heads = 2, .dim_v = 9}})
    for (const attention_path path : both_paths) {
      const auto result = differentiated(path, make_backward_inputs<T>(shape, 883));
      for (const auto* gradient : {&result.k, &result.v})
        for (const T value : *gradient) ASSERT_EQ(widen(value), 0) << name_of_backward(path) << ", " << shape;
    }
}

TYPED_TEST(backward_empty_rows_of, no_batch_or_no_heads_write_nothing) {
  using T = TypeParam;
  for (const attention_shape& shape : {attention_shape{.batch = 0, .queries = 3, .keys = 5, .dim = 4},
                                       attention_shape{.heads = 0, .queries = 3, .keys = 5, .dim = 4},
                                       attention_shape{.queries = 0, .keys = 0, .dim = 4}})
    for (const attention_path path : both_paths) {
      const auto in = make_backward_inputs<T>(shape, 884);
      T untouched = narrow<T>(42);
      differentiate<T>({path, shape, in.dout.data(), in.q.data(), in.k.data(), in.v.data(), in.o.data(),
                        in.lse.data(), &untouched, &untouched, &untouched});
      EXPECT_EQ(widen(untouched), 42);
    }
}

TYPED_TEST(backward_empty_rows_of, accumulation_leaves_what_was_there) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  const attention_shape shape{.batch = 2, .heads = 2, .queries = 5, .keys = 70, .dim = 8};
  modifier_list<A> m;
  m.bias = make_spread<A>({1, 1, 1, 70}, [](const score_index&) { return A(1); });
  m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return false; });
  m.lengths = {69, 0};
  for (const attention_path path : both_paths) {
    const auto before = filled_gradients<T>(shape, m, 42);
    auto result = before;
    differentiate_into(result, path, make_backward_inputs<T>(shape, 885, m), m, tn::accumulate);
    EXPECT_TRUE(same_bits(result, before)) << name_of_backward(path);
  }
}

}  // namespace
}  // namespace tensornorm_test
