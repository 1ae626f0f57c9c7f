// The same gradients to the bit on every instruction set with fused multiply-add, and with every compiler:
// hashes of results that all of them must reproduce. Without fused multiply-add the results are only compared
// with the reference.
//
// To make the hashes again, after a change of the arithmetic that is meant:
//   TENSORNORM_WRITE_HASHES=tests/norm_backward/instruction_set_hashes.hpp <this program>
#include <gtest/gtest.h>

#include <optional>
#include <sstream>

#include "../support/backward.hpp"
#include "../support/backward_bounds.hpp"
#include "../support/tensors.hpp"
#include "instruction_set_hashes.hpp"

namespace tensornorm_test {
namespace {

const std::vector<row_block>& blocks() {
  static const std::vector<row_block> all = {
      {7, 2, 1},    {9, 3, 1},    {5, 8, 1},   {3, 17, 1},   {3, 31, 1},    {3, 63, 1},
      {5, 64, 1},   {3, 65, 1},   {2, 100, 1}, {2, 129, 1},  {2, 255, 1},   {2, 768, 1},
      {3, 1025, 1}, {2, 4099, 1}, {300, 9, 1}, {70, 130, 1}, {1, 70001, 1}, {1, 300000, 1},
      {2, 5, 3},    {2, 64, 16},  {1, 65, 70}, {1, 300, 33}, {3, 20, 700}};
  return all;
}

/// One call, hashed and held to its bounds.
template <class T, class W = T>
void add_rows(result_hashes& all, const std::string& kind, const formula& f, const row_block& block,
              const data_kind& data) {
  std::ostringstream name;
  name << name_of(f.kind) << " " << scalar_names::GetName<T>(0) << " " << block << " " << kind;
  SCOPED_TRACE(name.str());
  const auto input = input_for<T, W>(block, data, 361);
  const auto result = backward_of(f, block, input);
  all.add(name.str(), result.x, result.weight, result.bias);
  const auto expected = expected_gradients(f, block, input);
  EXPECT_TRUE(dx_within_bounds(result.x, expected));
  EXPECT_TRUE(dweight_within_bounds<T>(result.weight, expected));
}

template <class T>
void add_scalar(result_hashes& all) {
  for (const formula& f : three_norms())
    for (const row_block& block : blocks()) add_rows<T>(all, "plain", f, block, plain_data);
  if constexpr (is_16_bit<T>)
    for (const formula& f : three_norms())
      add_rows<T, float>(all, "float weight", f, {3, 768, 1}, plain_data);
}

template <class Tensor>
void add_axes(result_hashes& all, const std::string& layout) {
  const Tensor x = normal_tensor<Tensor>({3, 6, 5, 7}, 362, 0.5, 2),
               dy = normal_tensor<Tensor>({3, 6, 5, 7}, 363);
  const auto add = [&](const std::string& name, const auto& gradient) {
    all.add(name + layout, elements_of(gradient.x), elements_of(gradient.weight));
  };
  const auto w = [](Eigen::Index n) { return normal_tensor<Eigen::Tensor<float, 1>>({n}, 364, 1, 0.5); };
  add("axes {1, 2} ", tn::layer_norm_backward(dy, x, w(30), {.axes = {1, 2}}));
  add("axes 0 ", tn::rms_norm_backward(dy, x, w(3), {.axes = 0}));
  add("axes {-2, -1} ", tn::simple_norm_backward(dy, x, w(35), {.axes = {-2, -1}}));
  add("group_norm ", tn::group_norm_backward(dy, x, 3, w(6)));
}

result_hashes all_results() {
  result_hashes all;
  add_scalar<float>(all);
  add_scalar<double>(all);
  add_scalar<Eigen::half>(all);
  add_scalar<Eigen::bfloat16>(all);
  for (const row_block& block : {row_block{3, 65, 1}, row_block{2, 1025, 1}, row_block{2, 40, 17}}) {
    for (const formula& f : three_norms()) {
      add_rows<float>(all, "far", f, block, {"far", 1e4, 1e-2});
      add_rows<float>(all, "outliers", f, block, {"outliers", 0, 0, true});
      add_rows<float>(all, "huge", {f.kind, 0, 0}, block, {"huge", 1e19, 2e19});
      add_rows<float>(all, "tiny", {f.kind, 0, 0}, block, {"tiny", 1e-25, 2e-25});
      add_rows<float, double>(all, "double weight", f, block, plain_data);
    }
    add_rows<float>(all, "correction 2", {norm::layer, 1e-5, 2}, block, plain_data);
  }
  add_axes<row_major_tensor<float, 4>>(all, "row-major");
  add_axes<col_major_tensor<float, 4>>(all, "column-major");
  return all;
}

template <class T>
void expect_the_same_bits_at_every_level() {
  using tn::kernel::isa_level;
  for (const formula& f : three_norms())
    for (const row_block& block : blocks()) {
      SCOPED_TRACE(testing::Message()
                   << name_of(f.kind) << " " << scalar_names::GetName<T>(0) << " " << block);
      const auto input = input_for<T>(block, plain_data, 365);
      const auto expected = expected_gradients(f, block, input);
      std::optional<gradients<T>> first;
      for (const isa_level level : {isa_level::baseline, isa_level::avx2, isa_level::avx512}) {
        if (level > tn::kernel::best_isa()) continue;
        SCOPED_TRACE(tn::kernel::name(level));
        gradients<T> result(f, block);
        backward_rows_at<T>(level, f, block, result.memory_for(input));
        EXPECT_TRUE(dx_within_bounds(result.x, expected));
        EXPECT_TRUE(dweight_within_bounds<T>(result.weight, expected));
        if (level == isa_level::baseline && !tn::kernel::baseline::has_fma) continue;
        if (!first) first = result;
        EXPECT_TRUE(same_bits(result.x, first->x));
        EXPECT_TRUE(same_bits(result.weight, first->weight));
        EXPECT_TRUE(same_bits(result.bias, first->bias));
      }
    }
}

TEST(gradients, of_every_instruction_set_of_this_machine_with_fused_multiply_add_agree_to_the_bit) {
  expect_the_same_bits_at_every_level<float>();
  expect_the_same_bits_at_every_level<double>();
  expect_the_same_bits_at_every_level<Eigen::half>();
  expect_the_same_bits_at_every_level<Eigen::bfloat16>();
}

TEST(gradients, reproduce_the_committed_bits_with_fused_multiply_add_and_keep_the_bounds_without) {
  const result_hashes all = all_results();
  all.check(expected_hashes);
}

}  // namespace
}  // namespace tensornorm_test
