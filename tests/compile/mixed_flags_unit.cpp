// The function UNIT: all norms, compiled with the flags of this unit.
#include "mixed_flags.hpp"

#include <tensornorm/tensornorm.hpp>

namespace tn = tensornorm;

#ifdef LEAST_ISA
// No kernel is compiled for less than the flags of its unit.
static_assert(tn::kernel::isa_at<tn::kernel::isa_level::baseline>::level >= tn::kernel::isa_level::LEAST_ISA);
#endif

void UNIT(const float* x_data, const float* weight_data, const float* bias_data, float* y_data) {
  using matrix = Eigen::Tensor<float, 2, Eigen::RowMajor>;
  const Eigen::TensorMap<const matrix> x(x_data, rows, size);
  const Eigen::TensorMap<const Eigen::Tensor<float, 1>> weight(weight_data, size), bias(bias_data, size);
  const auto y = [y_data](int norm) {
    return Eigen::TensorMap<matrix>(y_data + norm * rows * size, rows, size);
  };

  y(0) = tn::rms_norm(x, weight);
  y(1) = tn::simple_norm(x, weight);
  y(2) = tn::layer_norm(x, weight, bias);
  y(3) = tn::group_norm(x, size / 7, weight, bias);
}
