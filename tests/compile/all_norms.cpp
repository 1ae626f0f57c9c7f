// Every public function for every scalar type, storage order and device. Only compiled.
#define EIGEN_USE_THREADS
#include <tensornorm/tensornorm.hpp>

namespace tn = tensornorm;

template <class T, class W, int Layout>
void all_norms_of_a_tensor(Eigen::ThreadPoolDevice& pool) {
  Eigen::Tensor<T, 3, Layout> x(2, 4, 8), y(2, 4, 8);
  Eigen::Tensor<W, 1> w(8), b(8), channel_w(4), channel_b(4);
  tn::statistics<tn::accumulator_t<T>> saved;

  y = tn::rms_norm(x);
  y = tn::rms_norm(x, w, {.axes = -1, .eps = 1e-6, .rounding = tn::rounding::before_weight, .save = &saved});
  y = tn::simple_norm(x, tn::unit_offset(w), {.eps = 1e-6});
  y = tn::layer_norm(x, w, b, {.correction = 1, .save = &saved});
  y = tn::layer_norm(x, tn::none, channel_b, {.axes = 1});
  y = tn::group_norm(x, 2, channel_w, channel_b, {.eps = 1e-5, .save = &saved});
  y.device(pool) = tn::layer_norm(x * x, w, b, {.axes = {2, 2}});
}

template <class T>
void all_norms_of_a_matrix() {
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> x(4, 8), y(4, 8);
  Eigen::Matrix<T, Eigen::Dynamic, 1> w(8), b(8);

  y = tn::rms_norm(x, w);
  y = tn::simple_norm(x, w, {.axes = 1});
  y.leftCols(4) = tn::layer_norm(x.leftCols(4), w.head(4), b.head(4));
}

void all_norms(Eigen::ThreadPoolDevice& pool) {
  all_norms_of_a_tensor<float, float, Eigen::RowMajor>(pool);
  all_norms_of_a_tensor<float, double, Eigen::ColMajor>(pool);
  all_norms_of_a_tensor<double, double, Eigen::ColMajor>(pool);
  all_norms_of_a_tensor<Eigen::half, Eigen::half, Eigen::RowMajor>(pool);
  all_norms_of_a_tensor<Eigen::bfloat16, float, Eigen::RowMajor>(pool);
  all_norms_of_a_matrix<float>();
  all_norms_of_a_matrix<double>();
  all_norms_of_a_matrix<Eigen::half>();
  all_norms_of_a_matrix<Eigen::bfloat16>();
}
