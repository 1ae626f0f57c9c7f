// Linear layers over tokens, for blocks: parameters, their gradients, and the passes on a device.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>

#include "../attention/linear.hpp"
#include "../eigen/device.hpp"
#include "../eigen/scalar.hpp"
#include "../eigen/workspace.hpp"
#include "norm_layer.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// Rows of numbers in memory, one for each token.
template <class Scalar>
struct token_matrix {
  Scalar* data;
  index tokens;
  index channels;
};

/// Uniform in ±1/sqrt(in); the same numbers everywhere.
template <class Scalar, int Rank, int Layout>
void fill_uniform(Eigen::Tensor<Scalar, Rank, Layout>& tensor, index in, std::mt19937_64& random) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  for (index i = 0; i < tensor.size(); ++i)
    tensor.data()[i] = static_cast<Scalar>(
        static_cast<accumulator_t<Scalar>>((static_cast<double>(random() >> 11) * 0x1p-52 - 1) * bound));
}

/// A weight of out x in, a bias of out or none, and their gradients.
template <class Scalar, class Parameter>
struct linear_layer {
  using accumulator = accumulator_t<Scalar>;
  using weight_type = Eigen::Tensor<Parameter, 2, Eigen::RowMajor>;
  using bias_type = Eigen::Tensor<Parameter, 1>;

  weight_type weight, weight_gradient;
  bias_type bias, bias_gradient;

  /// Uniform in ±1/sqrt(in), from the generator.
  void start(index in, index out, bool with_bias, std::mt19937_64& random) {
    resize(in, out, with_bias);
    fill_uniform(weight, in, random);
    fill_uniform(bias, in, random);
  }
  /// With gradients of zero.
  void resize(index in, index out, bool with_bias) {
    weight.resize(out, in);
    bias.resize(with_bias ? out : 0);
    weight_gradient.resize(out, in);
    bias_gradient.resize(bias.size());
    zero_gradients();
  }
  void zero_gradients() {
    weight_gradient.setZero();
    bias_gradient.setZero();
  }
  /// Throws where parameters or gradients have other sizes.
  void check(const char* name, index in, index out, bool with_bias) const {
    const sizes<2> of_weight{out, in};
    const sizes<1> of_bias{with_bias ? out : 0};
    check_shape(name, "_weight", weight, of_weight);
    check_shape(name, "_weight gradient", weight_gradient, of_weight);
    check_shape(name, "_bias", bias, of_bias);
    check_shape(name, "_bias gradient", bias_gradient, of_bias);
  }
  index in() const { return weight.dimension(1); }
  index out() const { return weight.dimension(0); }

  /// y = x · Wᵀ + b.
  template <class Device>
  void forward(const token_matrix<const Scalar>& x, Scalar* y, workspace& memory,
               const Device& device) const {
    run<Scalar>(x, {y, x.tokens, out()}, false, false, memory, device);
  }
  /// dx = dy · W, or that added to dx, in the scalar of the data or its accumulator.
  template <class R, class Device>
  void backward_to_x(const token_matrix<const Scalar>& dy, R* dx, bool accumulate, workspace& memory,
                     const Device& device) const {
    run<R>(dy, {dx, dy.tokens, in()}, true, accumulate, memory, device);
  }
  /// Adds to the gradients of weight and bias.
  template <class Device>
  void backward_to_parameters(const token_matrix<const Scalar>& dy, const Scalar* x, workspace& memory,
                              const Device& device) {
    kernel::linear_gradient_problem<stored_t<Scalar>, stored_t<Parameter>> p;
    p.tokens = dy.tokens;
    p.in = in();
    p.out = out();
    p.x = {stored_pointer(x), in()};
    p.dy = {stored_pointer(dy.data), out()};
    p.weight = {stored_pointer(weight_gradient.data()), in()};
    p.bias = bias.size() ? stored_pointer(bias_gradient.data()) : nullptr;
    const double flops = 2.0 * double(p.tokens) * double(p.in) * double(p.unit_rows);
    run_blocks<kernel::linear_gradient_kernel>(p, p.units(), p.memory(), flops, memory, device);
  }

 private:
  template <class P>
  static void check_shape(const char* name, const char* kind, const P& p, const sizes<rank_of<P>>& expected) {
    if (const auto size = shape_of(p).size; size != expected)
      fail("Attention", name, kind, " has shape ", shape_text(size), ", expected ", shape_text(expected));
  }

  template <class R, class Device>
  void run(const token_matrix<const Scalar>& from, const token_matrix<R>& to, bool transposed,
           bool accumulate, workspace& memory, const Device& device) const {
    constexpr bool widens = !std::is_same_v<Parameter, accumulator>;
    const std::size_t numbers = widens ? static_cast<std::size_t>(weight.size() + bias.size()) : 0;
    const workspace::lease wide(memory, numbers * sizeof(accumulator));
    const accumulator* w = nullptr;
    const accumulator* b = nullptr;
    if constexpr (widens) {
      accumulator* const copy = static_cast<accumulator*>(wide.data());
      for (index i = 0; i < weight.size(); ++i) copy[i] = static_cast<accumulator>(weight.data()[i]);
      for (index i = 0; i < bias.size(); ++i)
        copy[weight.size() + i] = static_cast<accumulator>(bias.data()[i]);
      w = copy;
      b = copy + weight.size();
    } else {
      w = weight.data();
      b = bias.data();
    }
    kernel::linear_problem<stored_t<Scalar>, stored_t<R>> p;
    p.tokens = from.tokens;
    p.in = from.channels;
    p.out = to.channels;
    p.x = {stored_pointer(from.data), from.channels};
    p.weight = transposed ? kernel::broadcast_matrix<accumulator>{w, 1, in()}
                          : kernel::broadcast_matrix<accumulator>{w, in(), 1};
    p.bias = transposed || bias.size() == 0 ? nullptr : b;
    p.y = {stored_pointer(to.data), to.channels};
    p.accumulate = accumulate;
    const index lanes = kernel::query_lanes_at<accumulator>(kernel::active_isa());
    const double flops = 2.0 * double(p.in) * double(p.out) * double(lanes) / double(p.row_blocks());
    run_blocks<kernel::linear_kernel>(p, kernel::linear_units(p), p.memory(lanes), flops, memory, device);
  }

  template <class Kernel, class P, class Device>
  static void run_blocks(const P& p, index units, index numbers, double flops, workspace& memory,
                         const Device& device) {
    if (p.tokens == 0) return;
    run_units(
        units, Eigen::TensorOpCost(0, 0, flops, true, 16), device,
        [&](index first, index last) {
          const workspace::lease own(memory, static_cast<std::size_t>(numbers) * sizeof(accumulator));
          kernel::dispatch<Kernel>(p, first, last, static_cast<accumulator*>(own.data()));
        },
        [](index block) { return block; });
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
