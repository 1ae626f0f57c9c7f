// One norm over one tensor, as the kernels take it: pointers, rows, parameters, constants.
#pragma once

#include "../simd/float16.hpp"
#include "../simd/memory.hpp"
#include "../view/rows.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// y = norm(x) * weight + bias. y may be x with the same strides; nothing else may overlap. Without y only
/// the statistics are worked out. T is the type of x, W of the weight, B of the bias, Y of y. Absent things
/// are null.
template <class T, class W = T, class B = T, class Y = T>
struct norm_problem {
  using data_type = T;
  using result_type = Y;
  using compute = compute_t<T>;

  const T* x = nullptr;
  Y* y = nullptr;
  bool past_cache = false;  // y is a part of something large
  rows_shape rows;
  rows_strides x_strides;
  rows_strides y_strides;

  const W* weight = nullptr;
  const B* bias = nullptr;
  bool weight_plus_one = false;
  bool round_before_weight = false;
  parameter_shape parameters;

  double eps = 0;
  index correction = 0;

  compute* mean = nullptr;  // one for each row, all three or none; mean may be null alone
  compute* mean_residual = nullptr;
  compute* rstd = nullptr;
};

/// A large result goes past the cache, unless it takes the place of x.
template <class P>
bool streams(const P& p) {
  const void* const y = p.y;
  if (!has_stream || !y || y == p.x) return false;
  return p.past_cache ||
         static_cast<std::size_t>(p.rows.rows() * p.rows.size()) * sizeof(*p.y) > past_cache_bytes;
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
