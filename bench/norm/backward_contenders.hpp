// Registers the backward passes: this library, and Eigen row by row.
#pragma once

#include <memory>

#include "add.hpp"
#include "backward.hpp"

namespace bench {

template <class Norm, class Scalar>
const auto& statistics_for(const operands<Scalar>& memory, const place& at) {
  return memory.saved(at.layout + "/" + Norm::name,
                      [&](auto& saved) { Norm::save(memory.x_at(0), at.shape, saved); });
}

template <class Norm, class Scalar, class View, class Device>
void add_backward_tensornorm(const place& at, const View& view, const std::string& suffix,
                             const Device& device) {
  const auto make = [=, &device](const operands<Scalar>& memory) {
    const auto to = std::make_shared<gradient_destinations<Scalar>>();
    to->weight.resize(at.shape.size);
    to->bias.resize(at.shape.size);
    return
        [dy = view(memory.more("dy")), x = view(memory.x_at(0)), dx = view(memory.y_at(0)), axis = view.axis,
         weight = View::copy_of(memory.weight), &saved = statistics_for<Norm>(memory, at), to,
         &device]() mutable { Norm::tensornorm(dy, x, weight, saved, axis, dx, *to, device); };
  };
  add<Scalar>(at, Norm::name + ("/tensornorm" + suffix), make, 3.0 * sizeof(Scalar));
}

template <class Norm, class Scalar>
void add_backward_eigen(const place& at) {
  const auto make = [at](const operands<Scalar>& memory) {
    using block = Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const index rows = at.shape.outer, size = at.shape.size;
    return [dy = Eigen::Map<const block>(memory.more("dy"), rows, size),
            x = Eigen::Map<const block>(memory.x_at(0), rows, size),
            dx = Eigen::Map<block>(memory.y_at(0), rows, size), weight = wide_array_of(memory.weight),
            &saved = statistics_for<Norm>(memory, at), dweight = wide_array<Scalar>(size),
            dbias = wide_array<Scalar>(size)]() mutable {
      dweight.setZero();
      dbias.setZero();
      const bool has_mean = saved.mean.size() > 0;
      for (index row = 0; row < x.rows(); ++row)
        Norm::eigen_row(dy.row(row), x.row(row), weight, has_mean ? saved.mean(row) : Scalar(0),
                        saved.rstd(row), dx.row(row), dweight, dbias);
    };
  };
  add<Scalar>(at, Norm::name + std::string("/eigen"), make, 3.0 * sizeof(Scalar));
}

template <class Norm, class Scalar>
void add_norm_backward(sweep wanted) {
  for (const row_shape& s : row_shapes) {
    if (!has_backward(s, wanted)) continue;
    const tensor_view<Scalar, 2, Eigen::RowMajor> view{{s.rows, s.dim}, 1};
    add_backward_tensornorm<Norm, Scalar>(rows_of(s), view, "", one_thread());
    add_backward_eigen<Norm, Scalar>(rows_of(s));
    if (!has_variants(s, wanted)) continue;
    add_backward_tensornorm<Norm, Scalar>(rows_of(s), view, two_threads_suffix, two_threads());
    const place columns{s.key, s.title, {1, s.dim, s.rows}, "column_major"};
    add_backward_tensornorm<Norm, Scalar>(
        columns, tensor_view<Scalar, 2, Eigen::ColMajor>{{s.rows, s.dim}, 1}, "", one_thread());
  }
}

}  // namespace bench
