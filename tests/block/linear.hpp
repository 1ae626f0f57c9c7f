// Linear layers in long double with their bounds, and their kernels called on plain memory.
#pragma once

#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include <tensornorm/tensornorm.hpp>
#include <utility>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {

namespace tn = tensornorm;
using index_nn = Eigen::Index;

inline std::size_t at(index_nn i) { return static_cast<std::size_t>(i); }

/// The scalars of data and parameters.
template <class Scalar, class Parameter>
struct linear_scalars {
  using scalar = Scalar;
  using parameter = Parameter;
};
using all_linear_scalars =
    testing::Types<linear_scalars<float, float>, linear_scalars<double, double>,
                   linear_scalars<Eigen::half, Eigen::half>, linear_scalars<Eigen::bfloat16, Eigen::bfloat16>,
                   linear_scalars<Eigen::half, float>, linear_scalars<Eigen::bfloat16, float>,
                   linear_scalars<float, double>>;
struct linear_scalar_names {
  template <class L>
  static std::string GetName(int i) {
    const auto data = scalar_names::GetName<typename L::scalar>(i);
    const auto parameter = scalar_names::GetName<typename L::parameter>(i);
    return data == parameter ? data : data + "_with_" + parameter;
  }
};

struct linear_shape {
  index_nn tokens, in, out;
  bool bias = true;
};
inline std::ostream& operator<<(std::ostream& out, const linear_shape& s) {
  return out << s.tokens << " tokens, " << s.in << " to " << s.out << (s.bias ? " with" : " without")
             << " bias";
}

/// Every number of tokens up to 130 with sizes that come round, many channels, and long sequences.
inline std::vector<linear_shape> linear_shapes() {
  constexpr index_nn sizes[] = {1, 3, 16, 59, 64, 130};
  std::vector<linear_shape> all;
  for (index_nn tokens = 1; tokens <= 130; ++tokens)
    all.push_back({tokens, sizes[tokens % 6], sizes[tokens / 6 % 6], tokens % 5 != 0});
  // More channels than a unit takes, on both sides.
  for (const index_nn tokens : {1, 5, 49, 97})
    for (const auto& [in, out] : {std::pair<index_nn, index_nn>{300, 255}, {256, 257}, {257, 300}, {3, 769}})
      all.push_back({tokens, in, out, tokens != 5});
  for (const index_nn in : sizes)
    for (const index_nn out : sizes) all.push_back({67, in, out, (in + out) % 2 == 0});
  for (const index_nn tokens : {1021, 2049})
    for (std::size_t i = 0; i < 6; ++i) all.push_back({tokens, sizes[i], sizes[5 - i], i % 2 == 0});
  return all;
}

/// Numbers for a layer of a shape: x and dy by tokens, a weight of out x in, a bias.
template <class T, class W>
struct linear_case {
  using accumulator = tn::accumulator_t<T>;

  linear_shape shape;
  std::vector<T> x, dy;
  std::vector<W> weight, bias;

  explicit linear_case(const linear_shape& s, std::uint32_t seed = 1101)
      : shape(s),
        x(normal<T>(at(s.tokens * s.in), seed, 0.25)),
        dy(normal<T>(at(s.tokens * s.out), seed + 1, 0.125)),
        weight(normal<W>(at(s.out * s.in), seed + 2)),
        bias(normal<W>(at(s.bias ? s.out : 0), seed + 3)) {}

  tn::detail::linear_layer<T, W> layer() const {
    tn::detail::linear_layer<T, W> made;
    std::mt19937_64 random(0);
    made.start(shape.in, shape.out, shape.bias, random);
    std::ranges::copy(weight, made.weight.data());
    std::ranges::copy(bias, made.bias.data());
    return made;
  }
  tn::detail::token_matrix<const T> of_x() const { return {x.data(), shape.tokens, shape.in}; }
  tn::detail::token_matrix<const T> of_dy() const { return {dy.data(), shape.tokens, shape.out}; }
};

