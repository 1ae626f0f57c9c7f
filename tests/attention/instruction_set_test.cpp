// The same bits on every instruction set with fused multiply-add, and with every compiler: hashes of
// results that all of them must reproduce. Without fused multiply-add the results are only compared
// with the reference. Where the machine multiplies pairs or tiles of bfloat16, attention of these has other
// bits, and hashes of its own.
//
// To make the hashes again, after a change of the arithmetic that is meant:
//   TENSORNORM_ISA=avx2 TENSORNORM_WRITE_HASHES=tests/attention/instruction_set_hashes.hpp <this program>
//   TENSORNORM_ISA=avx512_bfloat16 TENSORNORM_WRITE_PAIR_HASHES=tests/attention/pair_hashes.hpp <this
//   program> TENSORNORM_ISA=avx512_amx TENSORNORM_WRITE_TILE_HASHES=tests/attention/tile_hashes.hpp <this
//   program>
#include <gtest/gtest.h>

#include <cstdlib>
#include <span>
#include <sstream>
#include <string_view>

#include "../support/attention_bounds.hpp"
#include "instruction_set_hashes.hpp"
#include "pair_hashes.hpp"
#include "tile_hashes.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

constexpr attention_shape shapes[] = {
    {.queries = 1, .keys = 1, .dim = 1},
    {.heads = 2, .queries = 3, .keys = 5, .dim = 3, .dim_v = 2},
    {.heads = 2, .queries = 1, .keys = 64, .dim = 64, .key_heads = 1},
    {.heads = 4, .queries = 9, .keys = 65, .dim = 59, .key_heads = 2, .dim_v = 111},
    {.batch = 2, .heads = 2, .queries = 70, .keys = 70, .dim = 16},
    {.heads = 2, .queries = 130, .keys = 129, .dim = 64},
    {.heads = 2, .queries = 67, .keys = 1025, .dim = 8, .dim_v = 17},
    {.queries = 1, .keys = 3000, .dim = 128},
    {.queries = 5, .keys = 2050, .dim = 33}};

template <class A>
modifier_list<A> every_modifier(const attention_shape& shape) {
  normal_source noise(421);
  const auto keys = static_cast<std::int32_t>(shape.keys);
  const auto heads = static_cast<std::size_t>(shape.heads);
  modifier_list<A> m;
  m.softcap = 3;
  m.bias = make_spread<A>({1, shape.heads, shape.queries, shape.keys},
                          [&](const score_index&) { return narrow<A>(noise()); });
  m.alibi = {std::vector<A>(heads, A(0.125)), align::bottom_right};
  m.causal = align::bottom_right;
  m.window = {1500, 2};
  m.mask =
      make_spread<bool>({shape.batch, 1, 1, shape.keys}, [&](const score_index&) { return noise() < 1; });
  m.lengths = std::vector<std::int32_t>(static_cast<std::size_t>(shape.batch), keys - keys / 5);
  m.sinks = std::vector<A>(heads, A(0.5));
  return m;
}

/// Whether attention() of bfloat16 multiplies pairs, or tiles.
bool multiplies_pairs() { return tn::kernel::takes_bfloat16_dot(tn::kernel::active_isa()); }
bool multiplies_tiles() { return tn::kernel::takes_amx(tn::kernel::active_isa()); }

/// One call by some paths, hashed with its lse and held to its bound.
template <class T>
void add(result_hashes& all, std::span<const attention_path> paths, const std::string& kind,
         const attention_inputs<T>& in, const modifier_list<tn::accumulator_t<T>>& modifiers = {}) {
  const attention_reference expected = expected_attention(in, modifiers);
  for (const attention_path path : paths) {
    const attention_shape& s = in.shape;
    std::ostringstream name;
    name << name_of(path) << " " << scalar_names::GetName<T>(0) << " " << s.batch << "x" << s.heads << "("
         << s.heads_of_keys() << ")x" << s.queries << "x" << s.keys << " " << s.dim << " " << s.size_of_v()
         << " " << kind;
    const auto result = attended(path, in, modifiers);
    all.add(name.str(), result.o, result.lse);
    EXPECT_TRUE(within_bounds(result, expected)) << name.str();
  }
}

template <class T>
void add_scalar(result_hashes& all, std::span<const attention_path> paths = both_paths) {
  for (const attention_shape& shape : shapes) {
    const auto in = make_inputs<T>(shape, 422);
    add(all, paths, "plain", in);
    add(all, paths, "modified", in, every_modifier<tn::accumulator_t<T>>(shape));
    add(all, paths, "large", make_inputs<T>(shape, 423, 30, 30));
  }
}

