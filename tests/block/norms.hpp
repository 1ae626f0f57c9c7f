// The layer is the composition of its steps, and its gradients are those of differences of its y, for every
// pair of norms and of options.
#pragma once

#include "differences.hpp"
#include "reference.hpp"

namespace tensornorm_test {

template <class Block>
struct block_forward : testing::Test {};
TYPED_TEST_SUITE_P(block_forward);

struct out_norm_names {
  template <class Block>
  static std::string GetName(int i) {
    constexpr const char* names[] = {"no_out_norm", "rms_out_norm", "simple_out_norm", "layer_out_norm"};
    return names[i];
  }
};

/// With one norm of queries and keys, each norm of the result.
template <class QkNorm, class S = double>
using each_out_norm =
    testing::Types<block_type<S, QkNorm, tn::none_t>, block_type<S, QkNorm, tn::RmsNorm<S>>,
                   block_type<S, QkNorm, tn::SimpleNorm<S>>, block_type<S, QkNorm, tn::LayerNorm<S>>>;

TYPED_TEST_P(block_forward, is_the_composition_of_its_steps_on_both_paths) {
  using T = typename TypeParam::scalar;
  for (const block_case& c : block_cases) {
    SCOPED_TRACE(testing::Message() << c);
    const block_data<T> data(c);
    tokens<T> y[2];
    for (const std::size_t path : {0u, 1u}) {
      learned<typename TypeParam::layer> layer(c.options(block_paths[path]));
      const auto expected = reference_block(layer, c, data);
      y[path] = forwarded(layer, c, data);
      EXPECT_EQ(extents_of(y[path]), (extents{c.batch, c.tokens, c.size_of_y()}));
      EXPECT_LE(worst_of_bounds(y[path], expected), 1) << "path " << path;
      EXPECT_TRUE(same_bits(elements_of(inferred(layer, c, data)), elements_of(y[path]))) << "path " << path;
      if (path == 1) {
        EXPECT_TRUE(paths_agree(y[0], y[1], expected));
      }
    }
  }
}
REGISTER_TYPED_TEST_SUITE_P(block_forward, is_the_composition_of_its_steps_on_both_paths);

template <class Block>
struct block_gradient : testing::Test {};
TYPED_TEST_SUITE_P(block_gradient);

TYPED_TEST_P(block_gradient, is_that_of_differences_for_x_the_context_and_every_parameter) {
  for (const block_case& c : block_cases) {
    SCOPED_TRACE(testing::Message() << c);
    expect_differences<typename TypeParam::layer>(c);
  }
}
REGISTER_TYPED_TEST_SUITE_P(block_gradient, is_that_of_differences_for_x_the_context_and_every_parameter);

}  // namespace tensornorm_test
