// What a query does not see changes no bit of it, be it NaN or infinite; what it sees reaches it.
#include <gtest/gtest.h>

#include <limits>

#include "../support/attention_bounds.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

constexpr double poisons[] = {std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(), 3e38};

/// q, k and v that can be poisoned. One head of queries and keys in each of two batch elements.
template <class T>
struct poisoned : attention_inputs<T> {
  poisoned(const attention_inputs<T>& clean) : attention_inputs<T>(clean) {}

  /// Every number of a key.
  void poison_key(std::ptrdiff_t batch, std::ptrdiff_t key, double value) {
    fill(this->k, batch * this->shape.keys + key, this->shape.dim, value);
  }
  void poison_value(std::ptrdiff_t batch, std::ptrdiff_t key, double value) {
    fill(this->v, batch * this->shape.keys + key, this->shape.size_of_v(), value);
  }

 private:
  static void fill(std::vector<T>& rows, std::ptrdiff_t row, std::ptrdiff_t size, double value) {
    for (std::ptrdiff_t d = 0; d < size; ++d)
      rows[static_cast<std::size_t>(row * size + d)] = narrow<T>(value);
  }
};

template <class T>
class isolation_of_keys : public testing::Test {
 protected:
  using accumulator = tn::accumulator_t<T>;

  static constexpr attention_shape shapes[] = {
      {.batch = 2, .queries = 1, .keys = 3, .dim = 4, .dim_v = 3},
      {.batch = 2, .queries = 2, .keys = 130, .dim = 16},
      {.batch = 2, .queries = 9, .keys = 1100, .dim = 8, .dim_v = 5},
      {.batch = 2, .queries = 70, .keys = 70, .dim = 17, .dim_v = 33},
      {.batch = 2, .queries = 131, .keys = 197, .dim = 64}};

  /// accumulator list that hides nothing, but has every modifier that can: one set is compiled for all
  /// scalars.
  static modifier_list<accumulator> visible(const attention_shape& shape) {
    const auto keys = static_cast<std::int32_t>(shape.keys);
    modifier_list<accumulator> m;
    m.bias = make_spread<accumulator>({1, 1, 1, 1}, [](const score_index&) { return accumulator(0.5); });
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
    m.lengths = {keys, keys};
    return m;
  }

  /// Calls with every key and value poisoned that no query of its batch element sees.
  static void expect_no_bit_of_the_unseen(const attention_shape& shape,
                                          const modifier_list<accumulator>& modifiers) {
    const auto clean = make_inputs<T>(shape, 361);
    const attention_policy policy = policy_of(modifiers, shape);
    for (const attention_path path : both_paths) {
      const auto expected = attended(path, clean, modifiers);
      EXPECT_TRUE(within_bounds(expected, expected_attention(clean, modifiers)))
          << name_of(path) << ", " << shape;
      for (const double poison : poisons) {
        poisoned<T> in(clean);
        int count = 0;
        for (std::ptrdiff_t batch = 0; batch < shape.batch; ++batch)
          for (std::ptrdiff_t key = 0; key < shape.keys; ++key)
            if (unseen(policy, shape, batch, key)) {
              ++count;
              in.poison_key(batch, key, poison);
              in.poison_value(batch, key, poison);
            }
        EXPECT_GT(count, 0);
        EXPECT_TRUE(same_bits(attended<T>(path, in, modifiers), expected))
            << name_of(path) << ", " << shape << ", " << poison << " in " << count << " keys";
      }
    }
  }

  static bool sees(const attention_policy& policy, const score_index& at) {
    if (at.key >= policy.key_lengths[static_cast<std::size_t>(at.batch)]) return false;
    for (const auto& bias : policy.bias)
      if (bias(at) == -std::numeric_limits<real>::infinity()) return false;
    return std::ranges::all_of(policy.keep, [&](const auto& keep) { return keep(at); });
  }

