// Gradients of the layer against differences of its y.
#pragma once

#include "../support/differences.hpp"
#include "block.hpp"

namespace tensornorm_test {

/// All gradients of both paths against differences; `words` go with every pass.
template <class Layer, class... Words>
void expect_differences(const block_case& c, const Words&... words) {
  block_data<double> data(c);
  learned<Layer> fused(c.options()), unfused(c.options(block_paths[1]));
  const auto loss = [&] {
    const tokens<double> y = inferred(fused, c, data, words...);
    real sum = 0;
    for (index_nn i = 0; i < y.size(); ++i) sum += widen(y.data()[i]) * widen(data.dy.data()[i]);
    return sum;
  };
  forwarded(fused, c, data, words...);
  forwarded(unfused, c, data, words...);
  const auto of_fused = backwarded(fused, c, data, words...),
             of_unfused = backwarded(unfused, c, data, words...);
  const auto expect = [&](const std::string& name, const auto& a, const auto& b, auto& values) {
    const auto slopes = slopes_of(values, loss);
    const real elsewhere = may_vanish(name) ? 1 : 0;
    expect_slopes(name + ", fused", elements_of(a), slopes, elsewhere);
    expect_slopes(name + ", unfused", elements_of(b), slopes, elsewhere);
  };
  expect("x", of_fused.x, of_unfused.x, data.x);
  if (c.has_context) expect("context", of_fused.context, of_unfused.context, data.context);
  auto p = fused.parameters(), q = unfused.parameters();
  ASSERT_EQ(p.size(), q.size());
  for (std::size_t i = 0; i < p.size(); ++i) expect(p[i].name, p[i].gradient, q[i].gradient, p[i].value);
}

}  // namespace tensornorm_test
