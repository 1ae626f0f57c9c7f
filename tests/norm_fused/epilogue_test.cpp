// Functions of a norm, fused into it: the bits of the norm followed by the same functions one number at a
// time, in the type that the norm is computed in, and rounded once.
#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "../support/data.hpp"
#include "../support/memory.hpp"
#include "fused.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

/// A function of a user's own: all that such a function may call, and a number that it carries.
struct own_function {
  double slope = 0.25;

  template <class V>
  TENSORNORM_INLINE V operator()(const V& y) const {
    const V leaky = kernel::larger(y, y * V::splat(typename V::scalar(slope)));
    const V bent = kernel::fma(leaky, leaky, V::splat(1)) / (V::splat(1) + kernel::abs(y));
    return kernel::sqrt(bent) - kernel::exp2(V::splat(0) - kernel::abs(y)) + kernel::tanh(y);
  }
};

/// What a chain works with: gamma and beta as an expression sees them, and one after the other as a test
/// does.
template <class T>
struct parameters {
  std::vector<T> gamma, beta;      // in the order of the normalized elements
  std::vector<std::size_t> which;  // of them goes with each element in logical order
};

/// f(values[i], i) for each number.
template <class C, class F>
std::vector<C> with_index(std::vector<C> values, const F& f) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = f(values[i], i);
  return values;
}

/// A product or a sum that goes into memory, so that no compiler contracts them.
template <class C>
std::vector<C> scaled(const std::vector<C>& y, const auto& p) {
  return with_index(y, [&](C value, std::size_t i) {
    const volatile C product = value * static_cast<C>(p.gamma[p.which[i]]);
    return C(product);
  });
}
template <class C>
std::vector<C> scaled_by(const std::vector<C>& y, double factor) {
  return with_index(y, [&](C value, std::size_t) {
    const volatile C product = value * static_cast<C>(factor);
    return C(product);
  });
}
template <class C>
std::vector<C> shifted(const std::vector<C>& y, const auto& p) {
  return with_index(y, [&](C value, std::size_t i) { return value + static_cast<C>(p.beta[p.which[i]]); });
}

// Each chain twice: as an expression, and step by step on numbers. Between them they have every function,
// first, in the middle and last.
struct shift_scale_gelu {
  static constexpr const char* name = "shift_scale_gelu";
  static auto of(const auto& norm, const auto& gamma, const auto& beta) {
    return tn::gelu(tn::layer_scale(tn::shift(norm, beta), gamma));
  }
  template <class C>
  static std::vector<C> by_steps(const std::vector<C>& y, const auto& p) {
    return each(gelu_of(), scaled(shifted(y, p), p));
  }
};
struct silu_tanh {
  static constexpr const char* name = "silu_tanh";
  static auto of(const auto& norm, const auto&, const auto&) { return tn::tanh(tn::silu(norm), -1.75); }
  template <class C>
  static std::vector<C> by_steps(const std::vector<C>& y, const auto&) {
    return each(tanh_of(), scaled_by(each(silu_of(), y), -1.75));
  }
};
struct gelu_tanh_own {
  static constexpr const char* name = "gelu_tanh_own";
  static auto of(const auto& norm, const auto&, const auto&) {
    return tn::then(tn::gelu_tanh(norm), own_function{0.125});
  }
  template <class C>
  static std::vector<C> by_steps(const std::vector<C>& y, const auto&) {
    return each(own_function{0.125}, each(gelu_tanh_of(), y));
  }
};
struct tanh_by_a_number {
  static constexpr const char* name = "tanh_by_a_number";
  static auto of(const auto& norm, const auto&, const auto&) { return tn::layer_scale(tn::tanh(norm), 0.3f); }
  template <class C>
  static std::vector<C> by_steps(const std::vector<C>& y, const auto&) {
    return scaled_by(each(tanh_of(), y), 0.3f);
  }
};
struct scale_gelu_shift {
  static constexpr const char* name = "scale_gelu_shift";
  static auto of(const auto& norm, const auto& gamma, const auto& beta) {
    return tn::shift(tn::gelu(tn::layer_scale(norm, gamma)), beta);
  }
  template <class C>
  static std::vector<C> by_steps(const std::vector<C>& y, const auto& p) {
    return shifted(each(gelu_of(), scaled(y, p)), p);
  }
};

