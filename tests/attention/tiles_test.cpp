// Tiles of bfloat16 and their products, where the machine has them: the order of their sums is known to the
// bit, and what is computed number by number instead has the same bits.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "../support/attention_bounds.hpp"
#include "../support/levels.hpp"

namespace tensornorm_test {
namespace {

using kernel::index;
using number = Eigen::bfloat16;

constexpr std::size_t at(index i) { return static_cast<std::size_t>(i); }

#if TENSORNORM_AMX

constexpr index whole(index n, index of) { return (n + of - 1) / of * of; }

float without_subnormals(float x) {
  return std::abs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
}

/// A · B of rows x depth and depth x lanes; lanes is a multiple of 16, and the deviation of A and B is given.
struct tile_product {
  index rows, depth, lanes;
  double deviation;
  std::vector<number> a = normal<number>(at(rows * depth), 451, 0, deviation);
  std::vector<number> b = normal<number>(at(depth * lanes), 452, 0, deviation);
  std::vector<float> c = std::vector<float>(at(whole(rows, 16) * lanes), quiet_nan<float>());

  index whole_depth() const { return whole(depth, 32); }

  void run() {
    std::vector<number> tiles_of_a(at(whole(rows, 16) * whole_depth()), number(0));
    for (index row = 0; row < rows; ++row)
      for (index d = 0; d < depth; ++d) tiles_of_a[at(row * whole_depth() + d)] = a[at(row * depth + d)];
    std::vector<number> pairs_of_b(at(whole_depth() * lanes), number(0));
    for (index d = 0; d < depth; ++d)
      for (index lane = 0; lane < lanes; ++lane)
        pairs_of_b[at((d / 2 * lanes + lane) * 2 + d % 2)] = b[at(d * lanes + lane)];
    kernel::enter<product_of_tiles>(kernel::avx512_amx(), *this,
                                    reinterpret_cast<const float*>(tiles_of_a.data()),
                                    reinterpret_cast<const float*>(pairs_of_b.data()), c.data());
  }

  /// Tiles of 32 depths; in each the even ones, the odd ones, and then both.
  float in_order(index row, index lane) const {
    float sum = 0;
    for (index tile = 0; tile < whole_depth(); tile += 32) {
      float chain[2] = {0, 0};
      for (index d = tile; d < tile + 32; ++d)
        chain[d % 2] = without_subnormals(std::fma(
            d < depth ? without_subnormals(static_cast<float>(a[at(row * depth + d)])) : 0,
            d < depth ? without_subnormals(static_cast<float>(b[at(d * lanes + lane)])) : 0, chain[d % 2]));
      sum = without_subnormals(sum + without_subnormals(chain[0] + chain[1]));
    }
    return sum;
  }

