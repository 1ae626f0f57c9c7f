// The definitions of backward.hpp. A file that instantiates them names the scalar of x, and the wider one
// that its weights may have, as macros.
#pragma once

#define EIGEN_USE_THREADS
#include "backward.hpp"
#include "with_parameter.hpp"

namespace tensornorm_test {

template <class T, class W>
void backward_rows(const formula& f, const row_block& block, const backward_memory<T, W>& memory,
                   bool weight_is_offset, const Eigen::ThreadPoolDevice* pool) {
  using tensor = Eigen::Tensor<T, 3, Eigen::RowMajor>;
  using vector = Eigen::Tensor<W, 1>;
  const Eigen::TensorMap<const tensor> dy(memory.dy, block.outer, block.size, block.inner),
      x(memory.x, block.outer, block.size, block.inner);
  Eigen::TensorMap<tensor> dx(memory.dx, block.outer, block.size, block.inner);
  Eigen::TensorMap<vector> dweight(memory.dweight, block.size);
  const auto call = [&](const auto& w, const auto&... more) {
    if (f.kind == norm::rms) {
      if (memory.saved)
        tn::rms_norm_backward(dy, x, w, *memory.saved, {.axes = 1}, tn::grad_x(dx), tn::grad_weight(dweight),
                              more...);
      else
        tn::rms_norm_backward(dy, x, w, {.axes = 1, .eps = f.eps}, tn::grad_x(dx), tn::grad_weight(dweight),
                              more...);
    } else if (f.kind == norm::simple) {
      if (memory.saved)
        tn::simple_norm_backward(dy, x, w, *memory.saved, {.axes = 1}, tn::grad_x(dx),
                                 tn::grad_weight(dweight), more...);
      else
        tn::simple_norm_backward(dy, x, w, {.axes = 1, .eps = f.eps}, tn::grad_x(dx),
                                 tn::grad_weight(dweight), more...);
    } else {
      Eigen::TensorMap<vector> dbias(memory.dbias, block.size);
      if (memory.saved)
        tn::layer_norm_backward(dy, x, w, *memory.saved, {.axes = 1, .correction = f.correction},
                                tn::grad_x(dx), tn::grad_weight(dweight), tn::grad_bias(dbias), more...);
      else
        tn::layer_norm_backward(dy, x, w, {.axes = 1, .eps = f.eps, .correction = f.correction},
                                tn::grad_x(dx), tn::grad_weight(dweight), tn::grad_bias(dbias), more...);
    }
  };
  with_parameter<T>(memory.weight, block.size, weight_is_offset, [&](const auto& w) {
    if (pool)
      call(w, tn::on(*pool));
    else
      call(w);
  });
}

template <class T>
void backward_rows_at(tn::kernel::isa_level level, const formula& f, const row_block& block,
                      const backward_memory<T>& memory) {
  using stored = tn::detail::stored_t<T>;
  using compute = tn::kernel::compute_t<stored>;
  tn::kernel::gradient_problem<stored> problem;
  problem.x = tn::detail::stored_pointer(memory.x);
  problem.dy = tn::detail::stored_pointer(memory.dy);
  problem.dx = tn::detail::stored_pointer(memory.dx);
  problem.rows = {block.outer, block.inner, 1, block.size};
  problem.x_strides = problem.dy_strides = problem.dx_strides = {block.size * block.inner, 1, 0, block.inner};
  std::vector<compute> weight;
  if (memory.weight)
    for (std::size_t i = 0; i < block.length(); ++i) weight.push_back(static_cast<compute>(memory.weight[i]));
  if (memory.weight) problem.weight = weight.data();
  problem.eps = f.eps;
  problem.correction = f.kind == norm::simple ? 1 : f.correction;
  problem.wants_weight = true;
  problem.wants_bias = f.kind == norm::layer;
  const tn::kernel::gradient_work work(problem);
  std::vector<compute> sums(static_cast<std::size_t>(work.arrays * work.length)),
      own(static_cast<std::size_t>(work.thread_memory));
  if (f.kind == norm::rms)
    tn::kernel::differentiate<tn::kernel::rms_formula>(problem, 0, work.units, sums.data(), own.data(),
                                                       level);
  else if (f.kind == norm::simple)
    tn::kernel::differentiate<tn::kernel::simple_formula>(problem, 0, work.units, sums.data(), own.data(),
                                                          level);
  else
    tn::kernel::differentiate<tn::kernel::layer_formula>(problem, 0, work.units, sums.data(), own.data(),
                                                         level);
  tn::kernel::merge_arrays(sums.data(), work.arrays, work.length, level);
  for (std::size_t i = 0; i < block.length(); ++i) {
    memory.dweight[i] = static_cast<T>(sums[i]);
    if (problem.wants_bias) memory.dbias[i] = static_cast<T>(sums[block.length() + i]);
  }
}

template void backward_rows(const formula&, const row_block&, const backward_memory<TENSORNORM_TEST_SCALAR>&,
                            bool, const Eigen::ThreadPoolDevice*);
template void backward_rows_at(tn::kernel::isa_level, const formula&, const row_block&,
                               const backward_memory<TENSORNORM_TEST_SCALAR>&);

#ifdef TENSORNORM_TEST_WIDER
template void backward_rows(const formula&, const row_block&,
                            const backward_memory<TENSORNORM_TEST_SCALAR, TENSORNORM_TEST_WIDER>&, bool,
                            const Eigen::ThreadPoolDevice*);
#endif

}  // namespace tensornorm_test