template <class T, class N, class C>
struct chain_case {
  using scalar = T;
  using Norm = N;
  using Chain = C;
};

template <class Case>
struct chains : testing::Test {
  using scalar = typename Case::scalar;
  using norm_type = typename Case::Norm;

  /// Arguments of a call, and what it has to give.
  template <class Tensor>
  struct example {
    using T = scalar;
    using C = tn::accumulator_t<T>;
    using Norm = norm_type;
    using Chain = typename Case::Chain;

    template <class Like>
    example(const Like& like, tn::axis_range over, std::uint32_t seed)
        : axes(over), weight(parameters_of<Norm>(like, axes)), bias(weight.dimensions()) {
      indices_of<Tensor> size{};
      std::ranges::copy(extents_of(like), size.begin());
      x = normal_tensor<Tensor>(size, seed, 0.5, 2);
      const Eigen::Index count = weight.size();
      weight = normal_tensor<vector<T>>({count}, seed + 1, 1, 0.5);
      bias = normal_tensor<vector<T>>({count}, seed + 2);
      gamma = normal_tensor<vector<T>>({count}, seed + 3, 1, 0.5);
      beta = normal_tensor<vector<T>>({count}, seed + 4);
      const int rank = Tensor::NumDimensions;
      const auto first = static_cast<std::size_t>((axes.first + rank) % rank),
                 last = static_cast<std::size_t>((axes.last + rank) % rank);
      const row_map map = std::is_same_v<Norm, group> ? rows_over_groups(extents_of(x), 2)
                                                      : rows_over_axes(extents_of(x), first, last);
      const parameters<T> p{elements_of(gamma), elements_of(beta), map.parameter};
      // The norm in the type it is computed in. Sums depend on the length of a row alone, so these are its
      // bits.
      Eigen::Tensor<C, Tensor::NumDimensions, Tensor::Layout> wide = x.template cast<C>();
      const vector<C> wide_weight = weight.template cast<C>(), wide_bias = bias.template cast<C>();
      wide = Norm::of(wide, wide_weight, wide_bias, axes);
      for (const C value : Chain::by_steps(elements_of(wide), p)) y.push_back(static_cast<T>(value));
    }

    auto norm() const { return Norm::of(x, weight, bias, axes); }
    auto fused() const { return Chain::of(norm(), gamma, beta); }
    auto fused_of(const auto& from) const {
      return Chain::of(Norm::of(from, weight, bias, axes), gamma, beta);
    }

    tn::axis_range axes;
    Tensor x;
    vector<T> weight, bias, gamma, beta;
    std::vector<T> y;
  };
};

using cases =
    testing::Types<chain_case<float, layer, shift_scale_gelu>, chain_case<float, group, shift_scale_gelu>,
                   chain_case<float, rms, silu_tanh>, chain_case<float, rms, gelu_tanh_own>,
                   chain_case<float, simple, tanh_by_a_number>,
                   chain_case<Eigen::half, layer, scale_gelu_shift>,
                   chain_case<Eigen::bfloat16, rms, silu_tanh>, chain_case<double, simple, gelu_tanh_own>>;
struct case_names {
  template <class Case>
  static std::string GetName(int) {
    using Norm = typename Case::Norm;
    const char* const name = std::is_same_v<Norm, rms>      ? "rms"
                             : std::is_same_v<Norm, simple> ? "simple"
                             : std::is_same_v<Norm, layer>  ? "layer"
                                                            : "group";
    return scalar_names::GetName<typename Case::scalar>(0) + "_" + name + "_" + Case::Chain::name;
  }
};
TYPED_TEST_SUITE(chains, cases, case_names);

