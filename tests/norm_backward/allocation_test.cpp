// A backward pass allocates for the sums of dweight and dbias alone, and nothing where a workspace brings it.
#include "../support/allocations.hpp"

#include <gtest/gtest.h>
#include <tensornorm/tensornorm.hpp>


namespace tensornorm_test {
namespace {

namespace tn = tensornorm;
using tensor = Eigen::Tensor<float, 3, Eigen::RowMajor>;
using vector = Eigen::Tensor<float, 1>;

/// Calls of both kernels and of groups with a destination for everything.
template <class Call>
void for_each_shape(const Call& call) {
  for (const Eigen::Index inner : {1, 70}) {
    tensor x(40, 65, inner), dy(40, 65, inner), dx(40, 65, inner);
    x.setRandom();
    dy.setRandom();
    vector w(65), dw(65), db(65);
    w.setConstant(2);
    call(dy, x, w, dx, dw, db);
  }
}

TEST(a_backward_pass, allocates_nothing_for_dx_of_contiguous_rows) {
  tensor x(40, 3, 65), dy(40, 3, 65), dx(40, 3, 65);
  x.setRandom();
  dy.setRandom();
  vector w(65), channels(3);
  w.setConstant(2);
  channels.setConstant(2);
  tn::statistics<float> saved;
  tensor y = tn::layer_norm(x, w, {.save = &saved});
  EXPECT_EQ(allocations_of([&] { tn::rms_norm_backward(dy, x, w, tn::grad_x(dx)); }), 0);
  EXPECT_EQ(allocations_of([&] { tn::simple_norm_backward(dy, x, w, tn::grad_x(dx)); }), 0);
  EXPECT_EQ(allocations_of([&] { tn::layer_norm_backward(dy, x, w, tn::grad_x(dx)); }), 0);
  EXPECT_EQ(allocations_of([&] { tn::layer_norm_backward(dy, x, w, saved, tn::grad_x(dx)); }), 0);
  EXPECT_EQ(allocations_of([&] { tn::group_norm_backward(dy, x, 3, channels, tn::grad_x(dx)); }), 0);
}

TEST(a_backward_pass, gathers_rows_across_memory_in_a_workspace) {
  tensor x(4, 65, 70), dy(4, 65, 70), dx(4, 65, 70);
  x.setRandom();
  dy.setRandom();
  tn::workspace workspace;
  const auto backward = [&] {
    tn::rms_norm_backward(dy, x, tn::none, {.axes = 1}, tn::grad_x(dx), tn::use_workspace(workspace));
  };
  backward();
  EXPECT_EQ(allocations_of(backward), 0);
}

TEST(a_backward_pass, allocates_for_sums_once_and_nothing_again_where_a_workspace_keeps_the_memory) {
  for_each_shape([](const tensor& dy, const tensor& x, const vector& w, tensor& dx, vector& dw, vector& db) {
    const auto layer = [&](const auto&... more) {
      tn::layer_norm_backward(dy, x, w, {.axes = 1}, tn::grad_x(dx), tn::grad_weight(dw), tn::grad_bias(db),
                              more...);
    };
    const auto group = [&](const auto&... more) {
      tn::group_norm_backward(dy, x, 5, w, tn::grad_x(dx), tn::grad_weight(dw), tn::grad_bias(db), more...);
    };
    EXPECT_GE(allocations_of([&] { layer(); }), 1);
    EXPECT_GE(allocations_of([&] { group(); }), 1);
    tn::attention_workspace workspace;
    layer(tn::use_workspace(workspace));
    EXPECT_EQ(allocations_of([&] { layer(tn::use_workspace(workspace)); }), 0);
    group(tn::use_workspace(workspace));
    EXPECT_EQ(allocations_of([&] { group(tn::use_workspace(workspace)); }), 0);
    EXPECT_GT(workspace.bytes(), 0u);
  });
}

}  // namespace
}  // namespace tensornorm_test
