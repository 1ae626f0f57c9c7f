// What a query does not see changes no bit of a gradient, be it NaN or infinite, and gets exact zeros; what
// it sees, and what it is itself, reaches exactly those who meet it.
#include <gtest/gtest.h>

#include <limits>

#include "../support/attention_backward_bounds.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double poisons[] = {nan, std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(), 3e38};

/// One head in each batch element. Rows of q, o and dout are numbered through the batch, and those of k and
/// v.
template <class T>
void fill_row(std::vector<T>& rows, std::size_t row, std::ptrdiff_t size, double value) {
  std::fill_n(rows.begin() + static_cast<std::ptrdiff_t>(row) * size, size, narrow<T>(value));
}

/// Each element is NaN in the rows that are marked, and has the bits of `expected` in the others.
template <class T>
testing::AssertionResult nan_exactly_in(const std::vector<bool>& marked, const std::vector<T>& result,
                                        const std::vector<T>& expected) {
  const std::size_t size = result.size() / marked.size();
  for (std::size_t i = 0; i < result.size(); ++i)
    if (marked[i / size] ? !is_nan(result[i]) : bits(result[i]) != bits(expected[i]))
      return testing::AssertionFailure()
             << "row " << i / size << ", element " << i % size << " is " << widen(result[i]) << ", expected "
             << (marked[i / size] ? real(nan) : widen(expected[i]));
  return testing::AssertionSuccess();
}

/// Who sees whom in a call with one head.
class sight {
 public:
  template <class A>
  sight(const modifier_list<A>& modifiers, const attention_shape& shape)
      : shape_(shape), policy_(policy_of(modifiers, shape)) {}

  bool sees(std::ptrdiff_t batch, std::ptrdiff_t query, std::ptrdiff_t key) const {
    const score_index at{batch, 0, query, key};
    if (!policy_.key_lengths.empty() && key >= policy_.key_lengths[static_cast<std::size_t>(batch)])
      return false;
    for (const auto& bias : policy_.bias)
      if (bias(at) == -std::numeric_limits<real>::infinity()) return false;
    return std::ranges::all_of(policy_.keep, [&](const auto& keep) { return keep(at); });
  }
  /// The rows of k and v that no query sees.
  std::vector<std::size_t> unseen() const {
    std::vector<std::size_t> rows;
    for (std::ptrdiff_t batch = 0; batch < shape_.batch; ++batch)
      for (std::ptrdiff_t key = 0; key < shape_.keys; ++key) {
        bool seen = false;
        for (std::ptrdiff_t query = 0; query < shape_.queries && !seen; ++query)
          seen = sees(batch, query, key);
        if (!seen) rows.push_back(static_cast<std::size_t>(batch * shape_.keys + key));
      }
    return rows;
  }
  /// The rows of q that see a key, and those of k that a query sees.
  std::vector<bool> who_see(std::ptrdiff_t batch, std::ptrdiff_t key) const {
    std::vector<bool> rows(static_cast<std::size_t>(shape_.batch * shape_.queries), false);
    for (std::ptrdiff_t query = 0; query < shape_.queries; ++query)
      rows[static_cast<std::size_t>(batch * shape_.queries + query)] = sees(batch, query, key);
    return rows;
  }
  std::vector<bool> seen_by(std::ptrdiff_t batch, std::ptrdiff_t query) const {
    std::vector<bool> rows(shape_.key_rows(), false);
    add_seen_by(rows, batch, query);
    return rows;
  }
  /// The keys that are seen by any query that sees this one.
  std::vector<bool> neighbours_of(std::ptrdiff_t batch, std::ptrdiff_t key) const {
    std::vector<bool> rows(shape_.key_rows(), false);
    for (std::ptrdiff_t query = 0; query < shape_.queries; ++query)
      if (sees(batch, query, key)) add_seen_by(rows, batch, query);
    return rows;
  }

 private:
  void add_seen_by(std::vector<bool>& rows, std::ptrdiff_t batch, std::ptrdiff_t query) const {
    for (std::ptrdiff_t key = 0; key < shape_.keys; ++key)
      if (sees(batch, query, key)) rows[static_cast<std::size_t>(batch * shape_.keys + key)] = true;
  }

