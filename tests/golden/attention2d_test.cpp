// The image block, fused and unfused, against values that a PyTorch module computed; attention2d.py
// says how.
#include "attention2d.hpp"

#include <gtest/gtest.h>

#include <tensornorm/tensornorm.hpp>

namespace tensornorm_test {
namespace {

template <class T>
tn::Attention2d<T> block_of(const attention2d_case& golden, tn::attention_path path) {
  tn::Attention2d<T> block({.dim = golden.dim,
                            .dim_out = golden.dim_out,
                            .heads = golden.heads,
                            .bias = golden.qkv_bias != nullptr,
                            .expand_first = golden.expand_first,
                            .head_first = golden.head_first,
                            .path = path});
  assign(block.qkv_weight, golden.qkv_weight);
  assign(block.proj_weight, golden.proj_weight);
  if (golden.qkv_bias) assign(block.qkv_bias, *golden.qkv_bias);
  if (golden.proj_bias) assign(block.proj_bias, *golden.proj_bias);
  return block;
}

template <class T>
void expect_golden(const attention2d_case& golden, tn::attention_path path) {
  const tn::Attention2d<T> block = block_of<T>(golden, path);
  const auto x = tensor_as<T, 4>(golden.x);
  row_major_tensor<T, 4> y;
  if (golden.score_bias) {
    const auto bias = tensor_as<T, 3>(*golden.score_bias);
    y = block.forward(x, tn::score_bias(bias));
  } else {
    y = block.forward(x);
  }
  ASSERT_EQ(extents_of(y), golden.y.size);
  const real bound = golden.error_bound * (epsilon<T>() + epsilon<double>());
  for_each_element(y, [&](std::size_t element, T value) {
    const real error = std::abs(widen(value) - golden.y.values[element]);
    EXPECT_TRUE(error <= bound) << "element " << element << " is " << value << ", expected "
                                << golden.y.values[element] << ": error " << error << ", bound " << bound;
  });
}

template <class T>
class attention2d_golden : public testing::Test {};
using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(attention2d_golden, scalars, scalar_names);

TYPED_TEST(attention2d_golden, channel_orders_and_widths_are_those_of_the_pytorch_module) {
  for (const auto path : {tn::attention_path::fused, tn::attention_path::unfused})
    for (const attention2d_case& golden : attention2d_cases) {
      SCOPED_TRACE(testing::Message()
                   << golden.name << (path == tn::attention_path::fused ? ", fused" : ", unfused"));
      expect_golden<TypeParam>(golden, path);
    }
}

}  // namespace
}  // namespace tensornorm_test
