// The attention layer and its gradients, fused and unfused, against values of PyTorch's MultiheadAttention,
// whose parameters it loads packed and apart; attention_layer.py says how.
#include "attention_layer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <tensornorm/tensornorm.hpp>
#include <tuple>

namespace tensornorm_test {
namespace {

using tn::attention_path;

/// Each of about ten steps rounds, and passes on what came in; PyTorch's are of float64.
template <class T, class Values>
void expect_near(const std::string& name, const Values& found, const golden_data& expected) {
  ASSERT_EQ(static_cast<std::size_t>(found.size()), expected.size()) << name;
  real peak = 0;
  for (const double value : expected) peak = std::max(peak, std::abs(widen(value)));
  const real bound = 32 * (epsilon<T>() + epsilon<double>()) * peak;
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_LE(std::abs(widen(found.data()[i]) - expected[i]), bound)
        << name << " element " << i << " is " << found.data()[i] << ", expected " << expected[i];
}

template <class T>
tn::Attention<T> layer_of(const attention_layer_case& golden, attention_path path) {
  tn::Attention<T> layer({.dim = golden.x.size[2],
                          .heads = golden.heads,
                          .dim_context = golden.context ? golden.context->size[2] : 0,
                          .bias = golden.bias,
                          .out_bias = golden.bias,
                          .path = path});
  tn::parameter_map<T> parameters;
  for (const auto& [name, values] : golden.parameters) {
    Eigen::Tensor<T, 1>& flat = parameters[name];
    flat.resize(static_cast<Eigen::Index>(values->values.size()));
    for (Eigen::Index i = 0; i < flat.size(); ++i)
      flat(i) = static_cast<T>(values->values[static_cast<std::size_t>(i)]);
  }
  layer.load(parameters);
  return layer;
}

template <class T, class... Words>
void expect_golden(const attention_layer_case& golden, attention_path path, const Words&... words) {
  auto layer = layer_of<T>(golden, path);
  const auto x = tensor_as<T, 3>(golden.x), dy = tensor_as<T, 3>(golden.dy);
  expect_near<T>("y", layer(x, words...), golden.y.values);
  expect_near<T>("y", layer.forward(x, words...), golden.y.values);
  if constexpr (tn::detail::has_context<Words...>) {
    auto dcontext = tensor_as<T, 3>(*golden.context);
    expect_near<T>("dx", layer.backward(dy, x, words..., tn::grad_context(dcontext)), golden.dx.values);
    expect_near<T>("dcontext", dcontext, golden.dcontext->values);
  } else {
    expect_near<T>("dx", layer.backward(dy, x, words...), golden.dx.values);
  }
  auto parameters = layer.parameters();
  ASSERT_EQ(parameters.size(), golden.gradients.size());
  for (const auto& [name, values] : golden.gradients) {
    const auto found =
        std::ranges::find_if(parameters, [&, wanted = name](const auto& p) { return p.name == wanted; });
    ASSERT_NE(found, parameters.end()) << name;
    // What is added to all keys moves all scores of a query alike: nothing but roundings.
    if (found->name != "k_bias") expect_near<T>(name, found->gradient, values->values);
  }
}

template <class T>
class attention_layer_golden : public testing::Test {};
using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(attention_layer_golden, scalars, scalar_names);

TYPED_TEST(attention_layer_golden, values_and_gradients_are_those_of_the_pytorch_module) {
  using T = TypeParam;
  for (const auto path : {attention_path::fused, attention_path::unfused})
    for (const attention_layer_case& golden : attention_layer_cases) {
      SCOPED_TRACE(testing::Message()
                   << golden.name << (path == attention_path::fused ? ", fused" : ", unfused"));
      if (golden.context) {
        const auto context = tensor_as<T, 3>(*golden.context);
        expect_golden<T>(golden, path, tn::context(context));
      } else if (golden.causal) {
        expect_golden<T>(golden, path, tn::causal(tn::align::bottom_right));
      } else {
        expect_golden<T>(golden, path);
      }
    }
}

}  // namespace
}  // namespace tensornorm_test
