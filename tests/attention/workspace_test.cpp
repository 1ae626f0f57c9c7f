// With a workspace, a second call allocates nothing; and what is allocated grows with the tokens, not
// with their square.
#include "../support/allocations.hpp"

#include <gtest/gtest.h>
#include <tensornorm/tensornorm.hpp>

#include <cstring>

namespace tensornorm_test {
namespace {

namespace tn = tensornorm;
using tensor = Eigen::Tensor<float, 4, Eigen::RowMajor>;

struct sizes_of_a_call {
  Eigen::Index heads, key_heads, queries, keys, dim, dim_v;
};

constexpr sizes_of_a_call calls[] = {{2, 1, 1, 3000, 16, 16},
                                     {2, 2, 5, 70, 8, 20},
                                     {2, 1, 130, 130, 64, 64},
                                     {1, 1, 67, 1030, 17, 9},
                                     {4, 2, 200, 50, 128, 128}};

struct workspace : testing::TestWithParam<sizes_of_a_call> {
  sizes_of_a_call s = GetParam();
  tensor q{2, s.heads, s.queries, s.dim}, k{2, s.key_heads, s.keys, s.dim},
      v{2, s.key_heads, s.keys, s.dim_v}, o{2, s.heads, s.queries, s.dim_v};
  tn::attention_workspace memory;

  workspace() {
    q.setRandom();
    k.setRandom();
    v.setRandom();
  }
};

INSTANTIATE_TEST_SUITE_P(calls, workspace, testing::ValuesIn(calls), [](const auto& call) {
  return std::to_string(call.param.queries) + "_queries_" + std::to_string(call.param.keys) + "_keys";
});

TEST_P(workspace, makes_a_second_call_allocate_nothing) {
  o = tn::attention(q, k, v, tn::use_workspace(memory));
  EXPECT_EQ(allocations_of([&] { o = tn::attention(q, k, v, tn::use_workspace(memory)); }), 0);
  EXPECT_EQ(allocations_of([&] {
              o.device(Eigen::DefaultDevice()) = tn::attention(q, k, v, tn::use_workspace(memory));
            }),
            0);
}

TEST_P(workspace, makes_a_second_call_of_the_unfused_function_allocate_nothing) {
  o = tn::attention_unfused(q, k, v, tn::use_workspace(memory));
  EXPECT_EQ(allocations_of([&] { o = tn::attention_unfused(q, k, v, tn::use_workspace(memory)); }), 0);
}

TEST_P(workspace, makes_a_second_call_with_modifiers_allocate_nothing) {
  Eigen::Tensor<bool, 1> mask(s.keys);
  mask.setConstant(true);
  Eigen::Tensor<float, 4, Eigen::RowMajor> bias(1, s.heads, s.queries, 1);
  bias.setRandom();
  Eigen::Tensor<std::int32_t, 1> lengths(2);
  lengths.setValues({static_cast<std::int32_t>(s.keys), static_cast<std::int32_t>(s.keys / 2)});
  Eigen::Tensor<float, 1> sinks(s.heads), slopes(s.heads);
  sinks.setConstant(1);
  slopes.setConstant(0.125f);
  Eigen::Tensor<float, 3, Eigen::RowMajor> lse;
  const auto call = [&] {
    o = tn::attention(q, k, v, tn::keep_mask(mask), tn::score_bias(bias), tn::key_lengths(lengths),
                      tn::sinks(sinks), tn::alibi(slopes), tn::causal(tn::align::bottom_right),
                      tn::window(100, 0), tn::softcap(30.f), tn::save_lse(lse), tn::use_workspace(memory));
  };
  call();
  EXPECT_EQ(allocations_of(call), 0);
}

TEST_P(workspace, serves_smaller_calls_as_it_is) {
  o = tn::attention(q, k, v, tn::use_workspace(memory));
  const auto bytes = memory.bytes();
  tensor fewer(2, s.heads, 1, s.dim), first(2, s.heads, 1, s.dim_v);
  fewer.setRandom();
  EXPECT_EQ(allocations_of([&] { first = tn::attention(fewer, k, v, tn::use_workspace(memory)); }), 0);
  EXPECT_EQ(memory.bytes(), bytes);
}

TEST_P(workspace, changes_no_bit) {
  const tensor expected = tn::attention(q, k, v), expected_unfused = tn::attention_unfused(q, k, v);
  for (int round = 0; round < 3; ++round) {
    o = tn::attention(q, k, v, tn::use_workspace(memory));
    EXPECT_EQ(std::memcmp(o.data(), expected.data(), static_cast<std::size_t>(o.size()) * sizeof(float)), 0);
    o = tn::attention_unfused(q, k, v, tn::use_workspace(memory));
    EXPECT_EQ(
        std::memcmp(o.data(), expected_unfused.data(), static_cast<std::size_t>(o.size()) * sizeof(float)),
        0);
  }
}

/// The bytes of a call on as many queries as keys.
std::size_t bytes_of(Eigen::Index tokens) {
  tensor q(1, 1, tokens, 8), k(1, 1, tokens, 8), v(1, 1, tokens, 8), o(1, 1, tokens, 8);
  q.setRandom();
  k.setRandom();
  v.setRandom();
  tn::attention_workspace memory;
  EXPECT_EQ(memory.bytes(), 0u);
  o = tn::attention(q, k, v, tn::use_workspace(memory));
  return static_cast<std::size_t>(memory.bytes());
}

TEST(the_memory_of_attention, grows_no_faster_than_the_tokens) {
  EXPECT_LE(bytes_of(2048), 4 * bytes_of(512));
  EXPECT_LE(bytes_of(8192), 4 * bytes_of(2048));
}

}  // namespace
}  // namespace tensornorm_test
