// Norms of memory that is your own: std::vector and raw pointers, seen through Eigen's maps. Nothing
// is copied, and nothing is allocated.
#include <iostream>
#include <stdexcept>
#include <tensornorm/tensornorm.hpp>
#include <vector>

namespace tn = tensornorm;

void print(const char* what, const std::vector<float>& values) {
  std::cout << what << ':';
  for (const float value : values) std::cout << ' ' << value;
  std::cout << '\n';
}

/// A vector as a tensor of batch x tokens x dim, normalized in place.
void in_place() {
  std::vector<float> values{1, 2, 5, 6, 3, 4, 7, 8};
  const std::vector<float> weight{2, 3};
  Eigen::TensorMap<Eigen::Tensor<float, 3, Eigen::RowMajor>> x(values.data(), 2, 2, 2);
  const Eigen::TensorMap<const Eigen::Tensor<float, 1>> w(weight.data(), 2);
  x = tn::rms_norm(x, w);
  print("rms_norm, in place", values);
}

/// What C code hands over: a pointer to rows with gaps between them. The gaps are left alone.
void rows_with_gaps(float* data, Eigen::Index rows, Eigen::Index cols, Eigen::Index step) {
  using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<matrix, 0, Eigen::OuterStride<>> x(data, rows, cols, Eigen::OuterStride<>(step));
  x = tn::layer_norm(x);
}

/// Every second number of a buffer, as in interleaved stereo sound, into a buffer without gaps.
void left_channel(const float* stereo, float* left, Eigen::Index frames) {
  const Eigen::Map<const Eigen::VectorXf, 0, Eigen::InnerStride<2>> x(stereo, frames);
  Eigen::Map<Eigen::VectorXf> y(left, frames);
  y = tn::rms_norm(x);
}

/// Data in bfloat16 with weights in float: sums and products are float, and y is rounded once.
void bfloat16_data() {
  std::vector<Eigen::bfloat16> values;
  for (const float value : {1.f, 2.f, 5.f, 6.f}) values.emplace_back(value);
  const std::vector<float> weight{2, 3};
  Eigen::TensorMap<Eigen::Tensor<Eigen::bfloat16, 2, Eigen::RowMajor>> x(values.data(), 2, 2);
  const Eigen::TensorMap<const Eigen::Tensor<float, 1>> w(weight.data(), 2);
  x = tn::rms_norm(x, w);
  print("rms_norm in bfloat16", {values.begin(), values.end()});
}

/// Sizes that disagree throw, when the norm is named and before anything is written.
void sizes_that_disagree() {
  std::vector<float> values{1, 2, 5, 6};
  const std::vector<float> weight{2, 3, 4};
  Eigen::TensorMap<Eigen::Tensor<float, 2, Eigen::RowMajor>> x(values.data(), 2, 2);
  const Eigen::TensorMap<const Eigen::Tensor<float, 1>> w(weight.data(), 3);
  try {
    x = tn::layer_norm(x, w);
  } catch (const std::invalid_argument& error) {
    std::cout << "refused: " << error.what() << '\n';
  }
  print("unchanged", values);
}

int main() {
  in_place();

  std::vector<float> padded{1, 3, 99, 5, 9, 99};
  rows_with_gaps(padded.data(), 2, 2, 3);
  print("layer_norm of rows with gaps", padded);

  const std::vector<float> stereo{3, 99, 4, 99};
  std::vector<float> left(2);
  left_channel(stereo.data(), left.data(), 2);
  print("rms_norm of the left channel", left);

  bfloat16_data();
  sizes_that_disagree();
}
