// With a workspace, a second forward pass of the same sizes allocates nothing.
#include "../support/allocations.hpp"

#include <gtest/gtest.h>
#include <tensornorm/tensornorm.hpp>

namespace tensornorm_test {
namespace {

namespace tn = tensornorm;

template <class T>
void expect_no_second_allocation(tn::attention_path path, Eigen::Index height, Eigen::Index width) {
  const tn::Attention2d<T> block({.dim = 12, .dim_out = 20, .heads = 3, .path = path});
  Eigen::Tensor<T, 4, Eigen::RowMajor> x(2, 12, height, width), y(2, 20, height, width);
  x.setConstant(T(1.5f));
  tn::attention_workspace workspace;
  y = block(x, tn::use_workspace(workspace));
  const std::size_t held = workspace.bytes();
  EXPECT_GE(held, sizeof(T) * static_cast<std::size_t>(4 * 2 * 12 * height * width));  // q, k, v and o
  EXPECT_EQ(allocations_of([&] { y = block(x, tn::use_workspace(workspace)); }), 0);
  EXPECT_EQ(allocations_of([&] { y = block(x, tn::use_workspace(workspace)); }), 0);
  EXPECT_EQ(workspace.bytes(), held);
}

TEST(an_attention2d, allocates_nothing_again_with_a_workspace) {
  for (const auto path : {tn::attention_path::fused, tn::attention_path::unfused})
    for (const auto& [height, width] : {std::pair<int, int>{1, 1}, {3, 5}, {14, 14}, {9, 30}}) {
      expect_no_second_allocation<float>(path, height, width);
      expect_no_second_allocation<Eigen::half>(path, height, width);
    }
}

TEST(an_attention2d, allocates_without_a_workspace_and_the_counter_sees_it) {
  const tn::Attention2d<float> block({.dim = 12, .heads = 3});
  Eigen::Tensor<float, 4, Eigen::RowMajor> x(2, 12, 3, 5), y(2, 12, 3, 5);
  x.setConstant(1.5f);
  EXPECT_GE(allocations_of([&] { y = block(x); }), 1);
}

}  // namespace
}  // namespace tensornorm_test
