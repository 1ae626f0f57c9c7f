// The same gradients to the bit on every instruction set with fused multiply-add, and with every compiler:
// hashes of results that all of them must reproduce. Without fused multiply-add the results are only compared
// with the reference.
//
// To make the hashes again, after a change of the arithmetic that is meant:
//   TENSORNORM_WRITE_HASHES=tests/attention_backward/instruction_set_hashes.hpp <this program>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "../support/attention_backward_bounds.hpp"
#include "instruction_set_hashes.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

/// Whether the kernels now run with fused multiply-add.
bool has_fma() {
  return tn::kernel::active_isa() != tn::kernel::isa_level::baseline || tn::kernel::baseline::has_fma;
}

constexpr attention_shape shapes[] = {
    {.queries = 1, .keys = 1, .dim = 1},
    {.heads = 2, .queries = 3, .keys = 5, .dim = 3, .dim_v = 2},
    {.heads = 2, .queries = 1, .keys = 64, .dim = 64, .key_heads = 1},
    {.heads = 4, .queries = 9, .keys = 65, .dim = 59, .key_heads = 2, .dim_v = 111},
    {.batch = 2, .heads = 2, .queries = 70, .keys = 70, .dim = 16},
    {.heads = 2, .queries = 130, .keys = 129, .dim = 64},
    {.heads = 2, .queries = 33, .keys = 1025, .dim = 8, .dim_v = 17},
    {.queries = 1025, .keys = 5, .dim = 128},
    {.queries = 1, .keys = 1021, .dim = 33}};

template <class A>
modifier_list<A> every_modifier(const attention_shape& shape) {
  normal_source noise(911);
  const auto keys = static_cast<std::int32_t>(shape.keys);
  const auto heads = static_cast<std::size_t>(shape.heads);
  modifier_list<A> m;
  m.softcap = 3;
  m.bias =
      make_spread<A>({1, shape.heads, 1, shape.keys}, [&](const score_index&) { return narrow<A>(noise()); });
  m.alibi = {std::vector<A>(heads, A(0.125)), align::bottom_right};
  m.causal = align::bottom_right;
  m.window = {1500, 2};
  m.mask =
      make_spread<bool>({shape.batch, 1, 1, shape.keys}, [&](const score_index&) { return noise() < 1; });
  m.lengths = std::vector<std::int32_t>(static_cast<std::size_t>(shape.batch), keys - keys / 5);
  m.sinks = std::vector<A>(heads, A(0.5));
  return m;
}

/// One call, hashed. Its bounds are the business of accuracy_test.cpp.
template <class T>
void add(result_hashes& all, const std::string& kind, const attention_backward_inputs<T>& in,
         const modifier_list<tn::accumulator_t<T>>& modifiers = {}) {
  for (const attention_path path : both_paths) {
    const attention_shape& s = in.shape;
    std::ostringstream name;
    name << name_of_backward(path) << " " << scalar_names::GetName<T>(0) << " " << s.batch << "x" << s.heads
         << "(" << s.heads_of_keys() << ")x" << s.queries << "x" << s.keys << " " << s.dim << " "
         << s.size_of_v() << " " << kind;
    const auto result = differentiated(path, in, modifiers);
    all.add(name.str(), result.q, result.k, result.v, result.bias, result.sinks);
  }
}

template <class T>
void add_scalar(result_hashes& all) {
  for (const attention_shape& shape : shapes) {
    const auto m = every_modifier<tn::accumulator_t<T>>(shape);
    add(all, "plain", make_backward_inputs<T>(shape, 912));
    add(all, "modified", make_backward_inputs<T>(shape, 913, m), m);
    add(all, "large", make_backward_inputs<T>(shape, 914, {}, 10, 10));
  }
}

TEST(attention_backward_on_each_instruction_set, reproduces_the_committed_bits_with_fused_multiply_add) {
  result_hashes all;
  add_scalar<float>(all);
  add_scalar<double>(all);
  add_scalar<Eigen::half>(all);
  add_scalar<Eigen::bfloat16>(all);
  if (const char* path = std::getenv("TENSORNORM_WRITE_HASHES")) {
    ASSERT_TRUE(has_fma()) << "the hashes are those of fused multiply-add";
    all.write(path);
  } else if (has_fma()) {
    all.expect(expected_hashes);
  }
}

}  // namespace
}  // namespace tensornorm_test