TYPED_TEST(chains, have_the_bits_of_the_norm_and_its_functions_one_after_the_other_in_every_layout) {
  std::uint32_t seed = 700;
  for_each_layout<typename TestFixture::norm_type, typename TestFixture::scalar>(
      [&](const auto& like, tn::axis_range axes) {
        SCOPED_TRACE(shape_name(like, axes));
        using Tensor = std::remove_cvref_t<decltype(like)>;
        const typename TestFixture::template example<Tensor> e(like, axes, seed += 5);
        Tensor y = filled_with_nan(like);
        const auto* const memory = y.data();
        y = e.fused();
        EXPECT_EQ(y.data(), memory);
        EXPECT_TRUE(same_bits(elements_of(y), e.y));
        Tensor in_place = e.x;
        in_place = e.fused_of(in_place);
        EXPECT_TRUE(same_bits(elements_of(in_place), e.y)) << "in place";
      });
}

TYPED_TEST(chains, have_the_same_bits_on_any_number_of_threads) {
  const auto try_it = [](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    const typename TestFixture::template example<Tensor> e(like, axes, 1000);
    for (const int threads : {2, 3, 7}) {
      Eigen::ThreadPool pool(threads);
      const Eigen::ThreadPoolDevice device(&pool, threads);
      Tensor y = filled_with_nan(like);
      y.device(device) = e.fused();
      EXPECT_TRUE(same_bits(elements_of(y), e.y)) << threads << " threads";
    }
  };
  using T = typename TestFixture::scalar;
  if constexpr (!std::is_same_v<typename TestFixture::norm_type, group>) {
    try_it(row_major_tensor<T, 2>(515, 130), -1);
    try_it(col_major_tensor<T, 3>(67, 96, 5), 1);
  }
  try_it(row_major_tensor<T, 3>(3, 96, 131), 1);
}

TYPED_TEST(chains, stay_within_their_memory_at_any_alignment) {
  using T = typename TestFixture::scalar;
  using Tensor = row_major_tensor<T, 2>;
  for (const Eigen::Index size : {2, 6, 16, 34, 64, 130, 1026}) {
    const typename TestFixture::template example<Tensor> e(Tensor(3, size), 1, 1010);
    const auto count = static_cast<std::size_t>(3 * size);
    for (const guard side : {guard::after, guard::before}) {
      guarded_buffer<T> x(count, side, elements_of(e.x)), y(count, side);
      Eigen::TensorMap<Tensor>(y.data(), 3, size) =
          e.fused_of(Eigen::TensorMap<const Tensor>(x.data(), 3, size));
      EXPECT_TRUE(same_bits(y.values(), e.y)) << size;
    }
    for (std::size_t offset = 0; offset < 64 / sizeof(T); ++offset) {
      canary_buffer<T> y(count, offset);
      Eigen::TensorMap<Tensor>(y.data(), 3, size) = e.fused();
      EXPECT_TRUE(same_bits(y.values(), e.y)) << size << ", offset " << offset;
      EXPECT_TRUE(y.intact()) << size << ", offset " << offset;
    }
  }
}

TYPED_TEST(chains, keep_nan_in_its_row) {
  using T = typename TestFixture::scalar;
  using Tensor = row_major_tensor<T, 2>;
  typename TestFixture::template example<Tensor> e(Tensor(4, 66), 1, 1020);
  e.x(1, 5) = quiet_nan<T>();
  const Tensor y = e.fused();
  for (const Eigen::Index row : {0, 2, 3})
    for (Eigen::Index i = 0; i < 66; ++i)
      ASSERT_EQ(bits(y(row, i)), bits(e.y[static_cast<std::size_t>(row * 66 + i)]));
  EXPECT_TRUE(is_nan(y(1, 5)));
}

using tensor = row_major_tensor<float, 2>;
using fixture = chains<chain_case<float, layer, shift_scale_gelu>>;

TEST(chains_of_layer_norm, larger_than_the_cache_have_the_same_bits) {
  const Eigen::Index size = 1023;
  const Eigen::Index rows =
      static_cast<Eigen::Index>(tn::kernel::past_cache_bytes / sizeof(float)) / size + 2;
  const fixture::example<tensor> few(tensor(101, size), 1, 1030);
  tensor x(rows, size), y(rows, size);
  for (Eigen::Index row = 0; row < rows; ++row) std::copy_n(&few.x(row % 101, 0), size, &x(row, 0));
  y = few.fused_of(x);
  x = few.fused_of(x);
  for (Eigen::Index row = 0; row < rows; ++row) {
    const float* const expected = &few.y[static_cast<std::size_t>(row % 101 * size)];
    ASSERT_EQ(std::memcmp(&y(row, 0), expected, size * sizeof(float)), 0) << row;
    ASSERT_EQ(std::memcmp(&x(row, 0), expected, size * sizeof(float)), 0) << row << " in place";
  }
}

