// The program of a newcomer: normalizes two rows and compares them with the worked example
// x = [[1, 2], [5, 6]], eps = 1e-6, weight = [2, 3].
#include <cmath>
#include <cstdio>
#include <tensornorm/tensornorm.hpp>

int main() {
  Eigen::Tensor<float, 2> x(2, 2), expected(2, 2);
  Eigen::Tensor<float, 1> weight(2);
  x.setValues({{1, 2}, {5, 6}});
  weight.setValues({2, 3});
  expected.setValues({{1.2649f, 3.7947f}, {1.8107f, 3.2593f}});

  const Eigen::Tensor<float, 2> y = tensornorm::rms_norm(x, weight, {.eps = 1e-6});

  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 2; ++column) {
      std::printf("%.4f ", static_cast<double>(y(row, column)));
      if (!(std::abs(y(row, column) - expected(row, column)) < 1e-4f)) return 1;
    }
  }
  std::printf("tensornorm %s\n", TENSORNORM_VERSION_STRING);
}
