// A backward pass allocates for the sums of dweight and dbias alone, and nothing where a workspace brings it.
#include "../support/allocations.hpp"

#include <gtest/gtest.h>
#include <tensornorm/tensornorm.hpp>

#include "../support/backward_kernels.hpp"

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

TEST(a_backward_pass, allocates_nothing_for_dx) {
  for_each_shape([](const tensor& dy, const tensor& x, const vector& w, tensor& dx, vector&, vector&) {
    tn::statistics<float> saved;
    tensor y = tn::layer_norm(x, w, {.axes = 1, .save = &saved});
    EXPECT_EQ(allocations_of([&] { tn::rms_norm_backward(dy, x, w, {.axes = 1}, tn::grad_x(dx)); }), 0);
    EXPECT_EQ(allocations_of([&] { tn::simple_norm_backward(dy, x, w, {.axes = 1}, tn::grad_x(dx)); }), 0);
    EXPECT_EQ(allocations_of([&] { tn::layer_norm_backward(dy, x, w, {.axes = 1}, tn::grad_x(dx)); }), 0);
    EXPECT_EQ(allocations_of([&] { tn::layer_norm_backward(dy, x, w, saved, {.axes = 1}, tn::grad_x(dx)); }),
              0);
    EXPECT_EQ(allocations_of([&] { tn::group_norm_backward(dy, x, 5, w, tn::grad_x(dx)); }), 0);
  });
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
