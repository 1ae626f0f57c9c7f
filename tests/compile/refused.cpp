// Calls that must not compile, one for each macro. Without a macro the file compiles.
#include <tensornorm/tensornorm.hpp>

namespace tn = tensornorm;

void refused() {
  [[maybe_unused]] Eigen::Tensor<float, 1> x(8);
#ifdef tensor_of_int
  Eigen::Tensor<int, 2> integers(2, 8), y;
  y = tn::rms_norm(integers);
#endif
#ifdef matrix_of_int
  Eigen::MatrixXi integers(2, 8), y;
  y = tn::layer_norm(integers);
#endif
#ifdef tensor_of_rank_0
  Eigen::Tensor<float, 0> scalar, y;
  y = tn::rms_norm(scalar);
#endif
#ifdef weight_narrower_than_x
  Eigen::Tensor<Eigen::half, 1> weight(8);
  x = tn::rms_norm(x, weight);
#endif
#ifdef group_norm_of_a_matrix
  Eigen::MatrixXf matrix(2, 8), y;
  y = tn::group_norm(matrix, 2);
#endif
#ifdef group_norm_without_channels
  x = tn::group_norm(x, 2);
#endif
}
