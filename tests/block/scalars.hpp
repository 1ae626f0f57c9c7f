// The layer in each scalar: the composition of its steps, and the gradients of the same layer in double.
#pragma once

#include "reference.hpp"

namespace tensornorm_test {

/// A layer and the same in double.
template <class S, class P>
struct plain_blocks {
  using scalar = S;
  using layer = tn::Attention<S, tn::none_t, tn::none_t, P>;
  using wide = tn::Attention<double>;
};
template <class S, class P>
struct normed_blocks {
  using scalar = S;
  using layer = tn::Attention<S, tn::RmsNorm<S, P>, tn::LayerNorm<S, P>, P>;
  using wide = tn::Attention<double, tn::RmsNorm<double>, tn::LayerNorm<double>>;
};
template <class S, class P>
struct other_normed_blocks {
  using scalar = S;
  using layer = tn::Attention<S, tn::LayerNorm<S, P>, tn::SimpleNorm<S, P>, P>;
  using wide = tn::Attention<double, tn::LayerNorm<double>, tn::SimpleNorm<double>>;
};

template <class S, int Rank>
row_major_tensor<double, Rank> in_double(const row_major_tensor<S, Rank>& x) {
  row_major_tensor<double, Rank> wide(x.dimensions());
  for (index_nn i = 0; i < x.size(); ++i) wide.data()[i] = static_cast<double>(widen(x.data()[i]));
  return wide;
}

template <class Values>
real peak_of(const Values& values) {
  real peak = 0;
  for (index_nn i = 0; i < values.size(); ++i) peak = std::max(peak, std::abs(widen(values.data()[i])));
  return peak;
}

template <class Blocks>
struct block_scalars : testing::Test {};
TYPED_TEST_SUITE_P(block_scalars);

TYPED_TEST_P(block_scalars, give_the_composition_of_the_steps_on_both_paths) {
  using T = typename TypeParam::scalar;
  for (const block_case& c : block_cases) {
    SCOPED_TRACE(testing::Message() << c);
    const block_data<T> data(c);
    learned<typename TypeParam::layer> fused(c.options(block_paths[0])), unfused(c.options(block_paths[1]));
    const auto expected = reference_block(fused, c, data);
    const auto y = inferred(fused, c, data), z = inferred(unfused, c, data);
    EXPECT_LE(worst_of_bounds(y, expected), 1);
    EXPECT_LE(worst_of_bounds(z, expected), 1);
    EXPECT_TRUE(paths_agree(y, z, expected));
  }
}

/// In double, the gradients are those of differences (gradients.hpp). Each of about ten steps rounds to the
/// scalar of the data, and passes on what came in.
TYPED_TEST_P(block_scalars, give_the_gradients_of_the_same_layer_in_double) {
  using T = typename TypeParam::scalar;
  const real share = 32 * epsilon<T>();
  for (const block_case& c : block_cases)
    for (const auto path : block_paths) {
      SCOPED_TRACE(testing::Message() << c);
      const block_data<T> data(c);
      block_data<double> wide_data(c);
      wide_data.x = in_double(data.x);
      wide_data.context = in_double(data.context);
      wide_data.dy = in_double(data.dy);
      learned<typename TypeParam::layer> layer(c.options(path));
      learned<typename TypeParam::wide> wide(c.options(path));
      auto p = layer.parameters();
      auto q = wide.parameters();
      ASSERT_EQ(p.size(), q.size());
      for (std::size_t i = 0; i < p.size(); ++i)
        for (index_nn j = 0; j < p[i].value.size(); ++j)
          q[i].value(j) = static_cast<double>(widen(p[i].value(j)));
      forwarded(layer, c, data);
      forwarded(wide, c, wide_data);
      const auto found = backwarded(layer, c, data);
      const auto expected = backwarded(wide, c, wide_data);
      const auto expect = [&](const std::string& name, const auto& a, const auto& b, real peak) {
        ASSERT_EQ(a.size(), b.size()) << name;
        for (index_nn i = 0; i < a.size(); ++i)
          ASSERT_LE(std::abs(widen(a.data()[i]) - widen(b.data()[i])), share * peak) << name << " " << i;
      };
      expect("x", found.x, expected.x, peak_of(expected.x));
      expect("context", found.context, expected.context, peak_of(expected.context));
      real peak_of_bias = 0;
      for (const auto& parameter : q)
        if (parameter.name.find("_bias") != std::string::npos)
          peak_of_bias = std::max(peak_of_bias, peak_of(parameter.gradient));
      for (std::size_t i = 0; i < p.size(); ++i)
        expect(p[i].name, p[i].gradient, q[i].gradient,
               may_vanish(p[i].name) ? peak_of_bias : peak_of(q[i].gradient));
    }
}

REGISTER_TYPED_TEST_SUITE_P(block_scalars, give_the_composition_of_the_steps_on_both_paths,
                            give_the_gradients_of_the_same_layer_in_double);

}  // namespace tensornorm_test