 private:
  static bool unseen(const attention_policy& policy, const attention_shape& shape, std::ptrdiff_t batch,
                     std::ptrdiff_t key) {
    for (std::ptrdiff_t query = 0; query < shape.queries; ++query)
      if (sees(policy, {batch, 0, query, key})) return false;
    return true;
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(isolation_of_keys, scalars, scalar_names);

TYPED_TEST(isolation_of_keys, behind_a_mask) {
  for (const attention_shape& shape : this->shapes) {
    auto m = this->visible(shape);
    m.mask = make_spread<bool>({2, 1, 1, shape.keys},
                               [](const score_index& at) { return (at.key + at.batch) % 3 == 0; });
    this->expect_no_bit_of_the_unseen(shape, m);
    m.mask = make_spread<bool>(scores_of(shape), [](const score_index& at) {
      return at.key % 2 == 0 && (at.key + at.query) % 3 != 0;
    });
    this->expect_no_bit_of_the_unseen(shape, m);
  }
}

TYPED_TEST(isolation_of_keys, behind_a_bias_of_minus_infinity) {
  using A = tn::accumulator_t<TypeParam>;
  for (const attention_shape& shape : this->shapes) {
    auto m = this->visible(shape);
    m.bias = make_spread<A>({1, 1, 1, shape.keys}, [](const score_index& at) {
      return at.key % 3 == 1 ? -std::numeric_limits<A>::infinity() : A(0.25);
    });
    this->expect_no_bit_of_the_unseen(shape, m);
  }
}

TYPED_TEST(isolation_of_keys, past_a_length) {
  for (const attention_shape& shape : this->shapes)
    for (const std::ptrdiff_t length :
         {std::ptrdiff_t{0}, std::ptrdiff_t{1}, shape.keys / 2, shape.keys - 1}) {
      auto m = this->visible(shape);
      m.lengths = {static_cast<std::int32_t>(length), static_cast<std::int32_t>(shape.keys - 1)};
      this->expect_no_bit_of_the_unseen(shape, m);
    }
}

TYPED_TEST(isolation_of_keys, in_first_tiles_that_are_wholly_masked) {
  for (const attention_shape& shape : this->shapes) {
    if (shape.keys < 70) continue;
    for (const std::ptrdiff_t first : {std::ptrdiff_t{64}, std::ptrdiff_t{65}, shape.keys - 1}) {
      auto m = this->visible(shape);
      m.mask =
          make_spread<bool>({1, 1, 1, shape.keys}, [&](const score_index& at) { return at.key >= first; });
      this->expect_no_bit_of_the_unseen(shape, m);
    }
  }
}

TYPED_TEST(isolation_of_keys, that_other_queries_of_the_tile_see) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    if (shape.queries < 2) continue;
    auto m = this->visible(shape);
    m.mask = make_spread<bool>({1, 1, shape.queries, shape.keys},
                               [](const score_index& at) { return (at.query + at.key) % 3 != 0; });
    const attention_policy policy = policy_of(m, shape);
    const auto clean = make_inputs<T>(shape, 362);
    const auto size = static_cast<std::size_t>(shape.size_of_v());
    for (const attention_path path : both_paths) {
      const auto expected = attended(path, clean, m);
      for (const std::ptrdiff_t key : {std::ptrdiff_t{0}, shape.keys / 2, shape.keys - 1})
        for (const bool in_v : {false, true}) {
          SCOPED_TRACE(testing::Message()
                       << name_of(path) << ", " << shape << ", key " << key << ", v " << in_v);
          poisoned<T> in(clean);
          if (in_v)
            in.poison_value(1, key, std::numeric_limits<double>::quiet_NaN());
          else
            in.poison_key(1, key, std::numeric_limits<double>::quiet_NaN());
          auto result = attended<T>(path, in, m);
          for (std::ptrdiff_t query = 0; query < shape.queries; ++query) {
            if (!this->sees(policy, {1, 0, query, key})) continue;
            const auto row = static_cast<std::size_t>(shape.queries + query);
            for (std::size_t i = row * size; i < (row + 1) * size; ++i) {
              ASSERT_TRUE(is_nan(result.o[i])) << "query " << query;
              result.o[i] = expected.o[i];
            }
            if (in_v) continue;
            ASSERT_TRUE(is_nan(result.lse[row])) << "query " << query;
            result.lse[row] = expected.lse[row];
          }
          EXPECT_TRUE(same_bits(result, expected));
        }
    }
  }
}

TYPED_TEST(isolation_of_keys, whose_single_numbers_are_nan) {
  // One NaN in a key fills the queries that see it; one in a value, its column of them.
  using T = TypeParam;
  const attention_shape shape{.batch = 2, .queries = 67, .keys = 130, .dim = 17, .dim_v = 19};
  const auto clean = make_inputs<T>(shape, 363);
  auto m = this->visible(shape);
  m.lengths = {130, 129};
  for (const attention_path path : both_paths) {
    const auto expected = attended(path, clean, m);
    for (const std::size_t d : {0u, 7u, 16u}) {
      auto in = clean;
      in.k[(130 + 5) * 17 + d] = quiet_nan<T>();
      auto result = attended(path, in, m);
      for (std::size_t i = 67 * 19; i < 2 * 67 * 19; ++i) {
        ASSERT_TRUE(is_nan(result.o[i])) << name_of(path) << ", dim " << d;
        result.o[i] = expected.o[i];
      }
      EXPECT_TRUE(same_bits(result.o, expected.o)) << name_of(path);

      in = clean;
      in.v[(130 + 128) * 19 + d] = quiet_nan<T>();
      result = attended(path, in, m);
      for (std::size_t row = 67; row < 2 * 67; ++row) {
        ASSERT_TRUE(is_nan(result.o[row * 19 + d])) << name_of(path) << ", dim " << d;
        result.o[row * 19 + d] = expected.o[row * 19 + d];
      }
      EXPECT_TRUE(same_bits(result, expected)) << name_of(path);
    }
  }
}

