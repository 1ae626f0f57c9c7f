// A residual before a norm: s = x · alpha + skip, y = norm(s). s has the bits of one fused multiply-add for
// each element, and y those of the norm of s, whatever the layout, the device and what shares memory.
#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "../support/data.hpp"
#include "../support/memory.hpp"
#include "fused.hpp"

namespace tensornorm_test {
namespace {

/// x · alpha + skip, rounded once from the type it is computed in.
template <class Tensor>
Tensor sum_of(const Tensor& x, const Tensor& skip, double alpha) {
  using T = typename Tensor::Scalar;
  using wide = tn::accumulator_t<T>;
  Tensor s(x.dimensions());
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    const wide exact = multiply_add(static_cast<wide>(x.data()[i]), static_cast<wide>(alpha),
                                    static_cast<wide>(skip.data()[i]), has_fma());
    s.data()[i] = static_cast<T>(exact);
  }
  return s;
}

/// A call: its arguments, and what it has to give.
template <class Norm, class Tensor>
struct example {
  using T = typename Tensor::Scalar;

  example(const Tensor& like, tn::axis_range over, double factor, const data_kind& kind, std::uint32_t seed)
      : axes(over),
        alpha(factor),
        x(tensor_of<Tensor>(dimensions_of(like), make<T>(kind, count(like), 97, seed))),
        skip(normal_tensor<Tensor>(dimensions_of(like), seed + 1, 0.25, 2)),
        weight(normal_tensor<vector<T>>({parameters_of<Norm>(like, axes)}, seed + 2, 1, 0.5)),
        bias(normal_tensor<vector<T>>({parameters_of<Norm>(like, axes)}, seed + 3)),
        sum(sum_of(x, skip, alpha)),
        y(Norm::of(sum, weight, bias, axes)) {}

  static indices_of<Tensor> dimensions_of(const Tensor& t) {
    indices_of<Tensor> size{};
    std::ranges::copy(extents_of(t), size.begin());
    return size;
  }
  static std::size_t count(const Tensor& t) { return static_cast<std::size_t>(t.size()); }

  auto fused(const auto& from, const auto& added, auto& s) const {
    return Norm::of(tn::residual(from, added, s, static_cast<tn::accumulator_t<T>>(alpha)), weight, bias,
                    axes);
  }
  void expect(const auto& s, const auto& result) const {
    EXPECT_TRUE(same_bits(elements_of(s), elements_of(sum))) << "s, alpha " << alpha;
    EXPECT_TRUE(same_bits(elements_of(result), elements_of(y))) << "y, alpha " << alpha;
  }

