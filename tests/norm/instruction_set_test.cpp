// The same bits on every instruction set with fused multiply-add, and with every compiler: hashes of
// results that all of them must reproduce. Without fused multiply-add the results are only compared
// with the reference.
//
// To make the hashes again, after a change of the arithmetic that is meant:
//   TENSORNORM_WRITE_HASHES=tests/norm/instruction_set_hashes.hpp <this program>
#include <gtest/gtest.h>

#include <sstream>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/rows.hpp"
#include "../support/tensors.hpp"
#include "instruction_set_hashes.hpp"

namespace tensornorm_test {
namespace {

const std::vector<row_block>& blocks() {
  static const std::vector<row_block> all = {
      {7, 2, 1},     {9, 3, 1},      {5, 8, 1},   {3, 17, 1},  {3, 31, 1},  {3, 63, 1},   {5, 64, 1},
      {3, 65, 1},    {2, 100, 1},    {2, 129, 1}, {2, 255, 1}, {2, 768, 1}, {3, 1025, 1}, {2, 4099, 1},
      {1, 70001, 1}, {1, 300000, 1}, {2, 5, 3},   {2, 64, 16}, {1, 65, 70}, {1, 300, 33}, {1, 40000, 3}};
  return all;
}

/// One call, hashed with its statistics and held to its bound.
template <class T, class W = T>
void add_rows(result_hashes& all, const std::string& kind, const formula& f, const row_block& block,
              const data_kind& data, const call_options& options = {}, bool with_bias = true) {
  std::ostringstream name;
  name << name_of(f.kind) << " " << scalar_names::GetName<T>(0) << " " << block << " " << kind;
  const auto x = make<T>(data, block.count(), block.length(), 111);
  const auto weight = normal<W>(block.length(), 112, options.weight_is_offset ? 0 : 1, 0.5);
  const auto bias = with_bias && f.kind == norm::layer ? normal<W>(block.length(), 113) : std::vector<W>();
  std::vector<T> y(x.size());
  tn::statistics<tn::accumulator_t<T>> saved;
  normalize_rows<T, W>(
      f, block, {x.data(), y.data(), weight.data(), bias.empty() ? nullptr : bias.data(), &saved}, options);
  all.add(name.str(), y, elements_of(saved.mean), elements_of(saved.mean_residual), elements_of(saved.rstd));
  if (options.weight_is_offset || options.rounding == tn::rounding::before_weight) return;
  EXPECT_TRUE(within_bounds(y, expected_rows<T, W>(f, block, x, weight, bias))) << name.str();
}

constexpr data_kind plain{"plain", 0.5, 2};
constexpr data_kind far_from_zero{"far", 1e4, 1e-2};
constexpr data_kind huge{"huge", 1e19, 2e19};
constexpr data_kind tiny{"tiny", 1e-25, 2e-25};

template <class T>
void add_scalar(result_hashes& all) {
  for (const formula& f : three_norms())
    for (const row_block& block : blocks()) add_rows<T>(all, "plain", f, block, plain);
  if constexpr (is_16_bit<T>) {
    for (const norm kind : {norm::rms, norm::simple})
      add_rows<T>(all, "before_weight", {kind, 1e-6, 0}, {3, 768, 1}, plain,
                  {false, tn::rounding::before_weight});
    for (const formula& f : three_norms()) add_rows<T, float>(all, "float weight", f, {3, 768, 1}, plain);
  }
}

template <class Tensor>
void add_axes(result_hashes& all, const std::string& layout) {
  const Tensor x = normal_tensor<Tensor>({3, 6, 5, 7}, 114, 0.5, 2);
  const Tensor middle = tn::layer_norm(x, {.axes = {1, 2}});
  const Tensor first = tn::rms_norm(x, {.axes = 0});
  const Tensor last = tn::simple_norm(x, {.axes = {-2, -1}});
  const Tensor group = tn::group_norm(x, 3);
  all.add("axes {1, 2} " + layout, elements_of(middle));
  all.add("axes 0 " + layout, elements_of(first));
  all.add("axes {-2, -1} " + layout, elements_of(last));
  all.add("group_norm " + layout, elements_of(group));
}

result_hashes all_results() {
  result_hashes all;
  add_scalar<float>(all);
  add_scalar<double>(all);
  add_scalar<Eigen::half>(all);
  add_scalar<Eigen::bfloat16>(all);
  for (const row_block& block : {row_block{3, 65, 1}, row_block{2, 1025, 1}, row_block{2, 40, 17}}) {
    for (const formula& f : three_norms()) {
      add_rows<float>(all, "far", f, block, far_from_zero);
      add_rows<float>(all, "outliers", f, block, {"outliers", 0, 0, true});
      add_rows<float>(all, "huge", {f.kind, 0, 0}, block, huge, {}, false);
      add_rows<float>(all, "tiny", {f.kind, 0, 0}, block, tiny, {}, false);
      add_rows<float>(all, "unit_offset", f, block, plain, {true, tn::rounding::once});
      add_rows<float, double>(all, "double weight", f, block, plain);
    }
    add_rows<float>(all, "correction 2", {norm::layer, 1e-5, 2}, block, plain);
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
      const auto x = make<T>(plain, block.count(), block.length(), 115);
      const auto weight = normal<T>(block.length(), 116, 1, 0.5);
      const auto bias = f.kind == norm::layer ? normal<T>(block.length(), 117) : std::vector<T>();
      const reference expected = expected_rows(f, block, x, weight, bias);
      std::vector<T> first;
      for (const isa_level level : {isa_level::baseline, isa_level::avx2, isa_level::avx512}) {
        if (level > tn::kernel::best_isa()) continue;
        std::vector<T> y(x.size(), quiet_nan<T>());
        normalize_rows_at<T>(level, f, block,
                             {x.data(), y.data(), weight.data(), bias.empty() ? nullptr : bias.data()});
        EXPECT_TRUE(within_bounds(y, expected)) << tn::kernel::name(level);
        if (level == isa_level::baseline && !tn::kernel::baseline::has_fma) continue;
        if (first.empty()) first = y;
        EXPECT_TRUE(same_bits(y, first)) << tn::kernel::name(level);
      }
    }
}

TEST(instruction_sets, of_this_machine_agree_to_the_bit_where_they_have_fused_multiply_add) {
  expect_the_same_bits_at_every_level<float>();
  expect_the_same_bits_at_every_level<double>();
  expect_the_same_bits_at_every_level<Eigen::half>();
  expect_the_same_bits_at_every_level<Eigen::bfloat16>();
}

TEST(instruction_sets, reproduce_the_committed_bits_with_fused_multiply_add_and_keep_the_bounds_without) {
  const result_hashes all = all_results();
  all.check(expected_hashes);
}

}  // namespace
}  // namespace tensornorm_test