  attention_shape shape_;
  attention_policy policy_;
};

template <class T>
class backward_isolation : public testing::Test {
 protected:
  using accumulator = tn::accumulator_t<T>;
  using list = modifier_list<accumulator>;

  static constexpr attention_shape shapes[4] = {
      {.batch = 2, .queries = 1, .keys = 3, .dim = 4, .dim_v = 3},
      {.batch = 2, .queries = 9, .keys = 130, .dim = 16},
      {.batch = 2, .queries = 70, .keys = 70, .dim = 17, .dim_v = 33},
      {.batch = 2, .queries = 131, .keys = 67, .dim = 8, .dim_v = 5}};

  /// A list that hides nothing, but has every modifier that can: one set is compiled for all scalars.
  static list visible(const attention_shape& shape) {
    const auto keys = static_cast<std::int32_t>(shape.keys);
    list m;
    m.bias = make_spread<accumulator>({1, 1, 1, 1}, [](const score_index&) { return accumulator(0.5); });
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
    m.lengths = {keys, keys};
    return m;
  }

  /// Calls with every key and value poisoned that no query of its batch element sees.
  static void expect_no_bit_of_the_unseen(const attention_shape& shape, const list& modifiers) {
    const auto clean = make_backward_inputs<T>(shape, 891, modifiers);
    const auto unseen = sight(modifiers, shape).unseen();
    EXPECT_FALSE(unseen.empty());
    const auto reference = expected_gradients(clean, modifiers);
    for (const attention_path path : both_paths) {
      const auto expected = differentiated(path, clean, modifiers);
      EXPECT_TRUE(within_bounds(expected, reference)) << name_of_backward(path) << ", " << shape;
      for (const double poison : poisons) {
        auto in = clean;
        for (const std::size_t row : unseen) {
          fill_row(in.k, row, shape.dim, poison);
          fill_row(in.v, row, shape.size_of_v(), poison);
        }
        const auto result = differentiated(path, in, modifiers);
        SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape << ", " << poison);
        EXPECT_TRUE(same_bits(result, expected));
        for (const std::size_t row : unseen) {
          for (std::ptrdiff_t d = 0; d < shape.dim; ++d)
            ASSERT_EQ(
                widen(result.k[row * static_cast<std::size_t>(shape.dim) + static_cast<std::size_t>(d)]), 0);
          for (std::ptrdiff_t d = 0; d < shape.size_of_v(); ++d)
            ASSERT_EQ(widen(result.v[row * static_cast<std::size_t>(shape.size_of_v()) +
                                     static_cast<std::size_t>(d)]),
                      0);
        }
      }
    }
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(backward_isolation, scalars, scalar_names);

TYPED_TEST(backward_isolation, of_keys_behind_a_mask) {
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

TYPED_TEST(backward_isolation, of_keys_behind_a_bias_of_minus_infinity) {
  using A = tn::accumulator_t<TypeParam>;
  for (const attention_shape& shape : this->shapes) {
    auto m = this->visible(shape);
    m.bias = make_spread<A>({1, 1, 1, shape.keys}, [](const score_index& at) {
      return at.key % 3 == 1 ? -std::numeric_limits<A>::infinity() : A(0.25);
    });
    this->expect_no_bit_of_the_unseen(shape, m);
  }
}

TYPED_TEST(backward_isolation, of_keys_past_a_length) {
  for (const attention_shape& shape : this->shapes)
    for (const std::ptrdiff_t length :
         {std::ptrdiff_t{0}, std::ptrdiff_t{1}, shape.keys / 2, shape.keys - 1}) {
      auto m = this->visible(shape);
      m.lengths = {static_cast<std::int32_t>(length), static_cast<std::int32_t>(shape.keys - 1)};
      this->expect_no_bit_of_the_unseen(shape, m);
    }
}

TYPED_TEST(backward_isolation, of_first_tiles_that_are_wholly_masked) {
  for (const attention_shape& shape : this->shapes) {
    if (shape.keys < 67) continue;
    for (const std::ptrdiff_t first : {std::ptrdiff_t{64}, std::ptrdiff_t{65}, shape.keys - 1}) {
      auto m = this->visible(shape);
      m.mask =
          make_spread<bool>({1, 1, 1, shape.keys}, [&](const score_index& at) { return at.key >= first; });
      this->expect_no_bit_of_the_unseen(shape, m);
    }
  }
}

/// Calls with one row of NaN, each of whose effects is known.
template <class T>
class backward_nan : public backward_isolation<T> {
 protected:
  using list = typename backward_isolation<T>::list;

  /// Every query sees some keys, and no key is seen by all.
  static list partly(const attention_shape& shape) {
    auto m = backward_isolation<T>::visible(shape);
    m.mask = make_spread<bool>({1, 1, shape.queries, shape.keys},
                               [](const score_index& at) { return (at.query + at.key) % 3 != 0; });
    return m;
  }
  /// o and lse as a forward pass makes them of the poisoned q, k and v.
  static attention_backward_inputs<T> again(const attention_backward_inputs<T>& in, const list& m) {
    return with_forward<T>(in, in.dout, m);
  }
};
TYPED_TEST_SUITE(backward_nan, scalars, scalar_names);

TYPED_TEST(backward_nan, in_a_key_reaches_the_queries_that_see_it_and_what_else_these_see) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto m = this->partly(shape);
    const sight all(m, shape);
    const auto clean = make_backward_inputs<T>(shape, 892, m);
    for (const std::ptrdiff_t key : {std::ptrdiff_t{1}, shape.keys / 2, shape.keys - 1}) {
      auto poisoned = clean;
      fill_row(poisoned.k, static_cast<std::size_t>(shape.keys + key), shape.dim, nan);
      const auto in = this->again(poisoned, m);
      for (const attention_path path : both_paths) {
        SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape << ", key " << key);
        const auto expected = differentiated(path, clean, m), result = differentiated(path, in, m);
        EXPECT_TRUE(nan_exactly_in(all.who_see(1, key), result.q, expected.q)) << "dq";
        EXPECT_TRUE(nan_exactly_in(all.neighbours_of(1, key), result.k, expected.k)) << "dk";
        EXPECT_TRUE(nan_exactly_in(all.neighbours_of(1, key), result.v, expected.v)) << "dv";
      }
    }
  }
}

