// The layer and its gradients without a norm of queries and keys.
#include <array>
#include <set>

#include "norms.hpp"

namespace tensornorm_test {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(no_qk_norm, block_forward, each_out_norm<tn::none_t>, out_norm_names);
INSTANTIATE_TYPED_TEST_SUITE_P(no_qk_norm, block_gradient, each_out_norm<tn::none_t>, out_norm_names);

/// The options of a case, as numbers.
std::array<int, 7> options_of(const block_case& c) {
  return {static_cast<int>(c.heads), c.dim_head > 0, c.bias,       c.out_bias,
          static_cast<int>(c.turns), c.has_context,  c.dim_out > 0};
}

TEST(cases_of_blocks, hold_every_pair_of_options) {
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t j = 0; j < i; ++j) {
      std::set<int> first, second;
      std::set<std::pair<int, int>> pairs;
      for (const block_case& c : block_cases) {
        first.insert(options_of(c)[i]);
        second.insert(options_of(c)[j]);
        pairs.insert({options_of(c)[i], options_of(c)[j]});
      }
      EXPECT_GE(first.size(), 2u);
      EXPECT_EQ(pairs.size(), first.size() * second.size()) << i << " and " << j;
    }
}

}  // namespace
}  // namespace tensornorm_test