  struct product_of_tiles {
    template <class Isa>
    static TENSORNORM_INLINE void run(const tile_product& p, const float* const& a, const float* const& b,
                                      float* const& c) {
      const kernel::amx_product product{a, p.whole_depth() / 2, p.rows, b, p.whole_depth(), p.lanes};
      for (index row = 0; row < p.rows; row += product.together)
        for (index lane = 0; lane < p.lanes; lane += kernel::amx::tile_numbers)
          product.multiply(row, lane, c + row * p.lanes + lane, p.lanes);
    }
  };
};

TEST(products_of_tiles, add_up_in_an_order_known_to_the_bit) {
  if (!kernel::has_amx(kernel::active_isa())) GTEST_SKIP() << "no tiles of bfloat16";
  // With numbers whose products, and with numbers which themselves are near the smallest normal one.
  for (const double deviation : {1.0, 1.5e-19, 1e-38})
    for (const index depth : {1, 2, 31, 32, 33, 64, 100, 128})
      for (const index rows : {1, 15, 16, 17, 33, 49, 64, 65, 130})
        for (const index lanes : {16, 32, 48}) {
          tile_product p{rows, depth, lanes, deviation};
          p.run();
          for (index row = 0; row < rows; ++row)
            for (index lane = 0; lane < lanes; ++lane)
              ASSERT_EQ(bits(p.c[at(row * lanes + lane)]), bits(p.in_order(row, lane)))
                  << rows << " x " << depth << " x " << lanes << ", deviation " << deviation << ", row "
                  << row << ", lane " << lane;
        }
}

#endif  // TENSORNORM_AMX

TEST(attention_of_bfloat16, multiplies_tiles_where_it_is_asked_to) {
  const auto level = kernel::active_isa();
  if (kernel::isa_cap() != "avx512_amx") GTEST_SKIP() << "not asked for";
  EXPECT_EQ(kernel::takes_amx(level), kernel::has_amx(level));
}

/// Inputs near the smallest normal number: products and sums of them are subnormal, and so are some of them.
attention_inputs<number> tiny_inputs(const attention_shape& shape, double deviation) {
  auto in = make_inputs<number>(shape, 453);
  in.v = normal<number>(shape.v_count(), 454, 0, deviation);
  return in;
}

TEST(attention_of_bfloat16, of_tiny_numbers_gives_a_query_alone_the_bits_that_it_has_among_others) {
  for (const double deviation : {1e-37, 1e-38, 1e-39})
    for (const index dim : {16, 33, 64}) {
      const attention_shape shape{.heads = 2, .queries = 50, .keys = 131, .dim = dim};
      auto in = tiny_inputs(shape, deviation);
      // Logits as large as usual, of products of a large and a tiny number.
      for (number& q : in.q) q = number(static_cast<float>(q) * 0x1p120f);
      for (number& k : in.k) k = number(static_cast<float>(k) * 0x1p-125f);
      const auto all = attended(attention_path::fused, in);
      for (index i = 0; i < shape.queries; i += 7) {
        auto alone = in;
        alone.shape.queries = 1;
        alone.q.clear();
        for (index head = 0; head < 2; ++head)
          alone.q.insert(alone.q.end(), in.q.begin() + (head * shape.queries + i) * dim,
                         in.q.begin() + (head * shape.queries + i + 1) * dim);
        const auto o = attended(attention_path::fused, alone).o;
        for (index head = 0; head < 2; ++head)
          for (index d = 0; d < dim; ++d)
            ASSERT_EQ(bits(o[at(head * dim + d)]), bits(all.o[at((head * shape.queries + i) * dim + d)]))
                << "query " << i << ", dim " << d << " of " << dim << ", deviation " << deviation;
      }
    }
}

TEST(attention_of_bfloat16, of_tiny_numbers_does_not_see_what_is_behind_a_mask) {
  for (const double deviation : {1e-37, 1e-38, 1e-39})
    for (const std::ptrdiff_t queries : {1, 5, 49}) {
      const attention_shape shape{.queries = queries, .keys = 140, .dim = 24, .dim_v = 70};
      const auto clean = tiny_inputs(shape, deviation);
      modifier_list<float> m;
      m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return 0.0f; });
      m.lengths = {static_cast<std::int32_t>(shape.keys)};
      m.mask = make_spread<bool>({1, 1, 1, shape.keys}, [](const score_index& s) { return s.key % 3 != 1; });
      auto poisoned = clean;
      for (index key = 1; key < shape.keys; key += 3)
        for (index d = 0; d < 70; ++d)
          poisoned.v[at(key * 70 + d)] = std::numeric_limits<number>::quiet_NaN();
      EXPECT_TRUE(
          same_bits(attended(attention_path::fused, poisoned, m), attended(attention_path::fused, clean, m)))
          << queries << " queries, deviation " << deviation;
    }
}

/// The last queries of each head.
attention_inputs<number> last_queries(const attention_inputs<number>& in, std::ptrdiff_t count) {
  attention_inputs<number> few = in;
  few.shape.queries = count;
  few.q.clear();
  for (std::ptrdiff_t head = 1; head <= in.shape.heads; ++head) {
    const auto end = in.q.begin() + head * in.shape.queries * in.shape.dim;
    few.q.insert(few.q.end(), end - count * in.shape.dim, end);
  }
  return few;
}

/// Whether the last `count` queries of each head have the same bits alone and among the others.
testing::AssertionResult same_alone(const attention_inputs<number>& in, std::ptrdiff_t count,
                                    const modifier_list<float>& m) {
  const auto all = attended(attention_path::fused, in, m);
  const auto few = attended(attention_path::fused, last_queries(in, count), m);
  std::vector<number> expected;
  for (std::ptrdiff_t head = 1; head <= in.shape.heads; ++head) {
    const auto end = all.o.begin() + head * in.shape.queries * in.shape.size_of_v();
    expected.insert(expected.end(), end - count * in.shape.size_of_v(), end);
  }
  return same_bits(few.o, expected);
}

