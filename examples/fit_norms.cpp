// What each norm can learn. A small model is fitted by gradient descent: a norm, then a readout that stays as
// it is. Only the parameters of the norm learn. The targets come from such a model too, a LayerNorm with a
// weight and a bias, so that LayerNorm reaches them, and the others come as close as their form lets them.
#include <cmath>
#include <iomanip>
#include <iostream>
#include <tensornorm/tensornorm.hpp>

namespace tn = tensornorm;

using matrix = Eigen::Tensor<float, 2, Eigen::RowMajor>;

constexpr Eigen::Index rows = 64, dim = 4, outputs = 8;

/// Stands for data: the same on every machine.
matrix waves(Eigen::Index height, Eigen::Index width, float frequency, float mean) {
  matrix values(height, width);
  for (Eigen::Index i = 0; i < values.size(); ++i)
    values.data()[i] = mean + std::sin(frequency * static_cast<float>((i + 1) * (i + 1)));
  return values;
}

matrix product(const matrix& a, const matrix& b, Eigen::IndexPair<Eigen::Index> summed) {
  return a.contract(b, Eigen::array<Eigen::IndexPair<Eigen::Index>, 1>{summed});
}

struct problem {
  matrix x = waves(rows, dim, 0.37f, 0.5f);
  matrix readout = waves(dim, outputs, 0.61f, 0);
  matrix targets;

  template <class Norm>
  matrix predict(const Norm& norm) const {
    const matrix y = norm(x);
    return product(y, readout, {1, 0});
  }
};

/// The losses on the way, and the layer at the end of it.
template <class Norm>
void fit(const char* label, Norm norm, const problem& p) {
  constexpr int steps = 1000;
  constexpr float rate = 0.1f;
  Eigen::Index count = 0;
  for (const auto& parameter : norm.parameters()) count += parameter.value.size();
  std::cout << std::left << std::setw(24) << label << std::right << std::setw(2) << count;

  for (int step = 0; step <= steps; ++step) {
    const matrix y = norm.forward(p.x);  // also keeps the statistics of the rows, for backward
    const matrix error = product(y, p.readout, {1, 0}) - p.targets;
    const Eigen::Tensor<float, 0, Eigen::RowMajor> loss = error.square().mean();
    if (step == 0 || step == 10 || step == 100 || step == steps) std::cout << std::setw(11) << loss();

    // The gradient of the loss at the predictions goes back through the readout, then through the norm. It
    // would go on from there, with what backward returns, if something before the norm learned too.
    const matrix dy = product(error * (2.f / static_cast<float>(error.size())), p.readout, {1, 1});
    norm.zero_gradients();
    norm.backward(dy, p.x);
    for (auto& parameter : norm.parameters()) parameter.value -= parameter.gradient * rate;
  }
  std::cout << '\n';
  for (const auto& [name, value] : norm.save()) {
    std::cout << "    " << name;
    for (Eigen::Index i = 0; i < value.size(); ++i) std::cout << std::setw(8) << value(i);
    std::cout << '\n';
  }
}

int main() {
  problem p;
  tn::LayerNorm<float> teacher({.dim = dim});
  teacher.weight.setValues({1.5f, 0.5f, -1, 2});
  teacher.bias.setValues({0.5f, 0.25f, -0.5f, 1});
  p.targets = p.predict(teacher);

  std::cout << std::fixed << std::setprecision(3)
            << "               parameters     loss   10 steps  100 steps 1000 steps\n";
  fit("RmsNorm", tn::RmsNorm<float>({.dim = dim}), p);
  fit("SimpleNorm", tn::SimpleNorm<float>({.dim = dim}), p);
  fit("LayerNorm", tn::LayerNorm<float>({.dim = dim}), p);
  fit("LayerNorm, unbiased", tn::LayerNorm<float>({.dim = dim, .correction = 1}), p);
  fit("TanhNorm", tn::TanhNorm<float>(), p);
}
