// The layer and its gradients have the same bits on every instruction set with fused multiply-add, and with
// every compiler: hashes of results that all of them must reproduce. Not in double, where the angles of
// rotary embedding show the last bit of the C library's cosine, nor in bfloat16, where attention may use
// products of the machine.
//
// To make the hashes again, after a change of the arithmetic that is meant:
//   TENSORNORM_WRITE_HASHES=tests/block/instruction_set_hashes.hpp <this program>
#include <sstream>

#include "block.hpp"
#include "instruction_set_hashes.hpp"

namespace tensornorm_test {
namespace {

/// Long enough for whole tiles and for what is left of them.
constexpr block_case long_cases[] = {
    {4, 2, 6, true, true, turning::halves, false, 7, 1, 70},
    {2, 1, 6, false, true, turning::interleaved, true, 0, 2, 33, 65},
};

template <class T>
void add_layers(result_hashes& all) {
  const auto add = [&](const block_case& c) {
    for (const auto path : block_paths) {
      learned<tn::Attention<T, tn::RmsNorm<T>, tn::LayerNorm<T>>> layer(c.options(path));
      const block_data<T> data(c);
      const auto y = forwarded(layer, c, data);
      const auto dx = backwarded(layer, c, data);
      std::ostringstream name;
      name << scalar_names::GetName<T>(0) << (path == tn::attention_path::fused ? " fused " : " unfused ")
           << c << ", " << c.batch << "x" << c.tokens << "x" << c.keys();
      all.add(name.str() + ": y and dx", elements_of(y), elements_of(dx.x), elements_of(dx.context));
      std::vector<T> gradients;
      for (const auto& p : parameter_gradients(layer))
        gradients.insert(gradients.end(), p.second.begin(), p.second.end());
      all.add(name.str() + ": parameters", gradients);
    }
  };
  for (const block_case& c : block_cases) add(c);
  for (const block_case& c : long_cases) add(c);
}

TEST(a_block_on_each_instruction_set, reproduces_the_committed_bits_with_fused_multiply_add) {
  result_hashes all;
  add_layers<float>(all);
  add_layers<Eigen::half>(all);
  all.check(expected_hashes);
}

}  // namespace
}  // namespace tensornorm_test
