// The definition of normalize_rows, for the files that instantiate it.
#pragma once

#define EIGEN_USE_THREADS
#include <stdexcept>

#include "rows.hpp"

namespace tensornorm_test {

/// Hands f what the caller gave for a parameter: tn::none, a map, or unit_offset of a map.
template <class T, class W, class F>
void with_parameter(const W* data, std::ptrdiff_t size, bool offset, const F& f) {
  if (!data) {
    if constexpr (std::is_same_v<T, W>) return f(tn::none);
    throw std::logic_error("parameters of another type than x must be given");
  }
  const Eigen::TensorMap<const Eigen::Tensor<W, 1>> map(data, size);
  if constexpr (std::is_same_v<T, W>)
    if (offset) return f(tn::unit_offset(map));
  f(map);
}

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

}  // namespace tensornorm_test