template <class L>
using case_of = linear_case<typename L::scalar, typename L::parameter>;

/// Every element of found is within (2 + min(n, 64) / 4 + n / 128) eps Σ|terms| of start + Σ a(i) · b(i),
/// where sums(element, add) calls add(start) and add(term) for each of the n terms.
template <class A, class R, class Sums>
testing::AssertionResult sums_within_bounds(const std::vector<R>& found, index_nn n, const Sums& sums) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    real sum = 0, magnitude = 0;
    sums(static_cast<index_nn>(i), [&](real term) {
      sum += term;
      magnitude += std::abs(term);
    });
    const real of_sum = projection_roundings(n) * epsilon<A>() * magnitude;
    const real bound = of_sum + (is_16_bit<R> ? ulp<R>(std::abs(sum) + of_sum) / 2 : 0);
    const real error = std::abs(widen(found[i]) - sum);
    if (!(error <= bound))
      return testing::AssertionFailure() << "element " << i << " is " << widen(found[i]) << ", expected "
                                         << sum << ": error " << error << ", bound " << bound;
  }
  return testing::AssertionSuccess();
}

template <class T, class W>
testing::AssertionResult is_forward(const linear_case<T, W>& c, const std::vector<T>& y) {
  const linear_shape& s = c.shape;
  return sums_within_bounds<tn::accumulator_t<T>>(y, s.in, [&](index_nn i, const auto& add) {
    const index_nn token = i / s.out, channel = i % s.out;
    if (s.bias) add(widen(c.bias[at(channel)]));
    for (index_nn k = 0; k < s.in; ++k)
      add(widen(c.weight[at(channel * s.in + k)]) * widen(c.x[at(token * s.in + k)]));
  });
}

/// dx, where `before` is what it is added to, or empty.
template <class T, class W, class R>
testing::AssertionResult is_gradient_of_x(const linear_case<T, W>& c, const std::vector<R>& dx,
                                          const std::vector<R>& before = {}) {
  const linear_shape& s = c.shape;
  return sums_within_bounds<tn::accumulator_t<T>>(dx, s.out, [&](index_nn i, const auto& add) {
    const index_nn token = i / s.in, channel = i % s.in;
    if (!before.empty()) add(widen(before[at(i)]));
    for (index_nn o = 0; o < s.out; ++o)
      add(widen(c.weight[at(o * s.in + channel)]) * widen(c.dy[at(token * s.out + o)]));
  });
}

template <class T, class W>
testing::AssertionResult is_gradient_of_weight(const linear_case<T, W>& c, const std::vector<W>& gradient,
                                               const std::vector<W>& before) {
  const linear_shape& s = c.shape;
  return sums_within_bounds<tn::accumulator_t<T>>(gradient, s.tokens, [&](index_nn i, const auto& add) {
    add(widen(before[at(i)]));
    for (index_nn t = 0; t < s.tokens; ++t)
      add(widen(c.dy[at(t * s.out + i / s.in)]) * widen(c.x[at(t * s.in + i % s.in)]));
  });
}

template <class T, class W>
testing::AssertionResult is_gradient_of_bias(const linear_case<T, W>& c, const std::vector<W>& gradient,
                                             const std::vector<W>& before) {
  const linear_shape& s = c.shape;
  return sums_within_bounds<tn::accumulator_t<T>>(gradient, s.tokens, [&](index_nn i, const auto& add) {
    add(widen(before[at(i)]));
    for (index_nn t = 0; t < s.tokens; ++t) add(widen(c.dy[at(t * s.out + i)]));
  });
}

/// The numbers of a tensor as they lie.
template <class Tensor>
auto numbers_of(const Tensor& t) {
  return std::vector<std::remove_const_t<typename Tensor::Scalar>>(t.data(), t.data() + t.size());
}

}  // namespace tensornorm_test
