// A block of a vision transformer on images N,C,H,W, without leaving that layout:
//
//   x = x + attention(layer_norm(x))
//   x = x + mlp(layer_norm(x))
//
// The norms are over the channels, the attention is between all positions of an image, and the MLP is
// two 1x1 convolutions with GELU between them.
#include <array>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <tensornorm/tensornorm.hpp>

namespace tn = tensornorm;

using images = Eigen::Tensor<float, 4, Eigen::RowMajor>;
using matrix = Eigen::Tensor<float, 2, Eigen::RowMajor>;
using vector = Eigen::Tensor<float, 1>;

/// A 1x1 convolution: at each position, the channels times a matrix of out x in channels.
images conv1x1(const images& x, const matrix& weight, const vector& bias) {
  const std::array<Eigen::IndexPair<Eigen::Index>, 1> channels{{{1, 1}}};
  images y = weight.contract(x, channels).shuffle(std::array<Eigen::Index, 4>{1, 0, 2, 3});
  for (Eigen::Index channel = 0; channel < bias.size(); ++channel)
    y.chip(channel, 1) = y.chip(channel, 1) + bias(channel);
  return y;
}

float gelu(float x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.f))); }

struct vision_block {
  vector norm1_weight, norm1_bias;
  tn::Attention2d<float> attention;
  vector norm2_weight, norm2_bias;
  matrix up_weight;
  vector up_bias;
  matrix down_weight;
  vector down_bias;

  images operator()(const images& x) const {
    const images normed1 = tn::layer_norm(x, norm1_weight, norm1_bias, {.axes = 1, .eps = 1e-6});
    const images attended = attention.forward(normed1);
    const images middle = x + attended;

    const images normed2 = tn::layer_norm(middle, norm2_weight, norm2_bias, {.axes = 1, .eps = 1e-6});
    const images hidden = conv1x1(normed2, up_weight, up_bias).unaryExpr(&gelu);
    return middle + conv1x1(hidden, down_weight, down_bias);
  }
};

/// Stands for numbers that were learned, or seen: the same on every machine.
template <class Tensor>
Tensor waves(Tensor tensor, float frequency, float amplitude) {
  for (Eigen::Index i = 0; i < tensor.size(); ++i)
    tensor.data()[i] = amplitude * std::sin(frequency * static_cast<float>(i + 1));
  return tensor;
}

vision_block make_block(Eigen::Index dim, Eigen::Index heads, Eigen::Index hidden, tn::attention_path path) {
  vision_block block{.norm1_weight = waves(vector(dim), 0.3f, 1),
                     .norm1_bias = waves(vector(dim), 0.4f, 0.1f),
                     .attention = tn::Attention2d<float>({.dim = dim, .heads = heads, .path = path}),
                     .norm2_weight = waves(vector(dim), 0.5f, 1),
                     .norm2_bias = waves(vector(dim), 0.6f, 0.1f),
                     .up_weight = waves(matrix(hidden, dim), 0.7f, 0.5f),
                     .up_bias = waves(vector(hidden), 0.8f, 0.1f),
                     .down_weight = waves(matrix(dim, hidden), 0.9f, 0.5f),
                     .down_bias = waves(vector(dim), 1.1f, 0.1f)};
  block.attention.qkv_weight = waves(matrix(3 * dim, dim), 1.2f, 0.5f);
  block.attention.qkv_bias = waves(vector(3 * dim), 1.3f, 0.1f);
  block.attention.proj_weight = waves(matrix(dim, dim), 1.4f, 0.5f);
  block.attention.proj_bias = waves(vector(dim), 1.5f, 0.1f);
  return block;
}

int main() {
  const images x = waves(images(2, 8, 4, 3), 1.7f, 1);  // 2 images of 8 channels, 4 x 3 positions
  const vision_block fused = make_block(8, 2, 16, tn::attention_path::fused);
  const vision_block unfused = make_block(8, 2, 16, tn::attention_path::unfused);

  const images y = fused(x);
  std::cout << std::fixed << std::setprecision(2) << "first channel of the second image\n";
  for (Eigen::Index row = 0; row < y.dimension(2); ++row) {
    for (Eigen::Index column = 0; column < y.dimension(3); ++column)
      std::cout << std::setw(7) << y(1, 0, row, column);
    std::cout << '\n';
  }

  // Fused keeps no matrix of scores. Which path runs changes the memory and the time, not the answer.
  const Eigen::Tensor<float, 0, Eigen::RowMajor> difference = (y - unfused(x)).abs().maximum();
  std::cout << "fused and unfused agree to five digits: " << (difference() < 1e-5f ? "yes" : "no") << '\n';
}