constexpr attention_path fused_alone[] = {attention_path::fused};
constexpr attention_path unfused_alone[] = {attention_path::unfused};

TEST(attention_on_each_instruction_set, reproduces_the_committed_bits_with_fused_multiply_add) {
  result_hashes all;
  add_scalar<float>(all);
  add_scalar<double>(all);
  add_scalar<Eigen::half>(all);
  const bool widens = !multiplies_pairs() && !multiplies_tiles();
  if (widens) add_scalar<Eigen::bfloat16>(all, fused_alone);
  add_scalar<Eigen::bfloat16>(all, unfused_alone);
  std::vector<named_hash> expected;
  for (const named_hash& entry : expected_hashes)
    if (widens || !std::string_view(entry.name).starts_with("attention bfloat16 ")) expected.push_back(entry);
  if (!widens) {
    ASSERT_EQ(std::getenv("TENSORNORM_WRITE_HASHES"), nullptr) << "make them at avx2";
  }
  all.check(expected);
}

TEST(attention_on_each_instruction_set, reproduces_the_committed_bits_of_pairs_of_bfloat16) {
  if (!multiplies_pairs()) GTEST_SKIP() << "no dot products of bfloat16";
  result_hashes all;
  add_scalar<Eigen::bfloat16>(all, fused_alone);
  all.check(expected_pair_hashes, "TENSORNORM_WRITE_PAIR_HASHES", "expected_pair_hashes");
}

TEST(attention_on_each_instruction_set, reproduces_the_committed_bits_of_tiles_of_bfloat16) {
  if (!multiplies_tiles()) GTEST_SKIP() << "no tiles of bfloat16";
  result_hashes all;
  add_scalar<Eigen::bfloat16>(all, fused_alone);
  all.check(expected_tile_hashes, "TENSORNORM_WRITE_TILE_HASHES", "expected_tile_hashes");
}

#if TENSORNORM_X86_LEVELS

TEST(attention_on_each_instruction_set, has_the_bits_of_avx2_on_avx512_without_products_of_bfloat16) {
  if (tn::kernel::active_isa() != tn::kernel::isa_level::avx512) GTEST_SKIP() << "no AVX-512";
  using number = tn::kernel::bfloat16;
  for (const attention_shape& shape : shapes) {
    const auto in = make_inputs<Eigen::bfloat16>(shape, 424);
    const auto run = [&](tn::kernel::isa_level level) {
      const auto strides = [](std::ptrdiff_t heads, std::ptrdiff_t tokens, std::ptrdiff_t dim) {
        return tn::kernel::heads_strides{heads * tokens * dim, tokens * dim, dim, 1};
      };
      const auto stored = [](const auto& values) { return reinterpret_cast<const number*>(values.data()); };
      std::vector<Eigen::bfloat16> o(shape.o_count());
      tn::kernel::attention_problem<number> p;
      p.shape = {shape.batch, shape.heads, shape.heads_of_keys(), shape.queries,
                 shape.keys,  shape.dim,   shape.size_of_v()};
      p.q = stored(in.q);
      p.k = stored(in.k);
      p.v = stored(in.v);
      p.o = reinterpret_cast<number*>(o.data());
      p.q_strides = strides(shape.heads, shape.queries, shape.dim);
      p.k_strides = strides(shape.heads_of_keys(), shape.keys, shape.dim);
      p.v_strides = strides(shape.heads_of_keys(), shape.keys, shape.size_of_v());
      p.o_strides = strides(shape.heads, shape.queries, shape.size_of_v());
      const auto lanes = tn::kernel::query_lanes_at<float>(level);
      const auto units = shape.batch * shape.heads * tn::kernel::ceil_div(shape.queries, lanes);
      using memory = tn::kernel::fused_memory<decltype(p), tn::kernel::wide_products<decltype(p)>>;
      std::vector<float> scratch(static_cast<std::size_t>(memory::size(p, lanes)));
      tn::kernel::dispatch_at<tn::kernel::fused_attention>(level, p, std::ptrdiff_t{0}, units,
                                                           scratch.data());
      return o;
    };
    EXPECT_TRUE(same_bits(run(tn::kernel::isa_level::avx512), run(tn::kernel::isa_level::avx2))) << shape;
  }
}

#endif  // TENSORNORM_X86_LEVELS

}  // namespace
}  // namespace tensornorm_test
