// Every public function for data of type SCALAR and weights of type WEIGHT. Only compiled, to hear what
// the compiler says.
#define EIGEN_USE_THREADS
#include <tensornorm/tensornorm.hpp>

namespace tn = tensornorm;

template <class T, class W, int Layout>
void norms_of_a_tensor(Eigen::ThreadPoolDevice& pool) {
  Eigen::Tensor<T, 3, Layout> x(2, 4, 8), y(2, 4, 8);
  Eigen::Tensor<W, 1> w(8), b(8), channel_w(4), channel_b(4);
  tn::statistics<tn::accumulator_t<T>> saved;

  y = tn::rms_norm(x, w, {.axes = -1, .eps = 1e-6, .rounding = tn::rounding::before_weight, .save = &saved});
  y = tn::simple_norm(x, tn::unit_offset(w), {.eps = 1e-6});
  y = tn::layer_norm(x, tn::none, channel_b, {.axes = 1, .correction = 1, .save = &saved});
  y = tn::group_norm(x, 2, channel_w, channel_b, {.eps = 1e-5, .save = &saved});
  y.device(pool) = tn::layer_norm(x * x, w, b, {.axes = {2, 2}});
}

template <class T>
void norms_of_a_matrix() {
  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> x(4, 8), y(4, 8);
  Eigen::Matrix<T, Eigen::Dynamic, 1> w(8), b(8);

  y = tn::rms_norm(x);
  y = tn::simple_norm(x, w, {.axes = 1});
  y.leftCols(4) = tn::layer_norm(x.leftCols(4), w.head(4), b.head(4));
}

void norms(Eigen::ThreadPoolDevice& pool) {
  norms_of_a_tensor<SCALAR, WEIGHT, Eigen::RowMajor>(pool);
  norms_of_a_matrix<SCALAR>();
}