  tn::axis_range axes;
  double alpha;
  Tensor x, skip;
  vector<T> weight, bias;
  Tensor sum, y;
};

template <class Case>
struct residuals : testing::Test {};
using cases =
    testing::Types<std::pair<float, rms>, std::pair<float, simple>, std::pair<float, layer>,
                   std::pair<float, group>, std::pair<Eigen::half, rms>, std::pair<Eigen::bfloat16, layer>>;
struct case_names {
  template <class Case>
  static std::string GetName(int) {
    using Norm = typename Case::second_type;
    const char* const name = std::is_same_v<Norm, rms>      ? "rms"
                             : std::is_same_v<Norm, simple> ? "simple"
                             : std::is_same_v<Norm, layer>  ? "layer"
                                                            : "group";
    return scalar_names::GetName<typename Case::first_type>(0) + "_" + name;
  }
};
TYPED_TEST_SUITE(residuals, cases, case_names);

TYPED_TEST(residuals, have_the_bits_of_the_sum_and_of_the_norm_of_the_sum_in_every_layout) {
  using T = typename TypeParam::first_type;
  using Norm = typename TypeParam::second_type;
  std::uint32_t seed = 500;
  for_each_layout<Norm, T>([&](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    const double alphas[] = {1, -0.625, 0.1f, 0};
    const example<Norm, Tensor> e(like, axes, alphas[seed % 4], everyday_data[seed / 4 % 4], seed);
    ++seed;
    const Tensor x = e.x, skip = e.skip;
    Tensor s = filled_with_nan(like), y = filled_with_nan(like);
    y = e.fused(x, skip, s);
    e.expect(s, y);
    EXPECT_TRUE(same_bits(elements_of(x), elements_of(e.x)));
    EXPECT_TRUE(same_bits(elements_of(skip), elements_of(e.skip)));
  });
}

TYPED_TEST(residuals, are_plain_sums_without_an_alpha_and_weights_may_be_absent) {
  using T = typename TypeParam::first_type;
  using Norm = typename TypeParam::second_type;
  for_each_layout<Norm, T>([&](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    const example<Norm, Tensor> e(like, axes, 1, everyday_data[0], 540);
    Tensor s = filled_with_nan(like), y = filled_with_nan(like);
    y = Norm::of(tn::residual(e.x, e.skip, s), tn::none, tn::none, axes);
    EXPECT_TRUE(same_bits(elements_of(s), elements_of(e.sum)));
    const Tensor plain = Norm::of(e.sum, tn::none, tn::none, axes);
    EXPECT_TRUE(same_bits(elements_of(y), elements_of(plain)));
  });
}

TYPED_TEST(residuals, may_overwrite_x_and_skip) {
  using T = typename TypeParam::first_type;
  using Norm = typename TypeParam::second_type;
  for_each_layout<Norm, T>([&](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    const example<Norm, Tensor> e(like, axes, -0.625, everyday_data[0], 550);
    enum class place { apart, x, skip };
    for (const place s_at : {place::apart, place::x, place::skip})
      for (const place y_at : {place::apart, place::x, place::skip}) {
        if (s_at == y_at && s_at != place::apart) continue;
        SCOPED_TRACE(testing::Message() << "s at " << int(s_at) << ", y at " << int(y_at));
        Tensor x = e.x, skip = e.skip, more_s = filled_with_nan(like), more_y = filled_with_nan(like);
        Tensor& s = s_at == place::x ? x : s_at == place::skip ? skip : more_s;
        Tensor& y = y_at == place::x ? x : y_at == place::skip ? skip : more_y;
        const T* const memory = y.data();
        y = e.fused(x, skip, s);
        EXPECT_EQ(y.data(), memory);
        e.expect(s, y);
      }
  });
}

TYPED_TEST(residuals, have_the_same_bits_on_any_number_of_threads) {
  using T = typename TypeParam::first_type;
  using Norm = typename TypeParam::second_type;
  const auto try_it = [](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    const example<Norm, Tensor> e(like, axes, 0.1f, everyday_data[0], 560);
    for (const int threads : {1, 2, 3, 7}) {
      Eigen::ThreadPool pool(threads);
      const Eigen::ThreadPoolDevice device(&pool, threads);
      Tensor s = filled_with_nan(like), y = filled_with_nan(like);
      y.device(device) = e.fused(e.x, e.skip, s);
      e.expect(s, y);
      Tensor x = e.x, skip = e.skip;
      x.device(device) = e.fused(x, skip, skip);
      e.expect(skip, x);
    }
  };
  for_each_layout<Norm, T>(try_it);
  if constexpr (std::is_same_v<Norm, group>) {
    try_it(row_major_tensor<T, 3>(3, 64, 331), 1);
  } else {
    try_it(row_major_tensor<T, 2>(1031, 130), -1);
    try_it(row_major_tensor<T, 3>(3, 96, 331), 1);
  }
}

TYPED_TEST(residuals, whose_squares_overflow_or_vanish_have_the_bits_of_the_norm_of_the_sum) {
  using T = typename TypeParam::first_type;
  using Norm = typename TypeParam::second_type;
  if constexpr (!is_16_bit<T>) {
    for (const double magnitude : {1e30, 1e-30}) {
      const auto try_it = [&](const auto& like, tn::axis_range axes) {
        SCOPED_TRACE(shape_name(like, axes));
        using Tensor = std::remove_cvref_t<decltype(like)>;
        example<Norm, Tensor> e(like, axes, 0.5, everyday_data[0], 570);
        // Every other number of x, so that some rows are large and most columns are both.
        for (Eigen::Index i = 0; i < e.x.size() / 2; ++i) {
          e.x.data()[i] *= T(magnitude);
          e.skip.data()[i] *= T(magnitude);
        }
        e.sum = sum_of(e.x, e.skip, 0.5);
        e.y = Norm::of(e.sum, e.weight, e.bias, axes);
        Tensor s = filled_with_nan(like), y = filled_with_nan(like);
        y = e.fused(e.x, e.skip, s);
        e.expect(s, y);
        Tensor x = e.x, skip = e.skip;
        x = e.fused(x, skip, skip);
        e.expect(skip, x);
      };
      try_it(row_major_tensor<T, 2>(6, 130), -1);
      try_it(row_major_tensor<T, 2>(17, 16), -1);
      try_it(row_major_tensor<T, 3>(2, 130, 35), 1);
    }
  }
}

TYPED_TEST(residuals, keep_nan_and_infinity_in_their_rows) {
  using T = typename TypeParam::first_type;
  using Norm = typename TypeParam::second_type;
  using Tensor = row_major_tensor<T, 2>;
  for (const Eigen::Index size : {6, 130})
    for (const double stranger : {std::nan(""), HUGE_VAL}) {
      const example<Norm, Tensor> clean(Tensor(5, size), 1, 1, everyday_data[0], 580);
      Tensor x = clean.x, skip = clean.skip, s = filled_with_nan(x), y = filled_with_nan(x);
      x(1, 3) = narrow<T>(stranger);
      skip(3, 0) = narrow<T>(stranger);
      y = clean.fused(x, skip, s);
      for (const Eigen::Index row : {0, 2, 4})
        for (Eigen::Index i = 0; i < size; ++i) {
          ASSERT_EQ(bits(s(row, i)), bits(clean.sum(row, i)));
          ASSERT_EQ(bits(y(row, i)), bits(clean.y(row, i)));
        }
      EXPECT_FALSE(std::isfinite(static_cast<float>(s(1, 3))));
      EXPECT_TRUE(is_nan(y(1, 3)));
      EXPECT_TRUE(is_nan(y(3, 0)));
    }
}

TYPED_TEST(residuals, of_no_rows_write_nothing) {
  using T = typename TypeParam::first_type;
  using Norm = typename TypeParam::second_type;
  using Tensor = row_major_tensor<T, 2>;
  const Tensor x(0, 6), skip(0, 6);
  Tensor s(0, 6);
  const Tensor y = Norm::of(tn::residual(x, skip, s), tn::none, tn::none, 1);
  EXPECT_EQ(y.dimension(0), 0);
  EXPECT_EQ(y.dimension(1), 6);
}

using tensor = row_major_tensor<float, 2>;

TEST(residuals_of_tensors, read_and_write_nothing_beside_them_at_any_alignment) {
  for (const Eigen::Index size : {1, 3, 15, 16, 17, 64, 67, 130, 1025})
    for (const guard side : {guard::after, guard::before}) {
      const example<layer, tensor> e(tensor(3, size), -1, 0.1f, everyday_data[0], 590);
      const auto count = static_cast<std::size_t>(3 * size);
      guarded_buffer<float> x(count, side, elements_of(e.x)), skip(count, side, elements_of(e.skip)),
          s(count, side), y(count, side);
      const Eigen::TensorMap<const tensor> x_map(x.data(), 3, size), skip_map(skip.data(), 3, size);
      Eigen::TensorMap<tensor> s_map(s.data(), 3, size), y_map(y.data(), 3, size);
      y_map = e.fused(x_map, skip_map, s_map);
      e.expect(s_map, y_map);
    }
  const example<layer, tensor> e(tensor(3, 130), -1, 0.1f, everyday_data[0], 591);
  for (std::size_t offset = 0; offset < 16; ++offset)
    for (const int moved : {0, 1, 2, 3}) {
      const auto at = [&](int which) { return which == moved ? offset : 0; };
      canary_buffer<float> x(elements_of(e.x), at(0)), skip(elements_of(e.skip), at(1)), s(390, at(2)),
          y(390, at(3));
      const Eigen::TensorMap<const tensor> x_map(x.data(), 3, 130), skip_map(skip.data(), 3, 130);
      Eigen::TensorMap<tensor> s_map(s.data(), 3, 130), y_map(y.data(), 3, 130);
      y_map = e.fused(x_map, skip_map, s_map);
      e.expect(s_map, y_map);
      EXPECT_TRUE(s.intact() && y.intact()) << offset << ", " << moved;
    }
}

TEST(residuals_of_tensors, save_the_statistics_of_the_sum) {
  const example<layer, tensor> e(tensor(7, 65), -1, 0.1f, everyday_data[3], 600);
  tn::statistics<float> fused, plain;
  tensor s(7, 65);
  const tensor y = tn::layer_norm(tn::residual(e.x, e.skip, s, 0.1f), e.weight, e.bias, {.save = &fused});
  const tensor of_sum = tn::layer_norm(e.sum, e.weight, e.bias, {.save = &plain});
  EXPECT_TRUE(same_bits(elements_of(fused.rstd), elements_of(plain.rstd)));
  EXPECT_TRUE(same_bits(elements_of(fused.mean), elements_of(plain.mean)));
  EXPECT_TRUE(same_bits(elements_of(fused.mean_residual), elements_of(plain.mean_residual)));
}

TEST(residuals_of_tensors, larger_than_the_cache_have_the_same_bits) {
  const auto too_many = static_cast<Eigen::Index>(tn::kernel::past_cache_bytes / sizeof(float)) + 1;
  const auto some = normal<float>(100003, 610, 0.5, 2);
  for (const Eigen::Index size : {64, 1023}) {
    const Eigen::Index rows = too_many / size + 1;
    tensor x(rows, size), skip(rows, size);
    for (Eigen::Index i = 0; i < x.size(); ++i) {
      x.data()[i] = some[static_cast<std::size_t>(i) % some.size()];
      skip.data()[i] = some[static_cast<std::size_t>(i + 50000) % some.size()];
    }
    x(rows - 2, 5) = 1e30f;
    const tensor sum = sum_of(x, skip, 0.5);
    const tensor expected = tn::rms_norm(sum);
    tensor s = filled_with_nan(x), y = filled_with_nan(x);
    y = tn::rms_norm(tn::residual(x, skip, s, 0.5f));
    EXPECT_EQ(std::memcmp(s.data(), sum.data(), static_cast<std::size_t>(s.size()) * sizeof(float)), 0)
        << size;
    EXPECT_EQ(std::memcmp(y.data(), expected.data(), static_cast<std::size_t>(y.size()) * sizeof(float)), 0)
        << size;
    x = tn::rms_norm(tn::residual(x, skip, skip, 0.5f));
    EXPECT_EQ(std::memcmp(skip.data(), sum.data(), static_cast<std::size_t>(s.size()) * sizeof(float)), 0)
        << size;
    EXPECT_EQ(std::memcmp(x.data(), expected.data(), static_cast<std::size_t>(y.size()) * sizeof(float)), 0)
        << size;
  }
}

template <class Matrix>
void expect_of_matrices_with_strides() {
  using map = Eigen::Map<Matrix, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
  constexpr Eigen::Index rows = 9, cols = 67;
  const Eigen::Index outer = Matrix::IsRowMajor ? cols : rows;
  const Matrix x = normal_matrix<Matrix>(rows, cols, 620), skip = normal_matrix<Matrix>(rows, cols, 621);
  const Eigen::VectorXf weight = normal_matrix<Eigen::VectorXf>(cols, 1, 622);
  Matrix sum = x;
  for (Eigen::Index i = 0; i < sum.size(); ++i)
    sum.data()[i] = multiply_add(x.data()[i], 0.1f, skip.data()[i], has_fma());
  const Matrix expected = tn::layer_norm(sum, weight, weight);
  for (const Eigen::Index step : {1, 2, 3}) {
    std::vector<float> memory[4];
    const auto lay = [&](int which) {
      const Eigen::Index outer_step = (outer + which) * step;
      memory[which].assign(static_cast<std::size_t>(outer_step * (rows + cols)), -7.f);
      return map(memory[which].data(), rows, cols, {outer_step, step});
    };
    map x_map = lay(0), skip_map = lay(1), s_map = lay(2), y_map = lay(3);
    x_map = x;
    skip_map = skip;
    const auto untouched = [&](int which) { return std::ranges::count(memory[which], -7.f); };
    const auto s_gaps = untouched(2), y_gaps = untouched(3);
    y_map = tn::layer_norm(tn::residual(x_map, skip_map, s_map, 0.1f), weight, weight);
    EXPECT_TRUE((s_map.array() == sum.array()).all()) << step;
    EXPECT_TRUE((y_map.array() == expected.array()).all()) << step;
    EXPECT_EQ(untouched(2), s_gaps - rows * cols);
    EXPECT_EQ(untouched(3), y_gaps - rows * cols);
  }
  Matrix y, s(rows, cols);
  y = tn::layer_norm(tn::residual(x, skip, s, 0.1f), weight, weight);
  EXPECT_TRUE((s.array() == sum.array()).all());
  EXPECT_TRUE((y.array() == expected.array()).all());
  Matrix in_place = x, added = skip;
  in_place = tn::layer_norm(tn::residual(in_place, added, added, 0.1f), weight, weight);
  EXPECT_TRUE((added.array() == sum.array()).all());
  EXPECT_TRUE((in_place.array() == expected.array()).all());
}

TEST(residuals_of_matrices, have_the_bits_of_the_sum_and_of_its_norm_whatever_the_strides) {
  expect_of_matrices_with_strides<Eigen::MatrixXf>();
  expect_of_matrices_with_strides<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>();
}

TEST(residuals_of_matrices, may_be_vectors) {
  const Eigen::VectorXf x = normal_matrix<Eigen::VectorXf>(65, 1, 630),
                        skip = normal_matrix<Eigen::VectorXf>(65, 1, 631);
  const Eigen::VectorXf sum = x + skip;
  Eigen::VectorXf s(65);
  const Eigen::VectorXf y = tn::rms_norm(tn::residual(x, skip, s)), expected = tn::rms_norm(sum);
  EXPECT_TRUE((s.array() == sum.array()).all());
  EXPECT_TRUE((y.array() == expected.array()).all());
}

/// Four arrays in one buffer, so that maps can be laid over one another; and what a call must not touch.
struct residual_errors : testing::Test {
  static constexpr Eigen::Index rows = 4, size = 6;
  std::vector<float> memory = normal<float>(200, 640);
  const std::vector<float> before = memory;

