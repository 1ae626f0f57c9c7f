// The backward pass of one norm over one tensor, as the kernels take it.
#pragma once

#include "../reduce/products.hpp"
#include "problem.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// dx = the gradient of x, + addend; branch = dx · alpha. Each may be absent: null. dx may be x, dy or the
/// addend with the same strides; nothing else may overlap. T is the type of x, dy and dx.
template <class T>
struct gradient_problem {
  using data_type = T;
  using compute = compute_t<T>;

  const T* x = nullptr;
  const T* dy = nullptr;
  T* dx = nullptr;
  const T* addend = nullptr;
  T* branch = nullptr;
  rows_shape rows;
  rows_strides x_strides;
  rows_strides dy_strides;
  rows_strides dx_strides;
  rows_strides addend_strides;
  rows_strides branch_strides;
  double alpha = 1;

  const compute* weight = nullptr;
  parameter_shape parameters;

  double eps = 0;
  index correction = 0;

  // What the forward pass saved, one for each row; rstd is null where it is to be worked out again.
  const compute* mean = nullptr;
  const compute* mean_residual = nullptr;
  const compute* rstd = nullptr;

  bool wants_weight = false;
  bool wants_bias = false;

  // Of group_norm, where these rows are some of a larger problem: the number of the first, and how many of
  // that problem's rows are inner ones; 0: as in `rows`.
  index first_row = 0;
  index numbered_inner = 0;

  index inner_of_number() const { return numbered_inner ? numbered_inner : rows.inner; }
  /// The first channel of a row, and its element of the batch.
  index channel_of(index row) const {
    return (first_row + row) / inner_of_number() % parameters.groups * rows.blocks;
  }
  index batch_element(index row) const {
    const index number = first_row + row;
    return number / inner_of_number() / parameters.groups * inner_of_number() + number % inner_of_number();
  }
  bool wants_parameters() const { return wants_weight || wants_bias; }
  /// A weight, and a bias, for each of these.
  index parameter_count() const {
    return parameters.per_block ? parameters.groups * rows.blocks : rows.size();
  }
  /// The sums of the gradients of all weights and of all biases, as far as they are wanted.
  index sums_length() const { return parameter_count() * (index{wants_weight} + index{wants_bias}); }
};

/// Calls use(memory, strides) for each array of data that the problem has.
template <class P, class F>
bool all_arrays(const P& p, const F& use) {
  return use(p.x, p.x_strides) && use(p.dy, p.dy_strides) && use(p.dx, p.dx_strides) &&
         use(p.addend, p.addend_strides) && use(p.branch, p.branch_strides);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