TEST(chains_of_layer_norm, take_parameters_of_every_layout) {
  using tensor4 = row_major_tensor<float, 4>;
  const fixture::example<tensor4> e(tensor4(2, 5, 7, 3), tn::axis_range(1, 2), 1040);
  const auto expect = [&](const auto& gamma, const auto& beta) {
    const tensor4 y = shift_scale_gelu::of(e.norm(), gamma, beta);
    EXPECT_TRUE(same_bits(elements_of(y), e.y));
  };
  const auto gamma = elements_of(e.gamma), beta = elements_of(e.beta);
  using row2 = row_major_tensor<float, 2>;
  using col2 = col_major_tensor<float, 2>;
  const row2 row_gamma = tensor_of<row2>({5, 7}, gamma), row_beta = tensor_of<row2>({5, 7}, beta);
  const col2 col_gamma = tensor_of<col2>({5, 7}, gamma), col_beta = tensor_of<col2>({5, 7}, beta);
  expect(e.gamma, e.beta);
  expect(row_gamma, row_beta);
  expect(col_gamma, col_beta);
  expect(row_gamma, col_beta);
  expect(e.gamma * 1.f, row_beta * 1.f);
  const Eigen::Map<const Eigen::VectorXf> gamma_vector(gamma.data(), 35), beta_vector(beta.data(), 35);
  expect(gamma_vector, beta_vector);
}

TEST(chains_of_layer_norm, take_the_weight_of_the_norm_or_none) {
  const fixture::example<tensor> e(tensor(5, 65), 1, 1050);
  const tensor plain = tn::layer_norm(e.x);
  const tensor y = shift_scale_gelu::of(tn::layer_norm(e.x), e.gamma, e.beta);
  parameters<float> p{elements_of(e.gamma), elements_of(e.beta), rows_over_axes({5, 65}, 1, 1).parameter};
  EXPECT_TRUE(same_bits(elements_of(y), shift_scale_gelu::by_steps(elements_of(plain), p)));
}

TEST(chains_of_layer_norm, save_the_statistics_of_the_norm) {
  const fixture::example<tensor> e(tensor(5, 65), 1, 1060);
  tn::statistics<float> fused, plain;
  tensor y = shift_scale_gelu::of(tn::layer_norm(e.x, e.weight, e.bias, {.save = &fused}), e.gamma, e.beta);
  y = tn::layer_norm(e.x, e.weight, e.bias, {.save = &plain});
  EXPECT_TRUE(same_bits(elements_of(fused.rstd), elements_of(plain.rstd)));
  EXPECT_TRUE(same_bits(elements_of(fused.mean), elements_of(plain.mean)));
}

TEST(chains_of_matrices, have_the_same_bits_whatever_the_strides) {
  const fixture::example<tensor> e(tensor(9, 65), 1, 1070);
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> rows(
      e.x.data(), 9, 65),
      expected(e.y.data(), 9, 65);
  const Eigen::Map<const Eigen::VectorXf> gamma(e.gamma.data(), 65), beta(e.beta.data(), 65),
      weight(e.weight.data(), 65), bias(e.bias.data(), 65);
  const Eigen::MatrixXf of_rows = shift_scale_gelu::of(tn::layer_norm(rows, weight, bias), gamma, beta);
  EXPECT_TRUE((of_rows.array() == expected.array()).all());
  Eigen::MatrixXf wide = Eigen::MatrixXf::Constant(11, 70, -1), x = rows;
  wide.block(1, 2, 9, 65) = shift_scale_gelu::of(tn::layer_norm(x, weight, bias), gamma, beta);
  EXPECT_TRUE((wide.block(1, 2, 9, 65).array() == expected.array()).all());
  EXPECT_EQ((wide.array() == -1).count(), 11 * 70 - 9 * 65);
}

