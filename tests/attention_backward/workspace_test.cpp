// With a workspace, a second backward pass allocates nothing; and what it holds grows with the tokens, not
// with their square.
#include "../support/allocations.hpp"

#include <gtest/gtest.h>
#include <tensornorm/tensornorm.hpp>

#include <cstring>

namespace tensornorm_test {
namespace {

namespace tn = tensornorm;
using tensor = Eigen::Tensor<float, 4, Eigen::RowMajor>;
using lines = Eigen::Tensor<float, 3, Eigen::RowMajor>;

struct sizes_of_a_call {
  Eigen::Index heads, key_heads, queries, keys, dim, dim_v;
};

constexpr sizes_of_a_call calls[] = {{2, 1, 1, 1030, 16, 16},
                                     {2, 2, 5, 70, 8, 20},
                                     {2, 1, 130, 130, 64, 64},
                                     {1, 1, 530, 67, 17, 9},
                                     {4, 2, 200, 50, 128, 128}};

/// A call with everything that it reads and writes.
struct backward_of {
  sizes_of_a_call s;
  tensor q{2, s.heads, s.queries, s.dim}, k{2, s.key_heads, s.keys, s.dim},
      v{2, s.key_heads, s.keys, s.dim_v}, dout{2, s.heads, s.queries, s.dim_v}, o,
      dq{2, s.heads, s.queries, s.dim}, dk{2, s.key_heads, s.keys, s.dim},
      dv{2, s.key_heads, s.keys, s.dim_v};
  lines lse;

  explicit backward_of(const sizes_of_a_call& sizes) : s(sizes) {
    for (tensor* t : {&q, &k, &v, &dout}) t->setRandom();
    o = tn::attention(q, k, v, tn::save_lse(lse));
  }
  void run(const auto&... more) {
    tn::attention_backward(dout, q, k, v, o, lse, tn::grad_q(dq), tn::grad_k(dk), tn::grad_v(dv), more...);
  }
  void run_unfused(const auto&... more) {
    tn::attention_unfused_backward(dout, q, k, v, o, lse, tn::grad_q(dq), tn::grad_k(dk), tn::grad_v(dv),
                                   more...);
  }
};

struct backward_workspace : testing::TestWithParam<sizes_of_a_call> {
  backward_of call{GetParam()};
  tn::workspace memory;
};

INSTANTIATE_TEST_SUITE_P(calls, backward_workspace, testing::ValuesIn(calls), [](const auto& call) {
  return std::to_string(call.param.queries) + "_queries_" + std::to_string(call.param.keys) + "_keys";
});

TEST_P(backward_workspace, makes_a_second_call_allocate_nothing) {
  call.run(tn::use_workspace(memory));
  EXPECT_GT(memory.bytes(), 0u);
  EXPECT_EQ(allocations_of([&] { call.run(tn::use_workspace(memory)); }), 0);
  EXPECT_EQ(allocations_of([&] { call.run(tn::use_workspace(memory), tn::on(Eigen::DefaultDevice())); }), 0);
}

TEST_P(backward_workspace, makes_a_second_call_of_the_unfused_function_allocate_nothing) {
  call.run_unfused(tn::use_workspace(memory));
  EXPECT_EQ(allocations_of([&] { call.run_unfused(tn::use_workspace(memory)); }), 0);
}

TEST_P(backward_workspace, makes_a_second_call_with_modifiers_allocate_nothing) {
  const sizes_of_a_call& s = call.s;
  Eigen::Tensor<bool, 1> mask(s.keys);
  mask.setConstant(true);
  tensor bias(1, s.heads, s.queries, 1), dbias(1, s.heads, s.queries, 1);
  bias.setRandom();
  Eigen::Tensor<std::int32_t, 1> lengths(2);
  lengths.setValues({static_cast<std::int32_t>(s.keys), static_cast<std::int32_t>(s.keys / 2)});
  Eigen::Tensor<float, 1> sinks(s.heads), slopes(s.heads), dsinks(s.heads);
  sinks.setConstant(1);
  slopes.setConstant(0.125f);
  const auto with_everything = [&] {
    call.run(tn::keep_mask(mask), tn::score_bias(bias), tn::key_lengths(lengths), tn::sinks(sinks),
             tn::alibi(slopes), tn::causal(tn::align::bottom_right), tn::window(100, 0), tn::softcap(30),
             tn::grad_score_bias(dbias), tn::grad_sinks(dsinks), tn::use_workspace(memory));
  };
  with_everything();
  EXPECT_EQ(allocations_of(with_everything), 0);
}

TEST_P(backward_workspace, serves_smaller_calls_as_it_is) {
  call.run(tn::use_workspace(memory));
  const auto bytes = memory.bytes();
  sizes_of_a_call fewer = call.s;
  fewer.queries = 1;
  backward_of small(fewer);
  EXPECT_EQ(allocations_of([&] { small.run(tn::use_workspace(memory)); }), 0);
  EXPECT_EQ(memory.bytes(), bytes);
}

TEST_P(backward_workspace, changes_no_bit) {
  const auto same = [](const tensor& a, const tensor& b) {
    return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
  };
  call.run();
  const tensor dq = call.dq, dk = call.dk, dv = call.dv;
  for (int round = 0; round < 3; ++round) {
    for (tensor* t : {&call.dq, &call.dk, &call.dv}) t->setConstant(-1);
    call.run(tn::use_workspace(memory));
    EXPECT_TRUE(same(call.dq, dq) && same(call.dk, dk) && same(call.dv, dv)) << "round " << round;
  }
}

/// The bytes of a call on as many queries as keys.
std::size_t bytes_of(Eigen::Index tokens) {
  backward_of call({1, 1, tokens, tokens, 8, 8});
  tn::workspace memory;
  call.run(tn::use_workspace(memory));
  return memory.bytes();
}

TEST(the_memory_of_a_backward_pass, grows_no_faster_than_the_tokens) {
  EXPECT_LE(bytes_of(1024), 4 * bytes_of(256));
  EXPECT_LE(bytes_of(8192), 4 * bytes_of(2048));
}

}  // namespace
}  // namespace tensornorm_test