modifier_list<float> mask_of(std::ptrdiff_t keys) {
  modifier_list<float> m;
  m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return 0.5f; });
  m.lengths = {static_cast<std::int32_t>(keys)};
  m.mask = make_spread<bool>({1, 1, 1, keys}, [](const score_index& s) { return s.key % 3 != 1; });
  return m;
}

TEST(attention_of_bfloat16, of_a_few_queries_by_tiles_has_the_bits_of_many) {
  struct sizes {
    std::ptrdiff_t heads, queries;
  };
  // Rows of queries: too few for tiles, nearly a tile, a tile, one more, and several tiles.
  for (const sizes few : {sizes{1, 1}, sizes{3, 1}, sizes{3, 5}, sizes{16, 1}, sizes{17, 1}, sizes{5, 8}})
    for (const std::ptrdiff_t dim : {32, 40, 96})
      for (const std::ptrdiff_t dim_v : {16, 32, 75})
        for (const std::ptrdiff_t keys : {1, 15, 16, 33, 127, 160, 1041}) {
          const attention_shape shape{.heads = 2 * few.heads,
                                      .queries = 20,
                                      .keys = keys,
                                      .dim = dim,
                                      .key_heads = 2,
                                      .dim_v = dim_v};
          auto in = make_inputs<number>(shape, 457);
          EXPECT_TRUE(same_alone(in, few.queries, {})) << shape << ", " << few.queries << " alone";
          if (keys < 3) continue;
          EXPECT_TRUE(same_alone(in, few.queries, mask_of(keys)))
              << shape << ", " << few.queries << ", masked";
          // A value that nobody sees, and one that everybody sees.
          in.v[at(dim_v + dim_v / 2)] = std::numeric_limits<number>::quiet_NaN();
          in.v[at(2 * dim_v + dim_v / 2)] = std::numeric_limits<number>::infinity();
          EXPECT_TRUE(same_alone(in, few.queries, mask_of(keys)))
              << shape << ", " << few.queries << ", infinite";
        }
}

TEST(attention_of_bfloat16, of_a_few_queries_by_tiles_may_begin_in_a_block_of_keys) {
  for (const std::ptrdiff_t left : {3, 37, 100}) {
    const attention_shape shape{
        .heads = 4, .queries = 30, .keys = 301, .dim = 64, .key_heads = 2, .dim_v = 40};
    modifier_list<float> m;
    m.softcap = 50;
    m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return 0.5f; });
    m.alibi = {{0.25f, 0.5f, 0.25f, 0.5f}, tn::align::bottom_right};
    m.causal = tn::align::bottom_right;
    m.window = {left, 0, tn::align::bottom_right};
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
    m.lengths = {301};
    m.sinks = {0.0f, 1.0f, 0.0f, 1.0f};
    for (const std::ptrdiff_t few : {1, 4, 8})
      EXPECT_TRUE(same_alone(make_inputs<number>(shape, 458), few, m))
          << few << " queries, " << left << " keys";
  }
}

TEST(attention_of_bfloat16, begins_in_the_second_tile_of_a_block_of_keys) {
  // The second block of queries sees keys from 38 on.
  const attention_shape shape{.queries = 96, .keys = 96, .dim = 40, .dim_v = 20};
  const auto in = make_inputs<number>(shape, 456);
  modifier_list<float> m;
  m.softcap = 50;
  m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return 0.5f; });
  m.alibi = {{0.25f}, tn::align::top_left};
  m.causal = tn::align::top_left;
  m.window = {10, 0, tn::align::top_left};
  m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
  m.lengths = {96};
  m.sinks = {0.0f};
  EXPECT_TRUE(within_bounds(attended(attention_path::fused, in, m), expected_attention(in, m)));
}

TEST(attention_of_bfloat16, leaves_subnormal_numbers_to_its_caller) {
  for (const std::ptrdiff_t queries : {1, 49}) {
    attended(attention_path::fused, make_inputs<number>({.queries = queries, .keys = 70, .dim = 16}, 455));
    const volatile float smallest = std::numeric_limits<float>::min();
    EXPECT_GT(smallest / 2, 0.0f) << queries << " queries";
  }
}

}  // namespace
}  // namespace tensornorm_test
