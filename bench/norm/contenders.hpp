// Registers what stands side by side at a place: this library, and Eigen in two forms.
#pragma once

#include "add.hpp"
#include "groups.hpp"
#include "norms.hpp"

namespace bench {

template <class Norm, class Scalar, class View, class Device>
void add_tensornorm(const place& at, const View& view, const std::string& suffix, const Device& device) {
  add<Scalar>(at, Norm::name + ("/tensornorm" + suffix), [=, &device](const operands<Scalar>& memory) {
    return [x = view(memory.x_at(at.byte_offset)), y = view(memory.y_at(at.byte_offset)), axis = view.axis,
            &device, weight = View::copy_of(memory.weight), bias = View::copy_of(memory.bias)]() mutable {
      y.device(device) = Norm::tensornorm(x, weight, bias, axis);
    };
  });
}

template <class Norm, class Scalar, class View, class Device>
void add_eigen_tensor(const place& at, const View& view, const std::string& suffix, const Device& device) {
  add<Scalar>(at, Norm::name + ("/eigen_tensor" + suffix), [=, &device](const operands<Scalar>& memory) {
    return [x = view(memory.x_at(at.byte_offset)), y = view(memory.y_at(at.byte_offset)), axis = view.axis,
            &device, weight = View::wide_copy_of(memory.weight),
            bias = View::wide_copy_of(memory.bias)]() mutable {
      Norm::eigen_tensor(x, weight, bias, y, axis, device);
    };
  });
}

/// Eigen's arrays, as close to the cache as they go: row by row, or for data whose normalized axis is
/// not the fastest, block by block.
template <class Norm, class Scalar>
void run_eigen_array(Scalar* x, Scalar* y, const extents& e, const wide_array<Scalar>& weight,
                     const wide_array<Scalar>& bias) {
  using block = Eigen::Array<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  if (e.inner == 1) {
    const Eigen::Map<const block> rows(x, e.outer, e.size);
    Eigen::Map<block> result(y, e.outer, e.size);
    if constexpr (sizeof(Scalar) > 2) {
      for (index o = 0; o < e.outer; ++o) Norm::eigen_row(rows.row(o), weight, bias, result.row(o));
    } else {
      Eigen::Array<float, 1, Eigen::Dynamic> wide(e.size), wide_result(e.size);
      for (index o = 0; o < e.outer; ++o) {
        wide = rows.row(o).template cast<float>();
        Norm::eigen_row(wide, weight, bias, wide_result);
        result.row(o) = wide_result.template cast<Scalar>();
      }
    }
  } else if constexpr (sizeof(Scalar) > 2) {
    for (index o = 0; o < e.outer; ++o) {
      const index start = o * e.size * e.inner;
      Norm::eigen_columns(Eigen::Map<const block>(x + start, e.size, e.inner), weight, bias,
                          Eigen::Map<block>(y + start, e.size, e.inner));
    }
  }
}

template <class Norm, class Scalar>
void add_eigen_array(const place& at) {
  add<Scalar>(at, Norm::name + std::string("/eigen_array"), [at](const operands<Scalar>& memory) {
    return [x = memory.x_at(at.byte_offset), y = memory.y_at(at.byte_offset), shape = at.shape,
            weight = wide_array_of(memory.weight),
            bias = wide_array_of(memory.bias)] { run_eigen_array<Norm, Scalar>(x, y, shape, weight, bias); };
  });
}

/// By this library and by Eigen, on one thread.
template <class Norm, class Scalar, class View>
void add_contenders(const place& at, const View& view) {
  add_tensornorm<Norm, Scalar>(at, view, "", one_thread());
  add_eigen_array<Norm, Scalar>(at);
  add_eigen_tensor<Norm, Scalar>(at, view, "", one_thread());
}

/// On a pool of two threads. The expression of arrays takes no device.
template <class Norm, class Scalar, class View>
void add_two_threads(const place& at, const View& view) {
  add_tensornorm<Norm, Scalar>(at, view, two_threads_suffix, two_threads());
  add_eigen_tensor<Norm, Scalar>(at, view, two_threads_suffix, two_threads());
}

template <class Norm, class Scalar>
void add_row_shape(const row_shape& s, sweep wanted) {
  const tensor_view<Scalar, 2, Eigen::RowMajor> view{{s.rows, s.dim}, 1};
  add_contenders<Norm, Scalar>(rows_of(s), view);
  if constexpr (std::is_same_v<Scalar, float>) {
    if (!has_variants(s, wanted)) return;
    add_two_threads<Norm, Scalar>(rows_of(s), view);
    add_tensornorm<Norm, Scalar>(rows_on_16_bytes(s), view, "", one_thread());
    // The same memory read as a column-major tensor: dim blocks of one value for each row.
    const place columns{s.key, s.title, {1, s.dim, s.rows}, "column_major"};
    add_contenders<Norm, Scalar>(columns, tensor_view<Scalar, 2, Eigen::ColMajor>{{s.rows, s.dim}, 1});
  }
}

/// Images over their channels, and the same bytes with the channels last.
template <class Norm>
void add_image_shape(const image_shape& s, sweep wanted) {
  const image_view<float> view{{s.batch, s.channels, s.height, s.width}, 1};
  const place channels{s.key, s.title, {s.batch, s.channels, s.height * s.width}, "channels"};
  add_contenders<Norm, float>(channels, view);
  if (wanted == sweep::full) add_two_threads<Norm, float>(channels, view);

  const place rows = channels_last(s);
  const tensor_view<float, 2, Eigen::RowMajor> row_view{{rows.shape.outer, s.channels}, 1};
  add_contenders<Norm, float>(rows, row_view);
  if constexpr (std::is_same_v<Norm, layer_norm>) add_group_norm<float>(channels, view, s);
}

template <class Norm, class Scalar>
void add_norm(sweep wanted) {
  for (const row_shape& s : row_shapes)
    if (is_measured<Scalar>(s, wanted)) add_row_shape<Norm, Scalar>(s, wanted);
  if constexpr (std::is_same_v<Scalar, float>)
    for (const image_shape& s : image_shapes)
      if (s.smallest <= wanted) add_image_shape<Norm>(s, wanted);
}

}  // namespace bench
