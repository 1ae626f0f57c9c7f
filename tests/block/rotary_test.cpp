// Rotary embedding turns pairs of dims by position · base^(-2i / turned): at any offset, in both pairings, of
// all dims or the first, and back again; beside guard pages, in pieces, and on each instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <tensornorm/tensornorm.hpp>

#include "../support/data.hpp"
#include "../support/levels.hpp"
#include "../support/memory.hpp"
#include "../support/uncertain.hpp"

namespace tensornorm_test {
namespace {

using index_nn = Eigen::Index;
using kernel::rotary_pairs;

std::size_t at(index_nn i) { return static_cast<std::size_t>(i); }

struct rotary_shape {
  index_nn batch, tokens, heads, dim, turned, first;
  double base = 10000;

  std::size_t count() const { return at(batch * tokens * heads * dim); }
};
std::ostream& operator<<(std::ostream& out, const rotary_shape& s) {
  return out << s.batch << "x" << s.tokens << "x" << s.heads << "x" << s.dim << ", " << s.turned
             << " turned, from " << s.first;
}

std::vector<rotary_shape> rotary_shapes() {
  std::vector<rotary_shape> all;
  for (index_nn dim = 2; dim <= 70; dim += 2) all.push_back({2, 3, 2, dim, dim, dim % 3 * 7});
  for (const index_nn dim : {5, 17, 33, 64, 130})
    for (const index_nn turned : {2, 4, 6, 16, 34, 64, 130})
      if (turned <= dim) all.push_back({1, 4, 3, dim, turned, 1});
  all.push_back({2, 130, 1, 64, 64, 0});
  all.push_back({1, 2, 2, 128, 128, 4095});
  all.push_back({1, 3, 1, 24, 16, 9, 500000});
  all.push_back({1, 3, 1, 24, 16, 9, 1.5});
  all.push_back({1, 3, 2, 24, 0, 9});
  return all;
}

constexpr rotary_pairs both_pairings[] = {rotary_pairs::interleaved, rotary_pairs::halves};

/// The kernel on x beside guard pages, at a level, `piece` tokens at a time, the last first.
template <class T>
std::vector<T> turned(const rotary_shape& s, rotary_pairs pairs, const std::vector<T>& x, bool back,
                      kernel::isa_level level = kernel::active_isa(), index_nn piece = 1000,
                      guard side = guard::after) {
  using A = tn::accumulator_t<T>;
  using S = tn::detail::stored_t<T>;
  tn::detail::rotary_table<A> kept;
  const A* const rows = kept.rows(s.first, s.tokens, s.turned, s.base);
  const std::vector<A> angles(rows, rows + s.tokens * s.turned);
  guarded_buffer<A> table(angles.size(), side, angles);
  guarded_buffer<T> data(x.size(), side, x);
  const kernel::rotary_problem<S> p{
      reinterpret_cast<S*>(data.data()), s.tokens, s.heads, s.dim, s.turned, pairs, table.data(), back};
  for (index_nn last = s.batch * s.tokens; last > 0; last -= std::min(piece, last))
    kernel::dispatch_at<kernel::rotary_kernel>(level, p, std::max<index_nn>(0, last - piece), last);
  EXPECT_TRUE(same_bits(table.values(), angles));
  return data.values();
}

/// The same from the formula.
template <class T>
std::vector<uncertain> reference_turned(const rotary_shape& s, rotary_pairs pairs, std::vector<uncertain> x,
                                        bool back) {
  const index_nn half = s.turned / 2;
  for (index_nn row = 0; row < s.batch * s.tokens * s.heads; ++row) {
    const real position = static_cast<real>(s.first + row / s.heads % s.tokens);
    for (index_nn i = 0; i < half; ++i) {
      const real frequency =
          std::pow(static_cast<real>(s.base), -2 * static_cast<real>(i) / static_cast<real>(s.turned));
      const bool interleaved = pairs == rotary_pairs::interleaved;
      uncertain& a = x[at(row * s.dim + (interleaved ? 2 * i : i))];
      uncertain& b = x[at(row * s.dim + (interleaved ? 2 * i + 1 : i + half))];
      const auto [c, d] = uncertain_turn<tn::accumulator_t<T>>(a, b, back ? -position : position, frequency);
      a = c.template stored<T>();
      b = d.template stored<T>();
    }
  }
  return x;
}

template <class T>
std::vector<uncertain> exactly(const std::vector<T>& x) {
  std::vector<uncertain> all;
  for (const T value : x) all.push_back({widen(value), 0});
  return all;
}

template <class T>
testing::AssertionResult is_within(const std::vector<T>& x, const std::vector<uncertain>& expected) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    const real error = std::abs(widen(x[i]) - expected[i].value);
    if (!(error <= expected[i].error))
      return testing::AssertionFailure()
             << "element " << i << " is " << widen(x[i]) << ", expected " << expected[i].value << ": error "
             << error << ", bound " << expected[i].error;
  }
  return testing::AssertionSuccess();
}

