// Pairs of bfloat16 and their dot products, where the machine has them: each product is the one it stands
// for, in an order that is known to the bit, and attention is really computed from them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "../support/attention_bounds.hpp"
#include "../support/levels.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {
namespace {

using kernel::index;
using kernel::meet;
using number = Eigen::bfloat16;
using stored = kernel::bfloat16;

constexpr std::size_t at(index i) { return static_cast<std::size_t>(i); }

bool has_pairs() { return kernel::has_bfloat16_dot(kernel::active_isa()); }

const stored* as_stored(const std::vector<number>& values) {
  return reinterpret_cast<const stored*>(values.data());
}

#if TENSORNORM_X86_LEVELS

/// Runs a lambda where pairs can be multiplied; it must be TENSORNORM_INLINE_LAMBDA.
struct where_pairs_are {
  template <class Isa, class F>
  static TENSORNORM_INLINE void run(const F& f) {
    f(std::type_identity<kernel::native_vec<Isa, float>>());
  }
};

/// C = A · B of rows x depth and depth x lanes, depth counted in bfloat16. A is packed as keys are, and B as
/// queries and weights are: it may have more digits, and is rounded.
struct pair_product {
  index rows, depth, lanes;
  std::vector<number> a = normal<number>(at(rows * depth), 441);
  std::vector<float> b = normal<float>(at(depth * lanes), 442);
  std::vector<float> c = std::vector<float>(at(rows * lanes), quiet_nan<float>());
  std::vector<number> rounded{};

  index numbers() const { return (depth + 1) / 2; }
  float a_at(index row, index d) const { return static_cast<float>(a[at(row * depth + d)]); }
  float b_at(index d, index lane) const { return static_cast<float>(rounded[at(d * lanes + lane)]); }

  void run() {
    for (const float x : b) rounded.push_back(number(x));
    std::vector<float> pairs_of_a(at(rows * numbers()), quiet_nan<float>());
    kernel::pair_terms::pack_keys({as_stored(a), depth, 1}, rows, depth, pairs_of_a.data());
    std::vector<float> lines = b;
    kernel::enter<where_pairs_are>(kernel::avx512_bfloat16(),
                                   [&]<class V>(std::type_identity<V>) TENSORNORM_INLINE_LAMBDA {
                                     kernel::pair_terms::pair_lines<V>(lines.data(), depth, lanes);
                                     kernel::multiply<kernel::avx512_bfloat16, kernel::pair_terms>(
                                         kernel::product_problem<float>{{pairs_of_a.data(), numbers(), 1},
                                                                        rows,
                                                                        lines.data(),
                                                                        lanes,
                                                                        numbers(),
                                                                        c.data(),
                                                                        lanes,
                                                                        static_cast<int>(lanes / V::size)});
                                   });
  }

