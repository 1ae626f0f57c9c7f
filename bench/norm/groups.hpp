// Group norm: by this library, and as the expression that a good Eigen user would write.
#pragma once

#include <cmath>

#include "add.hpp"
#include "views.hpp"

namespace bench {

/// Each group of channels of each image as an array.
inline void run_eigen_group_norm(const float* x, float* y, const image_shape& s,
                                 const wide_array<float>& weight, const wide_array<float>& bias) {
  using block = Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const index channels = s.channels / s.groups;
  const index positions = s.height * s.width;
  for (index n = 0; n < s.batch * s.groups; ++n) {
    const Eigen::Map<const block> group(x + n * channels * positions, channels, positions);
    Eigen::Map<block> result(y + n * channels * positions, channels, positions);
    const index first = n % s.groups * channels;
    const float mean = group.mean();
    const float r = 1 / std::sqrt((group - mean).square().mean() + 1e-5f);
    const auto scale = (weight.segment(first, channels) * r).eval();
    result = ((group - mean).colwise() * scale).colwise() + bias.segment(first, channels);
  }
}

// A template, so that only the translation unit of LayerNorm compiles the kernel, which is the same.
template <class Scalar>
void add_group_norm(const place& at, const image_view<Scalar>& view, const image_shape& s) {
  using memory_of = operands<Scalar>;
  add<Scalar>(at, "group_norm/tensornorm", [=](const memory_of& memory) {
    return [x = view(memory.x_at(0)), y = view(memory.y_at(0)), groups = s.groups,
            weight = view.copy_of(memory.weight),
            bias = view.copy_of(memory.bias)]() mutable { y = tn::group_norm(x, groups, weight, bias); };
  });
  add<Scalar>(at, "group_norm/eigen_array", [=](const memory_of& memory) {
    return [x = memory.x_at(0), y = memory.y_at(0), s, weight = wide_array_of(memory.weight),
            bias = wide_array_of(memory.bias)] { run_eigen_group_norm(x, y, s, weight, bias); };
  });
}

}  // namespace bench
