// The definitions of rows.hpp. A file that instantiates them names the scalar of x, and the wider one
// that its parameters may have, as macros.
#pragma once

#define EIGEN_USE_THREADS
#include "rows.hpp"
#include "with_parameter.hpp"

namespace tensornorm_test {

template <class T, class W>
void normalize_rows(const formula& f, const row_block& block, const row_memory<T, W>& memory,
                    const call_options& options, const Eigen::ThreadPoolDevice* pool) {
  using tensor = Eigen::Tensor<T, 3, Eigen::RowMajor>;
  const Eigen::TensorMap<const tensor> x(memory.x, block.outer, block.size, block.inner);
  Eigen::TensorMap<tensor> y(memory.y, block.outer, block.size, block.inner);
  const auto assign = [&](const auto& expression) {
    if (pool)
      y.device(*pool) = expression;
    else
      y = expression;
  };
  with_parameter<T>(memory.weight, block.size, options.weight_is_offset, [&](const auto& w) {
    if (f.kind == norm::rms)
      assign(
          tn::rms_norm(x, w, {.axes = 1, .eps = f.eps, .rounding = options.rounding, .save = memory.save}));
    else if (f.kind == norm::simple)
      assign(tn::simple_norm(x, w,
                             {.axes = 1, .eps = f.eps, .rounding = options.rounding, .save = memory.save}));
    else
      with_parameter<T>(memory.bias, block.size, false, [&](const auto& b) {
        assign(tn::layer_norm(x, w, b,
                              {.axes = 1, .eps = f.eps, .correction = f.correction, .save = memory.save}));
      });
  });
}

template <class T>
void normalize_rows_at(tn::kernel::isa_level level, const formula& f, const row_block& block,
                       const row_memory<T>& memory) {
  using stored = tn::detail::stored_t<T>;
  tn::kernel::norm_problem<stored> problem;
  problem.x = tn::detail::stored_pointer(memory.x);
  problem.y = tn::detail::stored_pointer(memory.y);
  problem.rows = {block.outer, block.inner, 1, block.size};
  problem.x_strides = problem.y_strides = {block.size * block.inner, 1, 0, block.inner};
  problem.weight = tn::detail::stored_pointer(memory.weight);
  problem.bias = tn::detail::stored_pointer(memory.bias);
  problem.eps = f.eps;
  problem.correction = f.kind == norm::simple ? 1 : f.correction;
  const auto units = tn::kernel::norm_units(problem);
  if (f.kind == norm::rms)
    tn::kernel::normalize<tn::kernel::rms_formula>(problem, 0, units, level);
  else if (f.kind == norm::simple)
    tn::kernel::normalize<tn::kernel::simple_formula>(problem, 0, units, level);
  else
    tn::kernel::normalize<tn::kernel::layer_formula>(problem, 0, units, level);
}

template void normalize_rows(const formula&, const row_block&, const row_memory<TENSORNORM_TEST_SCALAR>&,
                             const call_options&, const Eigen::ThreadPoolDevice*);
template void normalize_rows_at(tn::kernel::isa_level, const formula&, const row_block&,
                                const row_memory<TENSORNORM_TEST_SCALAR>&);

#ifdef TENSORNORM_TEST_WIDER
template void normalize_rows(const formula&, const row_block&,
                             const row_memory<TENSORNORM_TEST_SCALAR, TENSORNORM_TEST_WIDER>&,
                             const call_options&, const Eigen::ThreadPoolDevice*);
#endif

}  // namespace tensornorm_test