  Eigen::TensorMap<tensor> map(std::size_t offset) { return {memory.data() + offset, rows, size}; }

  /// The call throws, its text holds the words, and nothing was written.
  template <class Call>
  void expect(std::initializer_list<const char*> words, const Call& call) {
    try {
      call();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::invalid_argument& error) {
      for (const char* const word : words) EXPECT_THAT(error.what(), testing::HasSubstr(word));
    }
    EXPECT_TRUE(same_bits(memory, before));
    memory = before;
  }
};

TEST_F(residual_errors, name_both_sizes_where_skip_or_s_has_another_shape) {
  auto x = map(0), y = map(150);
  Eigen::TensorMap<tensor> turned(&memory[30], size, rows), shorter(&memory[30], rows - 1, size);
  auto s = map(90);
  expect({"rms_norm", "6x4", "4x6"}, [&] { y = tn::rms_norm(tn::residual(x, turned, s)); });
  expect({"layer_norm", "3x6", "4x6"}, [&] { y = tn::layer_norm(tn::residual(x, shorter, s)); });
  Eigen::TensorMap<tensor> turned_s(&memory[90], size, rows), longer_s(&memory[90], rows + 1, size);
  auto skip = map(30);
  expect({"simple_norm", "6x4", "4x6"}, [&] { y = tn::simple_norm(tn::residual(x, skip, turned_s)); });
  expect({"group_norm", "5x6", "4x6"}, [&] { y = tn::group_norm(tn::residual(x, skip, longer_s), 2); });
  tensor empty;
  expect({"rms_norm", "0x0", "4x6"}, [&] { y = tn::rms_norm(tn::residual(x, skip, empty)); });
  EXPECT_EQ(empty.size(), 0);
}

TEST_F(residual_errors, name_both_where_s_overlaps_x_or_skip_in_part) {
  for (const std::size_t offset : {1u, 6u, 23u}) {
    auto x = map(50), y = map(150), s = map(50 + offset), lower = map(50 - offset), apart = map(100);
    expect({"rms_norm", "overlaps"}, [&] { y = tn::rms_norm(tn::residual(x, apart, s)); });
    expect({"rms_norm", "overlaps"}, [&] { y = tn::rms_norm(tn::residual(x, apart, lower)); });
    expect({"rms_norm", "overlaps"}, [&] { y = tn::rms_norm(tn::residual(apart, x, s)); });
    expect({"rms_norm", "overlaps"}, [&] { y = tn::rms_norm(tn::residual(apart, x, lower)); });
  }
}

TEST_F(residual_errors, name_both_where_y_overlaps_x_or_skip_in_part) {
  for (const std::size_t offset : {1u, 6u, 23u}) {
    auto x = map(50), s = map(150), y = map(50 + offset), lower = map(50 - offset), apart = map(100);
    expect({"layer_norm", "overlaps"}, [&] { y = tn::layer_norm(tn::residual(x, apart, s)); });
    expect({"layer_norm", "overlaps"}, [&] { lower = tn::layer_norm(tn::residual(x, apart, s)); });
    expect({"layer_norm", "overlaps"}, [&] { y = tn::layer_norm(tn::residual(apart, x, s)); });
    expect({"layer_norm", "overlaps"}, [&] { lower = tn::layer_norm(tn::residual(apart, x, s)); });
  }
}

TEST_F(residual_errors, refuse_a_y_that_is_s_or_overlaps_it) {
  auto x = map(0), skip = map(30), s = map(100);
  for (const std::size_t offset : {0u, 1u, 23u}) {
    auto y = map(100 + offset);
    expect({"rms_norm", "overlaps"}, [&] { y = tn::rms_norm(tn::residual(x, skip, s)); });
  }
  expect({"rms_norm", "overlaps"}, [&] { x = tn::rms_norm(tn::residual(x, skip, x)); });
  expect({"rms_norm", "overlaps"}, [&] { skip = tn::rms_norm(tn::residual(x, skip, skip)); });
}

TEST_F(residual_errors, refuse_an_s_that_overlaps_a_parameter) {
  auto x = map(0), skip = map(30), s = map(100), y = map(150);
  const Eigen::TensorMap<vector<float>> weight(&memory[120], size), bias(&memory[95], size),
      apart(&memory[60], size);
  expect({"rms_norm", "overlaps", "weight"}, [&] { y = tn::rms_norm(tn::residual(x, skip, s), weight); });
  expect({"layer_norm", "overlaps", "bias"},
         [&] { y = tn::layer_norm(tn::residual(x, skip, s), apart, bias); });
}

TEST_F(residual_errors, of_the_norm_itself_come_before_s_is_written) {
  auto x = map(0), skip = map(30), s = map(100), y = map(150);
  expect({"rms_norm", "eps"}, [&] { y = tn::rms_norm(tn::residual(x, skip, s), {.eps = -1}); });
  expect({"layer_norm", "weight"},
         [&] { y = tn::layer_norm(tn::residual(x, skip, s), vector<float>(5).setConstant(1)); });
  expect({"rms_norm", "axes"}, [&] { y = tn::rms_norm(tn::residual(x, skip, s), {.axes = 2}); });
}

}  // namespace
}  // namespace tensornorm_test