TYPED_TEST(isolation_of_keys, a_nan_or_an_infinity_in_a_query_stays_there) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto clean = make_inputs<T>(shape, 364);
    const auto size = static_cast<std::size_t>(shape.size_of_v());
    for (const attention_path path : both_paths) {
      const auto expected = attended(path, clean);
      for (const double poison : {poisons[0], poisons[1]})
        for (const std::size_t row : {std::size_t{0}, shape.rows() / 2, shape.rows() - 1}) {
          auto in = clean;
          const auto dim = static_cast<std::size_t>(shape.dim);
          in.q[row * dim + row % dim] = narrow<T>(poison);
          auto result = attended(path, in);
          for (std::size_t i = row * size; i < (row + 1) * size; ++i) {
            ASSERT_TRUE(!std::isnan(poison) || is_nan(result.o[i])) << name_of(path) << ", " << shape;
            result.o[i] = expected.o[i];
          }
          ASSERT_TRUE(!std::isnan(poison) || is_nan(result.lse[row])) << name_of(path) << ", " << shape;
          result.lse[row] = expected.lse[row];
          EXPECT_TRUE(same_bits(result, expected)) << name_of(path) << ", " << shape << ", query " << row;
        }
    }
  }
}

TYPED_TEST(isolation_of_keys, whose_weights_underflow_are_exact_zeros) {
  // Scores 2e4 below the others weigh nothing, whatever their values, as long as those are finite.
  using T = TypeParam;
  for (const std::ptrdiff_t queries : {1, 3, 70})
    for (const std::ptrdiff_t keys : {2, 70, 130, 1100}) {
      const attention_shape shape{.batch = 2, .queries = queries, .keys = keys, .dim = 4, .dim_v = 21};
      auto clean = make_inputs<T>(shape, 365);
      for (std::size_t i = 0; i < clean.q.size(); ++i) clean.q[i] = narrow<T>(i % 4 == 0 ? 100 : 0);
      for (std::size_t i = 0; i < clean.k.size(); ++i)
        clean.k[i] = narrow<T>(i % 4 != 0 ? 0 : i / 4 % 2 == 0 ? 200 : -200);
      auto loud = clean;
      for (std::size_t i = 0; i < loud.v.size(); ++i)
        if (i / 21 % static_cast<std::size_t>(keys) % 2 == 1 && keys % 2 == 0) loud.v[i] = narrow<T>(60000);
      for (const attention_path path : both_paths)
        EXPECT_TRUE(same_bits(attended(path, loud), attended(path, clean))) << name_of(path) << ", " << shape;
    }
}

struct isolation_by_position : testing::Test {
  using list = modifier_list<float>;

  /// A NaN in each of some keys reaches exactly the queries that see it.
  static void expect_exactly_those_who_see(const attention_shape& shape, const list& m) {
    const auto clean = make_inputs<float>(shape, 366);
    const attention_policy policy = policy_of(m, shape);
    const auto size = static_cast<std::size_t>(shape.size_of_v());
    for (const attention_path path : both_paths) {
      const auto expected = attended(path, clean, m);
      for (std::ptrdiff_t key = 0; key < shape.keys; key += 1 + shape.keys / 23) {
        poisoned<float> in(clean);
        in.poison_key(0, key, poisons[0]);
        in.poison_value(0, key, poisons[0]);
        const auto result = attended<float>(path, in, m);
        for (std::ptrdiff_t query = 0; query < shape.queries; ++query) {
          const bool seen = std::ranges::all_of(policy.keep, [&](const auto& keep) {
            return keep(score_index{0, 0, query, key});
          });
          for (std::size_t d = 0; d < size; ++d) {
            const std::size_t i = static_cast<std::size_t>(query) * size + d;
            ASSERT_TRUE(seen ? is_nan(result.o[i]) : bits(result.o[i]) == bits(expected.o[i]))
                << name_of(path) << ", " << shape << ", query " << query << ", key " << key;
          }
        }
      }
    }
  }

  static constexpr attention_shape shapes[] = {{.queries = 130, .keys = 130, .dim = 16},
                                               {.queries = 67, .keys = 200, .dim = 8, .dim_v = 5},
                                               {.queries = 200, .keys = 67, .dim = 8},
                                               {.queries = 3, .keys = 1100, .dim = 8},
                                               {.queries = 1, .keys = 70, .dim = 8}};
};

TEST_F(isolation_by_position, of_causal) {
  for (const attention_shape& shape : shapes)
    for (const align a : {align::top_left, align::bottom_right}) {
      list m;
      m.causal = a;
      expect_exactly_those_who_see(shape, m);
    }
}

TEST_F(isolation_by_position, of_windows) {
  for (const attention_shape& shape : shapes)
    for (const align a : {align::top_left, align::bottom_right})
      for (const auto& [left, right] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{0, 0}, {5, 2}, {64, 1}}) {
        list m;
        m.window = {left, right, a};
        expect_exactly_those_who_see(shape, m);
      }
}

}  // namespace
}  // namespace tensornorm_test