TYPED_TEST(backward_nan, in_a_value_reaches_dq_and_dk_of_those_who_see_it_and_no_dv) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto m = this->partly(shape);
    const sight all(m, shape);
    const auto clean = make_backward_inputs<T>(shape, 893, m);
    for (const std::ptrdiff_t key : {std::ptrdiff_t{1}, shape.keys / 2, shape.keys - 1}) {
      auto poisoned = clean;
      const auto row = static_cast<std::size_t>(shape.keys + key);
      const auto size = static_cast<std::size_t>(shape.size_of_v());
      poisoned.v[row * size + row % size] = quiet_nan<T>();
      const auto in = this->again(poisoned, m);
      for (const attention_path path : both_paths) {
        SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape << ", key " << key);
        const auto expected = differentiated(path, clean, m), result = differentiated(path, in, m);
        EXPECT_TRUE(nan_exactly_in(all.who_see(1, key), result.q, expected.q)) << "dq";
        EXPECT_TRUE(nan_exactly_in(all.neighbours_of(1, key), result.k, expected.k)) << "dk";
        EXPECT_TRUE(same_bits(result.v, expected.v)) << "dv";
      }
    }
  }
}

TYPED_TEST(backward_nan, in_a_query_stays_in_its_dq_and_reaches_the_keys_it_sees) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto m = this->partly(shape);
    const sight all(m, shape);
    const auto clean = make_backward_inputs<T>(shape, 894, m);
    for (const std::ptrdiff_t query : {std::ptrdiff_t{0}, shape.queries / 2, shape.queries - 1}) {
      auto poisoned = clean;
      const auto row = static_cast<std::size_t>(shape.queries + query),
                 dim = static_cast<std::size_t>(shape.dim);
      poisoned.q[row * dim + row % dim] = quiet_nan<T>();
      const auto in = this->again(poisoned, m);
      std::vector<bool> itself(shape.rows(), false);
      itself[row] = true;
      for (const attention_path path : both_paths) {
        SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape << ", query " << query);
        const auto expected = differentiated(path, clean, m), result = differentiated(path, in, m);
        EXPECT_TRUE(nan_exactly_in(itself, result.q, expected.q)) << "dq";
        EXPECT_TRUE(nan_exactly_in(all.seen_by(1, query), result.k, expected.k)) << "dk";
        EXPECT_TRUE(nan_exactly_in(all.seen_by(1, query), result.v, expected.v)) << "dv";
      }
    }
  }
}

