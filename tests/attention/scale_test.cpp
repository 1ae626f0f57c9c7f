// The scale is dim_head^-0.5, in both functions, whatever the number of heads.
#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"

namespace tensornorm_test {
namespace {

TEST(the_scale, is_one_over_the_root_of_the_head_size) {
  EXPECT_EQ(tn::attention_scale(1), 1.0);
  EXPECT_EQ(tn::attention_scale(4), 0.5);
  EXPECT_EQ(tn::attention_scale(64), 0.125);
  EXPECT_DOUBLE_EQ(tn::attention_scale(59), 1 / std::sqrt(59.0));
}

TEST(the_scale, does_not_depend_on_the_number_of_heads) {
  for (const std::ptrdiff_t heads : {1, 2, 9, 16})
    for (const std::ptrdiff_t dim : {4, 25, 64}) {
      if (heads == dim) continue;
      const auto in =
          make_inputs<float>({.heads = heads, .queries = 7, .keys = 40, .dim = dim, .dim_v = 5}, 301, 2);
      const attention_reference expected = expected_attention(in);
      // What a scale of num_heads^-0.5 would give: q times sqrt(dim / heads) with the right one.
      auto q = widen(in.q);
      for (real& value : q) value *= std::sqrt(static_cast<real>(dim) / static_cast<real>(heads));
      const attention_reference wrong = reference_attention(in.shape, q, widen(in.k), widen(in.v));
      for (const attention_path path : both_paths) {
        const auto result = attended(path, in);
        EXPECT_TRUE(within_bounds(result, expected)) << name_of(path) << ", " << in.shape;
        EXPECT_FALSE(within_bounds(result, wrong)) << name_of(path) << ", " << in.shape;
      }
    }
}

TEST(the_scale, is_that_of_q_and_k_where_v_has_another_head_size) {
  const auto in = make_inputs<float>({.heads = 3, .queries = 7, .keys = 40, .dim = 9, .dim_v = 36}, 302, 2);
  const attention_reference expected = expected_attention(in);
  for (const attention_path path : both_paths)
    EXPECT_TRUE(within_bounds(attended(path, in), expected)) << name_of(path);
}

}  // namespace
}  // namespace tensornorm_test
