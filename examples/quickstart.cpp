// The four norms on Eigen tensors, in a few lines.
#define EIGEN_USE_THREADS  // for Eigen::ThreadPoolDevice; a program of one thread needs neither
#include <iostream>
#include <tensornorm/tensornorm.hpp>

namespace tn = tensornorm;

int main() {
  // Two rows of two numbers, and a weight for each column.
  Eigen::Tensor<float, 2, Eigen::RowMajor> x(2, 2), y(2, 2);
  Eigen::Tensor<float, 1> weight(2), bias(2);
  x.setValues({{1, 2}, {5, 6}});
  weight.setValues({2, 3});
  bias.setValues({10, 20});

  // A norm is an Eigen expression: assigning it computes it, straight into y.
  y = tn::rms_norm(x, weight);
  std::cout << "rms_norm\n" << y << '\n';
  y = tn::simple_norm(x, weight);
  std::cout << "simple_norm\n" << y << '\n';
  y = tn::layer_norm(x, weight, bias);
  std::cout << "layer_norm\n" << y << '\n';

  // Options go by name. Here the columns are normalized, and the statistics of each are kept.
  tn::statistics<float> saved;
  y = tn::layer_norm(x, {.axes = 0, .eps = 1e-6, .correction = 1, .save = &saved});
  std::cout << "layer_norm over axis 0\n" << y << "\nmeans\n" << saved.mean << '\n';

  // A matrix is normalized row by row. Its storage order changes nothing.
  Eigen::MatrixXf matrix{{1, 2}, {5, 6}};
  matrix = tn::rms_norm(matrix);
  std::cout << "rms_norm of a matrix, without weight\n" << matrix << '\n';

  // Images: batch x channels x height x width, 32 channels in 8 groups, on two threads.
  Eigen::Tensor<float, 4, Eigen::RowMajor> images(2, 32, 7, 7), normalized(2, 32, 7, 7);
  images.setRandom();
  Eigen::ThreadPool pool(2);
  normalized.device(Eigen::ThreadPoolDevice(&pool, 2)) =
      tn::group_norm(images, 8, {.eps = 1e-6, .save = &saved});
  std::cout << "group_norm of 2 images in 8 groups\n" << saved.mean.size() << " means\n";
}