TYPED_TEST(backward_nan, in_a_gradient_of_o_stays_in_its_dq_and_reaches_the_keys_its_query_sees) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto m = this->partly(shape);
    const sight all(m, shape);
    const auto clean = make_backward_inputs<T>(shape, 895, m);
    for (const std::ptrdiff_t query : {std::ptrdiff_t{0}, shape.queries / 2, shape.queries - 1}) {
      auto in = clean;
      const auto row = static_cast<std::size_t>(shape.queries + query);
      const auto size = static_cast<std::size_t>(shape.size_of_v()), column = row % size;
      in.dout[row * size + column] = quiet_nan<T>();
      std::vector<bool> itself(shape.rows(), false);
      itself[row] = true;
      // dv is a sum of dout column by column.
      std::vector<bool> places(in.v.size(), false);
      const auto seen = all.seen_by(1, query);
      for (std::size_t key = 0; key < seen.size(); ++key) places[key * size + column] = seen[key];
      for (const attention_path path : both_paths) {
        SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape << ", query " << query);
        const auto expected = differentiated(path, clean, m), result = differentiated(path, in, m);
        EXPECT_TRUE(nan_exactly_in(itself, result.q, expected.q)) << "dq";
        EXPECT_TRUE(nan_exactly_in(seen, result.k, expected.k)) << "dk";
        EXPECT_TRUE(nan_exactly_in(places, result.v, expected.v)) << "dv";
      }
    }
  }
}

struct backward_isolation_by_position : testing::Test {
  using list = modifier_list<float>;

  /// A NaN in each of some keys and values reaches exactly the queries that see it.
  static void expect_exactly_those_who_see(const attention_shape& shape, const list& m) {
    const auto clean = make_backward_inputs<float>(shape, 896, m);
    const sight all(m, shape);
    for (const attention_path path : both_paths) {
      const auto expected = differentiated(path, clean, m);
      for (std::ptrdiff_t key = 0; key < shape.keys; key += 1 + shape.keys / 13) {
        auto poisoned = clean;
        fill_row(poisoned.k, static_cast<std::size_t>(key), shape.dim, nan);
        fill_row(poisoned.v, static_cast<std::size_t>(key), shape.size_of_v(), nan);
        const auto result = differentiated(path, with_forward<float>(poisoned, poisoned.dout, m), m);
        SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape << ", key " << key);
        EXPECT_TRUE(nan_exactly_in(all.who_see(0, key), result.q, expected.q)) << "dq";
        EXPECT_TRUE(nan_exactly_in(all.neighbours_of(0, key), result.k, expected.k)) << "dk";
        EXPECT_TRUE(nan_exactly_in(all.neighbours_of(0, key), result.v, expected.v)) << "dv";
      }
    }
  }

  static constexpr attention_shape shapes[] = {{.queries = 130, .keys = 130, .dim = 16},
                                               {.queries = 67, .keys = 200, .dim = 8, .dim_v = 5},
                                               {.queries = 200, .keys = 67, .dim = 8},
                                               {.queries = 1, .keys = 70, .dim = 8}};
};

TEST_F(backward_isolation_by_position, of_causal) {
  for (const attention_shape& shape : shapes)
    for (const align a : {align::top_left, align::bottom_right}) {
      list m;
      m.causal = a;
      expect_exactly_those_who_see(shape, m);
    }
}

TEST_F(backward_isolation_by_position, of_windows) {
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