/// A whole chain around a residual, as a block of a network has it.
TEST(chains_around_a_residual, write_the_sum_and_have_the_bits_of_the_steps) {
  const auto try_it = [](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    const chains<chain_case<float, layer, shift_scale_gelu>>::example<Tensor> e(like, axes, 1080);
    const Tensor skip = e.x * 0.25f;
    const Tensor sum = e.x + skip, plain = layer::of(sum, e.weight, e.bias, axes);
    const parameters<float> p{elements_of(e.gamma), elements_of(e.beta),
                              rows_over_axes(extents_of(like), 1, 1).parameter};
    const auto expected = scaled(each(silu_of(), elements_of(plain)), p);
    Tensor s = filled_with_nan(like), y = filled_with_nan(like);
    y = tn::layer_scale(
        tn::silu(tn::layer_norm(tn::residual(e.x, skip, s), e.weight, e.bias, {.axes = axes})), e.gamma);
    EXPECT_TRUE(same_bits(elements_of(s), elements_of(sum)));
    EXPECT_TRUE(same_bits(elements_of(y), expected));
    Tensor x = e.x, added = skip;
    x = tn::layer_scale(
        tn::silu(tn::layer_norm(tn::residual(x, added, added), e.weight, e.bias, {.axes = axes})), e.gamma);
    EXPECT_TRUE(same_bits(elements_of(added), elements_of(sum))) << "in place";
    EXPECT_TRUE(same_bits(elements_of(x), expected)) << "in place";
  };
  for (const Eigen::Index size : {3, 16, 64, 65, 130, 1025}) {
    try_it(row_major_tensor<float, 2>(7, size), 1);
    try_it(col_major_tensor<float, 2>(37, size), 1);
    try_it(row_major_tensor<float, 3>(2, size, 35), 1);
  }
}

struct chain_errors : testing::Test {
  tensor x = normal_tensor<tensor>({4, 6}, 1090), y = tensor(4, 6);
  chain_errors() { y.setConstant(42); }

  template <class Call>
  void expect(std::initializer_list<const char*> words, const Call& call) {
    try {
      call();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::invalid_argument& error) {
      for (const char* const word : words) EXPECT_THAT(error.what(), testing::HasSubstr(word));
    }
    for (const float value : elements_of(y)) ASSERT_EQ(value, 42);
  }
  static vector<float> ones(Eigen::Index count) { return vector<float>(count).setConstant(1); }
};

TEST_F(chain_errors, name_both_sizes_where_gamma_or_beta_does_not_fit) {
  const auto norm = [&] { return tn::layer_norm(x); };
  expect({"5", "6"}, [&] { y = shift_scale_gelu::of(norm(), ones(5), ones(6)); });
  expect({"7", "6"}, [&] { y = shift_scale_gelu::of(norm(), ones(6), ones(7)); });
  expect({"1", "6"}, [&] { y = shift_scale_gelu::of(norm(), ones(6), ones(1)); });
  expect({"4", "6"}, [&] { y = shift_scale_gelu::of(tn::group_norm(x, 2), ones(4), ones(6)); });
}

TEST_F(chain_errors, come_where_y_overlaps_x_in_part_or_a_parameter) {
  std::vector<float> memory(100, 42.f);
  Eigen::TensorMap<tensor> from(memory.data(), 4, 6), to(memory.data() + 7, 4, 6),
      apart(memory.data() + 60, 4, 6);
  const Eigen::TensorMap<vector<float>> gamma(memory.data() + 30, 6), beta(memory.data() + 83, 6);
  expect({"overlaps"}, [&] { to = shift_scale_gelu::of(tn::layer_norm(from), ones(6), ones(6)); });
  expect({"overlaps"}, [&] { to = shift_scale_gelu::of(tn::layer_norm(x), gamma, ones(6)); });
  expect({"overlaps"}, [&] { apart = shift_scale_gelu::of(tn::layer_norm(x), ones(6), beta); });
  for (const float value : memory) ASSERT_EQ(value, 42);
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