template <class T>
struct rotary : testing::Test {
  template <class Visit>
  static void for_each(const Visit& visit) {
    for (const rotary_shape& shape : rotary_shapes())
      for (const rotary_pairs pairs : both_pairings) {
        SCOPED_TRACE(testing::Message()
                     << shape << (pairs == rotary_pairs::halves ? ", halves" : ", interleaved"));
        visit(shape, pairs, normal<T>(shape.count(), 1131));
      }
  }
};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(rotary, scalars, scalar_names);

TYPED_TEST(rotary, is_its_formula_on_each_instruction_set) {
  using T = TypeParam;
  this->for_each([](const rotary_shape& shape, rotary_pairs pairs, const std::vector<T>& x) {
    const auto expected = reference_turned<T>(shape, pairs, exactly(x), false);
    const auto other_way = reference_turned<T>(shape, pairs, exactly(x), true);
    at_each_level([&](kernel::isa_level level) {
      EXPECT_TRUE(is_within(turned(shape, pairs, x, false, level), expected));
      EXPECT_TRUE(is_within(turned(shape, pairs, x, true, level), other_way));
    });
  });
}

TYPED_TEST(rotary, turned_back_is_what_it_was) {
  using T = TypeParam;
  this->for_each([](const rotary_shape& shape, rotary_pairs pairs, const std::vector<T>& x) {
    auto expected =
        reference_turned<T>(shape, pairs, reference_turned<T>(shape, pairs, exactly(x), false), true);
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_LE(std::abs(expected[i].value - widen(x[i])), 1e-15L);
      expected[i].value = widen(x[i]);
    }
    EXPECT_TRUE(is_within(turned(shape, pairs, turned(shape, pairs, x, false), true), expected));
  });
}

TYPED_TEST(rotary, leaves_the_first_position_and_the_dims_behind_those_turned) {
  using T = TypeParam;
  this->for_each([](rotary_shape shape, rotary_pairs pairs, const std::vector<T>& x) {
    const auto y = turned(shape, pairs, x, false);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (static_cast<index_nn>(i) % shape.dim >= shape.turned) {
        ASSERT_EQ(bits(y[i]), bits(x[i])) << i;
      }
    shape.first = 0;
    shape.batch *= shape.tokens;
    shape.tokens = 1;
    EXPECT_TRUE(same_bits(turned(shape, pairs, x, false), x));
  });
}

TYPED_TEST(rotary, has_the_same_bits_in_pieces_and_with_fused_multiply_add_of_any_width) {
  using T = TypeParam;
  this->for_each([](const rotary_shape& shape, rotary_pairs pairs, const std::vector<T>& x) {
    at_each_level([&](kernel::isa_level level) {
      const auto y = turned(shape, pairs, x, false, level);
      for (const index_nn piece : {1, 3})
        EXPECT_TRUE(same_bits(turned(shape, pairs, x, false, level, piece), y));
      EXPECT_TRUE(same_bits(turned(shape, pairs, x, false, level, 1000, guard::before), y));
      if (level == kernel::isa_level::avx512) {
        EXPECT_TRUE(same_bits(turned(shape, pairs, x, false, kernel::isa_level::avx2), y));
      }
    });
  });
}

TYPED_TEST(rotary, of_tokens_in_parts_is_that_of_the_whole) {
  using T = TypeParam;
  const rotary_shape whole{1, 9, 2, 16, 16, 0};
  const auto x = normal<T>(whole.count(), 1132);
  for (const rotary_pairs pairs : both_pairings) {
    const auto expected = turned(whole, pairs, x, false);
    for (const index_nn cut : {1, 4, 8}) {
      const auto middle = x.begin() + cut * whole.heads * whole.dim;
      auto y = turned({1, cut, 2, 16, 16, 0}, pairs, std::vector<T>(x.begin(), middle), false);
      const auto rest = turned({1, 9 - cut, 2, 16, 16, cut}, pairs, std::vector<T>(middle, x.end()), false);
      y.insert(y.end(), rest.begin(), rest.end());
      EXPECT_TRUE(same_bits(y, expected)) << cut;
    }
  }
}

TEST(a_rotary_table, that_is_kept_is_that_of_a_first_call) {
  struct call {
    index_nn first, tokens, turned;
    double base;
  };
  tn::detail::rotary_table<float> kept;
  for (const call& c : {call{0, 7, 6, 1e4},
                        {0, 3, 6, 1e4},
                        {0, 9, 6, 1e4},
                        {4, 2, 6, 1e4},
                        {5, 1, 6, 1e4},
                        {5, 1, 8, 1e4},
                        {5, 1, 8, 20},
                        {5, 0, 8, 20},
                        {5, 4, 8, 20},
                        {0, 4, 8, 20}}) {
    tn::detail::rotary_table<float> fresh;
    const float* const expected = fresh.rows(c.first, c.tokens, c.turned, c.base);
    const float* const found = kept.rows(c.first, c.tokens, c.turned, c.base);
    for (index_nn i = 0; i < c.tokens * c.turned; ++i)
      ASSERT_EQ(found[i], expected[i]) << c.first << " " << i;
  }
}

}  // namespace
}  // namespace tensornorm_test