  /// Blocks of 64 pairs; in each the even pairs, the odd pairs, and then both; in a pair the second product
  /// and then the first.
  float in_order(index row, index lane) const {
    float result = 0;
    for (index block = 0; block < depth; block += 128) {
      float chain[2] = {0, 0};
      for (index d = block; d < std::min(depth, block + 128); d += 2)
        for (const index e : {d + 1, d})
          if (e < depth) chain[d / 2 % 2] = std::fma(a_at(row, e), b_at(e, lane), chain[d / 2 % 2]);
      result = block == 0 ? chain[0] + chain[1] : result + (chain[0] + chain[1]);
    }
    return result;
  }
};

template <class Check>
void for_each_pair_product(const Check& check) {
  for (const index depth : {1, 2, 3, 4, 5, 7, 8, 59, 63, 64, 65, 127, 128, 129, 131, 300})
    for (const index rows : {1, 3, 4, 5, 9})
      for (const index lanes : {16, 32, 48}) {
        pair_product p{rows, depth, lanes};
        p.run();
        for (index row = 0; row < rows; ++row)
          for (index lane = 0; lane < lanes; ++lane) check(p, row, lane);
        if (testing::Test::HasFailure()) FAIL() << rows << " x " << depth << " x " << lanes;
      }
}

TEST(products_of_pairs, are_within_the_bound_of_float_of_all_their_products) {
  if (!has_pairs()) GTEST_SKIP() << "no dot products of bfloat16";
  for_each_pair_product([](const pair_product& p, index row, index lane) {
    double sum = 0, terms = 0;
    for (index d = 0; d < p.depth; ++d) {
      const double product = double{p.a_at(row, d)} * double{p.b_at(d, lane)};
      sum += product;
      terms += std::abs(product);
    }
    const double roundings = static_cast<double>(std::min<index>(p.depth, 128)) / 2 + 4;
    ASSERT_NEAR(static_cast<double>(p.c[at(row * p.lanes + lane)]), sum,
                roundings * std::ldexp(1.0, -24) * terms);
  });
}

TEST(products_of_pairs, add_up_in_an_order_known_to_the_bit) {
  if (!has_pairs()) GTEST_SKIP() << "no dot products of bfloat16";
  for_each_pair_product([](const pair_product& p, index row, index lane) {
    ASSERT_EQ(bits(p.c[at(row * p.lanes + lane)]), bits(p.in_order(row, lane)));
  });
}

TEST(packed_pairs, of_keys_are_two_dims_of_a_token_and_a_zero_after_the_last_of_an_odd_number) {
  for (const index dim : {1, 2, 3, 16, 59, 64, 67})
    for (const index dim_step : {1, 3}) {
      const index tokens = 5, token_step = dim * dim_step + 2;
      const auto x = normal<number>(at(tokens * token_step), 443);
      canary_buffer<float> rows(at(tokens * ((dim + 1) / 2)), 1);
      kernel::pair_terms::pack_keys({as_stored(x), token_step, dim_step}, tokens, dim, rows.data());
      EXPECT_TRUE(rows.intact());
      for (index t = 0; t < tokens; ++t)
        for (index d = 0; d < dim + dim % 2; ++d) {
          number found;
          std::memcpy(&found, reinterpret_cast<const char*>(rows.data() + t * ((dim + 1) / 2)) + 2 * d, 2);
          const number expected = d < dim ? x[at(t * token_step + d * dim_step)] : number(0);
          ASSERT_EQ(bits(found), bits(expected)) << dim << " dims, token " << t << ", dim " << d;
        }
    }
}

TEST(packed_pairs, of_values_are_two_tokens_of_a_dim_and_say_whether_all_are_finite) {
  if (!has_pairs()) GTEST_SKIP() << "no dot products of bfloat16";
  for (const index tokens : {1, 2, 7, 64})
    for (const index dim : {1, 5, 16, 33})
      for (const index dim_step : {1, 2}) {
        const index token_step = dim * dim_step + 1;
        auto x = normal<number>(at(tokens * token_step), 444);
        const auto pack = [&](float* rows) {
          bool finite = false;
          kernel::enter<where_pairs_are>(kernel::avx512_bfloat16(),
                                         [&]<class V>(std::type_identity<V>) TENSORNORM_INLINE_LAMBDA {
                                           finite = kernel::pair_terms::pack_values<V>(
                                               {as_stored(x), token_step, dim_step}, tokens, dim, rows);
                                         });
          return finite;
        };
        canary_buffer<float> rows(at((tokens + 1) / 2 * dim), 1);
        EXPECT_TRUE(pack(rows.data()));
        EXPECT_TRUE(rows.intact());
        for (index t = 0; t < tokens + tokens % 2; ++t)
          for (index d = 0; d < dim; ++d) {
            number found;
            std::memcpy(&found, reinterpret_cast<const char*>(rows.data() + t / 2 * dim + d) + 2 * (t % 2),
                        2);
            const number expected = t < tokens ? x[at(t * token_step + d * dim_step)] : number(0);
            ASSERT_EQ(bits(found), bits(expected)) << "token " << t << ", dim " << d;
          }
        for (const double poison : {std::numeric_limits<double>::infinity(), std::nan("")})
          for (index t = 0; t < tokens; ++t)
            for (const index d : {index{0}, dim - 1}) {
              number& place = x[at(t * token_step + d * dim_step)];
              const number clean = std::exchange(place, number(static_cast<float>(poison)));
              EXPECT_FALSE(pack(rows.data())) << poison << " in token " << t << ", dim " << d;
              place = clean;
            }
      }
}

#endif  // TENSORNORM_X86_LEVELS

/// Attention of `queries` equal queries to three keys, whose scores are 0, -1 and a little less than that,
/// and whose values are 0, 1 and -1.
std::vector<number> difference_of_two_weights(std::ptrdiff_t queries) {
  // dim_head^-1/2 q k = 0, -1, and -1 - 2^-10
  const attention_shape shape{.queries = queries, .keys = 3, .dim = 4, .dim_v = 2};
  attention_inputs<number> in{shape, {}, {}, {}};
  for (std::ptrdiff_t i = 0; i < queries; ++i) in.q.insert(in.q.end(), {number(2), number(2), {}, {}});
  const number zero(0), one(1), little(0.0078125f / 8);
  in.k = {zero, zero, zero, zero, -one, zero, zero, zero, -one, -little, zero, zero};
  in.v = {zero, zero, one, one, -one, -one};
  return attended(attention_path::fused, in).o;
}

TEST(attention_of_bfloat16, multiplies_pairs_where_it_is_asked_to) {
  const auto level = kernel::active_isa();
  if (kernel::isa_cap() != "avx512_bfloat16") GTEST_SKIP() << "not asked for";
  EXPECT_EQ(kernel::takes_bfloat16_dot(level), kernel::has_bfloat16_dot(level));
}

TEST(attention_of_bfloat16, rounds_its_weights_where_it_multiplies_bfloat16_and_nowhere_else) {
  // e^-1 = 0.36788 and e^(-1 - 2^-10) = 0.36752 are the same bfloat16, 0.36719.
  for (const std::ptrdiff_t queries : {1, 2, 8, 9, 16, 33, 49})
    for (const number o : difference_of_two_weights(queries)) {
      if (rounds_weights<number>(attention_path::fused))
        ASSERT_EQ(static_cast<float>(o), 0.0f) << queries << " queries";
      else
        ASSERT_NEAR(static_cast<float>(o), (0.367879f - 0.367520f) / 1.735400f, 1e-6f)
            << queries << " queries";
    }
}

TEST(attention_of_bfloat16, has_an_lse_of_weights_that_are_not_rounded) {
  const attention_shape shape{.heads = 2, .queries = 50, .keys = 131, .dim = 33};
  const auto in = make_inputs<number>(shape, 445);
  EXPECT_TRUE(lse_within_bounds<number>(attended(attention_path::fused, in).lse, expected_attention(in)));
}

TEST(attention_of_bfloat16, does_not_see_the_neighbour_of_its_last_key) {
  // The last key that any query of a block sees is the first of a pair. Of 49 queries the last is a block of
  // its own, which sees all of the keys that it looks at.
  for (const std::ptrdiff_t queries : {1, 9, 33, 49, 65}) {
    const attention_shape shape{.queries = queries, .keys = 70, .dim = 16, .dim_v = 19};
    modifier_list<float> causal, m;
    causal.causal = tn::align::top_left;
    m.softcap = 5;
    m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return 0.5f; });
    m.alibi = {{0.25f}, tn::align::top_left};
    m.causal = tn::align::top_left;
    m.window = {tn::unlimited, 0, tn::align::top_left};
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
    m.lengths = {70};
    m.sinks = {0.0f};
    const auto clean = make_inputs<number>(shape, 446);
    auto poisoned = clean;
    for (std::size_t i = at(queries * 19); i < poisoned.v.size(); ++i)
      poisoned.v[i] = std::numeric_limits<number>::infinity();
    for (const auto& list : {m, causal}) {
      const auto expected = attended(attention_path::fused, clean, list);
      EXPECT_TRUE(same_bits(attended(attention_path::fused, poisoned, list), expected))
          << queries << " queries";
      EXPECT_TRUE(within_bounds(expected, expected_attention(clean, list))) << queries << " queries";
    }
  }
}

TEST(attention_of_bfloat16, is_off_by_at_most_twice_what_rounding_the_result_is_off_by) {
  // In the mean over many results, as single ones may be right by luck.
  for (const double deviation : {0.25, 1.0, 3.0})
    for (const double mean : {0.0, 2.0}) {
      const attention_shape shape{.heads = 2, .queries = 64, .keys = 257, .dim = 64};
      auto in = make_inputs<number>(shape, 447, deviation);
      in.v = normal<number>(shape.v_count(), 448, mean);
      const attention_reference expected = expected_attention(in);
      real squares[2] = {0, 0};
      for (const attention_path path : both_paths) {
        const auto o = attended(path, in).o;
        for (std::size_t i = 0; i < o.size(); ++i)
          squares[path == attention_path::fused] += std::pow(widen(o[i]) - expected.o[i], 2);
      }
      EXPECT_LE(std::sqrt(squares[1]), 2 * std::sqrt(squares[0])) << deviation << ", " << mean;
    }
}

}  // namespace
}  // namespace tensornorm_test
