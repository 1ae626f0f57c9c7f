// Passes of the same sizes through the same layer take no more memory than before: the memory that they work
// in is kept.
#include "../support/allocations.hpp"

#include <gtest/gtest.h>
#include <tensornorm/tensornorm.hpp>

namespace tensornorm_test {
namespace {

namespace tn = tensornorm;

template <class T>
void expect_no_further_growth(tn::attention_path path, Eigen::Index count) {
  using tokens = Eigen::Tensor<T, 3, Eigen::RowMajor>;
  tn::Attention<T> layer(
      {.dim = 24, .heads = 3, .dim_out = 20, .rotary = tn::rotary_pairs::halves, .path = path});
  tokens x(2, count, 24), dy(2, count, 20);
  x.setConstant(T(0.5f));
  dy.setConstant(T(0.25f));
  const auto forward = [&] { layer.forward(x); };
  const auto backward = [&] { layer.backward(dy, x); };
  const int first_forward = allocations_of(forward), first_backward = allocations_of(backward);
  const int second_forward = allocations_of(forward), second_backward = allocations_of(backward);
  EXPECT_LT(second_forward, first_forward);
  EXPECT_LE(second_backward, first_backward);
  // x in rows, y, and angles for q and k; dy and x in rows, the gradients of the result, q, k, v and x, the
  // last in two scalars for half, and angles.
  EXPECT_LE(second_forward, 4);
  EXPECT_LE(second_backward, 10);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(allocations_of(forward), second_forward);
    EXPECT_EQ(allocations_of(backward), second_backward);
  }
}

TEST(a_block, allocates_less_a_second_time_and_no_more_after_that) {
  for (const auto path : {tn::attention_path::fused, tn::attention_path::unfused})
    for (const Eigen::Index count : {1, 7, 65, 150}) {
      SCOPED_TRACE(testing::Message() << count << " tokens");
      expect_no_further_growth<float>(path, count);
      expect_no_further_growth<Eigen::half>(path, count);
    }
}

}  // namespace
}  // namespace tensornorm_test
