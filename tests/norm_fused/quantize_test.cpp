// A norm quantized to int8: a scale for each row, max|y| / 127, and y / scale rounded to nearest, ties to
// even.
#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "../support/data.hpp"
#include "../support/memory.hpp"
#include "fused.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

/// What a row of numbers becomes, from the definition.
template <class C>
struct quantized_row {
  C scale = 0;
  std::vector<int> q;
};

template <class C>
quantized_row<C> quantize_row(const std::vector<C>& y) {
  quantized_row<C> row;
  C peak = 0;
  for (const C value : y)
    if (!std::isnan(peak) && !(std::abs(value) <= peak)) peak = std::abs(value);
  row.scale = peak / 127;
  const bool empty = !(row.scale > 0) || !std::isfinite(row.scale);
  for (const C value : y) row.q.push_back(empty ? 0 : static_cast<int>(std::nearbyint(value / row.scale)));
  return row;
}

/// The elements of every row of a tensor, in the storage order of the rows.
template <class Tensor>
std::vector<std::vector<std::size_t>> rows_in_storage(const Tensor& x, std::size_t first, std::size_t last) {
  const row_map map = rows_over_axes(extents_of(x), first, last);
  // Rows by the place in memory of their first element.
  std::vector<std::pair<std::ptrdiff_t, std::vector<std::size_t>>> rows(map.rows);
  Tensor copy = x;
  for_each_element(copy, [&](std::size_t element, const auto& value) {
    auto& row = rows[map.row[element]];
    const std::ptrdiff_t at = &value - copy.data();
    row.first = row.second.empty() ? at : std::min(row.first, at);
    row.second.push_back(element);
  });
  std::ranges::sort(rows, {}, &std::pair<std::ptrdiff_t, std::vector<std::size_t>>::first);
  std::vector<std::vector<std::size_t>> elements;
  for (auto& row : rows) elements.push_back(std::move(row.second));
  return elements;
}

template <class Tensor>
using quantized_of = Eigen::Tensor<signed char, Tensor::NumDimensions, Tensor::Layout>;

/// q and the scales are those of the numbers y, in logical order.
template <class Tensor, class C>
void expect_quantized(const quantized_of<Tensor>& q, const vector<C>& scales, const Tensor& like,
                      tn::axis_range axes, const std::vector<C>& y) {
  const int rank = Tensor::NumDimensions;
  const auto first = static_cast<std::size_t>((axes.first + rank) % rank),
             last = static_cast<std::size_t>((axes.last + rank) % rank);
  const auto rows = rows_in_storage(like, first, last);
  const auto numbers = elements_of(q);
  ASSERT_EQ(static_cast<std::size_t>(scales.size()), rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::vector<C> values;
    for (const std::size_t element : rows[row]) values.push_back(y[element]);
    const auto expected = quantize_row(values);
    const C scale = scales(static_cast<Eigen::Index>(row));
    if (std::isnan(expected.scale))
      ASSERT_TRUE(std::isnan(scale)) << "row " << row;
    else
      ASSERT_EQ(bits(scale), bits(expected.scale)) << "row " << row << ": " << scale;
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(int(numbers[rows[row][i]]), expected.q[i])
          << "row " << row << ", " << values[i] << " / " << scale;
  }
}

/// The norm in the type it is computed in. Sums depend on the length of a row alone, so these are its bits.
template <class Norm, class Tensor>
auto wide_norm(const Tensor& x, const vector<typename Tensor::Scalar>& weight, tn::axis_range axes) {
  using C = tn::accumulator_t<typename Tensor::Scalar>;
  Eigen::Tensor<C, Tensor::NumDimensions, Tensor::Layout> y = x.template cast<C>();
  const vector<C> wide = weight.template cast<C>();
  y = Norm::of(y, wide, tn::none, axes);
  return elements_of(y);
}

template <class Case>
struct quantized : testing::Test {};
using cases = testing::Types<std::pair<float, rms>, std::pair<Eigen::half, rms>, std::pair<double, simple>>;
struct case_names {
  template <class Case>
  static std::string GetName(int) {
    return scalar_names::GetName<typename Case::first_type>(0);
  }
};
TYPED_TEST_SUITE(quantized, cases, case_names);

TYPED_TEST(quantized, rows_have_the_scale_of_their_largest_number_and_are_rounded_to_even_in_every_layout) {
  using T = typename TypeParam::first_type;
  using C = tn::accumulator_t<T>;
  using Norm = typename TypeParam::second_type;
  std::uint32_t seed = 1100;
  for_each_layout<Norm, T>([&](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    indices_of<Tensor> size{};
    std::ranges::copy(extents_of(like), size.begin());
    const auto x = normal_tensor<Tensor>(size, ++seed, 0.5, 2);
    const auto weight = normal_tensor<vector<T>>({parameters_of<Norm>(like, axes)}, ++seed, 1, 0.5);
    const auto y = wide_norm<Norm>(x, weight, axes);
    quantized_of<Tensor> q(x.dimensions());
    q.setConstant(99);
    vector<C> scales(x.size() / weight.size());
    scales.setConstant(-1);
    tn::quantize(Norm::of(x, weight, tn::none, axes), q, scales);
    expect_quantized(q, scales, x, axes, y);
  });
}

TYPED_TEST(quantized, rows_are_the_same_on_any_number_of_threads) {
  using T = typename TypeParam::first_type;
  using C = tn::accumulator_t<T>;
  using Norm = typename TypeParam::second_type;
  const auto try_it = [](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    indices_of<Tensor> size{};
    std::ranges::copy(extents_of(like), size.begin());
    const auto x = normal_tensor<Tensor>(size, 1200, 0.5, 2);
    const auto weight = normal_tensor<vector<T>>({parameters_of<Norm>(like, axes)}, 1201, 1, 0.5);
    const auto y = wide_norm<Norm>(x, weight, axes);
    for (const int threads : {1, 2, 3, 7}) {
      Eigen::ThreadPool pool(threads);
      const Eigen::ThreadPoolDevice device(&pool, threads);
      quantized_of<Tensor> q(x.dimensions());
      vector<C> scales(x.size() / weight.size());
      tn::quantize(Norm::of(x, weight, tn::none, axes), q, scales, device);
      expect_quantized(q, scales, x, axes, y);
    }
  };
  try_it(row_major_tensor<T, 2>(515, 130), -1);
  try_it(row_major_tensor<T, 3>(3, 96, 131), 1);
  try_it(col_major_tensor<T, 3>(67, 96, 5), 1);
}

using tensor = row_major_tensor<float, 2>;
using int8_tensor = row_major_tensor<signed char, 2>;

/// Of ones with eps = 0 the norm is one, and y the weight.
TEST(quantized_rows, round_ties_to_even) {
  const std::vector<float> y = {127,   0.5f,  1.5f,    2.5f,   3.5f, -0.5f, -1.5f,  -2.5f, -3.5f,
                                62.5f, 63.5f, -125.5f, 126.5f, -127, 0.25f, -0.75f, 0,     100};
  const std::vector<int> expected = {127, 0, 2, 2, 4, 0, -2, -2, -4, 62, 64, -126, 126, -127, 0, -1, 0, 100};
  const auto size = static_cast<Eigen::Index>(y.size());
  tensor x(1, size);
  x.setConstant(1);
  for (const float scale : {1.f, 0.25f, 0x1p-20f, 0x1p30f}) {
    vector<float> weight(size), scales(1);
    for (Eigen::Index i = 0; i < size; ++i) weight(i) = y[static_cast<std::size_t>(i)] * scale;
    int8_tensor q(1, size);
    tn::quantize(tn::rms_norm(x, weight, {.eps = 0}), q, scales);
    EXPECT_EQ(scales(0), scale);
    for (Eigen::Index i = 0; i < size; ++i)
      EXPECT_EQ(q(0, i), expected[static_cast<std::size_t>(i)]) << weight(i);
  }
}

TEST(quantized_rows, of_zeros_are_zeros_with_a_scale_of_zero) {
  for (const Eigen::Index size : {3, 16, 64, 130}) {
    auto x = normal_tensor<tensor>({5, size}, 1210);
    for (Eigen::Index i = 0; i < size; ++i) x(2, i) = i % 2 ? 0.f : -0.f;
    int8_tensor q(x.dimensions());
    q.setConstant(99);
    vector<float> scales(5);
    tn::quantize(tn::rms_norm(x), q, scales);
    EXPECT_EQ(scales(2), 0);
    for (Eigen::Index i = 0; i < size; ++i) EXPECT_EQ(q(2, i), 0);
    const tensor y = tn::rms_norm(x);
    expect_quantized(q, scales, x, 1, elements_of(y));
  }
}

TEST(quantized_rows, that_are_not_finite_are_zeros_and_no_other_row_changes) {
  for (const Eigen::Index size : {3, 16, 64, 130, 1025})
    for (const float stranger : {std::nanf(""), HUGE_VALF, -HUGE_VALF})
      for (const Eigen::Index position : {Eigen::Index(0), size / 2, size - 1}) {
        auto x = normal_tensor<tensor>({5, size}, 1220);
        const tensor clean = tn::rms_norm(x);
        x(1, position) = stranger;
        int8_tensor q(x.dimensions());
        q.setConstant(99);
        vector<float> scales(5);
        tn::quantize(tn::rms_norm(x), q, scales);
        EXPECT_FALSE(std::isfinite(scales(1)) && scales(1) != 0) << stranger;
        for (Eigen::Index i = 0; i < size; ++i) EXPECT_EQ(q(1, i), 0) << stranger;
        for (const Eigen::Index row : {0, 2, 3, 4}) {
          std::vector<float> y(&clean(row, 0), &clean(row, 0) + size);
          const auto expected = quantize_row(y);
          ASSERT_EQ(bits(scales(row)), bits(expected.scale));
          for (Eigen::Index i = 0; i < size; ++i)
            ASSERT_EQ(q(row, i), expected.q[static_cast<std::size_t>(i)]);
        }
      }
}

TEST(quantized_rows, with_one_number_that_is_not_finite_are_zeros_with_a_scale_that_tells) {
  for (const Eigen::Index size : {3, 16, 64, 130, 1025})
    for (const float stranger : {std::nanf(""), HUGE_VALF, -HUGE_VALF})
      for (const Eigen::Index position : {Eigen::Index(0), size / 2, size - 1}) {
        const auto x = normal_tensor<tensor>({5, size}, 1225, 3);
        auto weight = normal_tensor<vector<float>>({size}, 1226, 1, 0.5);
        weight(position) = stranger;
        int8_tensor q(x.dimensions());
        q.setConstant(99);
        vector<float> scales(5);
        tn::quantize(tn::rms_norm(x, weight), q, scales);
        for (Eigen::Index row = 0; row < 5; ++row) {
          EXPECT_TRUE(std::isnan(stranger) ? std::isnan(scales(row)) : scales(row) == HUGE_VALF)
              << scales(row);
          for (Eigen::Index i = 0; i < size; ++i) ASSERT_EQ(q(row, i), 0) << stranger << " at " << position;
        }
      }
}

TEST(quantized_rows, reach_both_ends_and_never_minus_128) {
  const auto x = normal_tensor<tensor>({300, 130}, 1230);
  int8_tensor q(300, 130);
  vector<float> scales(300);
  tn::quantize(tn::rms_norm(x), q, scales);
  for (Eigen::Index row = 0; row < 300; ++row) {
    int peak = 0;
    for (Eigen::Index i = 0; i < 130; ++i) {
      EXPECT_GE(q(row, i), -127);
      peak = std::max(peak, std::abs(int(q(row, i))));
    }
    EXPECT_EQ(peak, 127);
  }
}

TEST(quantized_rows, are_right_where_numbers_are_tiny_or_huge) {
  for (const float factor : {1e-38f, 1e-30f, 1e30f, 1e36f}) {
    const auto x = normal_tensor<tensor>({5, 130}, 1240);
    vector<float> weight(130);
    weight.setConstant(factor);
    const tensor y = tn::rms_norm(x, weight);
    int8_tensor q(x.dimensions());
    vector<float> scales(5);
    tn::quantize(tn::rms_norm(x, weight), q, scales);
    expect_quantized(q, scales, x, 1, elements_of(y));
  }
}

TEST(quantized_rows, are_written_within_their_memory) {
  for (const Eigen::Index size : {1, 3, 15, 16, 17, 63, 64, 65, 130, 1025})
    for (const guard side : {guard::after, guard::before}) {
      const auto x = normal_tensor<tensor>({3, size}, 1250);
      const tensor y = tn::rms_norm(x);
      guarded_buffer<float> from(static_cast<std::size_t>(3 * size), side, elements_of(x));
      guarded_buffer<signed char> to(static_cast<std::size_t>(3 * size), side);
      guarded_buffer<float> scale(3, side);
      Eigen::TensorMap<int8_tensor> q(to.data(), 3, size);
      Eigen::TensorMap<vector<float>> scales(scale.data(), 3);
      tn::quantize(tn::rms_norm(Eigen::TensorMap<const tensor>(from.data(), 3, size)), q, scales);
      const int8_tensor q_copy = q;
      const vector<float> scales_copy = scales;
      expect_quantized(q_copy, scales_copy, x, 1, elements_of(y));
    }
}

TEST(quantized_rows, may_follow_a_whole_chain_around_a_residual) {
  const auto try_it = [](const auto& like, tn::axis_range axes) {
    SCOPED_TRACE(shape_name(like, axes));
    using Tensor = std::remove_cvref_t<decltype(like)>;
    indices_of<Tensor> size{};
    std::ranges::copy(extents_of(like), size.begin());
    const auto x = normal_tensor<Tensor>(size, 1260), skip = normal_tensor<Tensor>(size, 1261);
    const auto gamma = normal_tensor<vector<float>>({like.dimension(1)}, 1262, 1, 0.5);
    const Tensor sum = x + skip;
    Tensor plain = tn::layer_norm(sum, {.axes = axes});
    const auto which = rows_over_axes(extents_of(like), 1, 1).parameter;
    auto y = elements_of(plain);
    y = each(silu_of(), y);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] *= gamma(static_cast<Eigen::Index>(which[i]));
    quantized_of<Tensor> q(size);
    vector<float> scales(like.size() / like.dimension(1));
    Tensor s = filled_with_nan(like);
    tn::quantize(tn::layer_scale(tn::silu(tn::layer_norm(tn::residual(x, skip, s), {.axes = axes})), gamma),
                 q, scales);
    EXPECT_TRUE(same_bits(elements_of(s), elements_of(sum)));
    expect_quantized(q, scales, x, axes, y);
  };
  for (const Eigen::Index size : {3, 64, 65, 130, 1025}) {
    try_it(row_major_tensor<float, 2>(7, size), 1);
    try_it(row_major_tensor<float, 3>(2, size, 35), 1);
  }
}

TEST(quantized_rows, of_matrices_are_their_rows) {
  const Eigen::MatrixXf x = normal_matrix<Eigen::MatrixXf>(9, 67, 1270);
  const Eigen::MatrixXf y = tn::rms_norm(x);
  using int8_matrix = Eigen::Matrix<signed char, Eigen::Dynamic, Eigen::Dynamic>;
  int8_matrix q(9, 67);
  vector<float> scales(9);
  tn::quantize(tn::rms_norm(x), q, scales);
  for (Eigen::Index row = 0; row < 9; ++row) {
    std::vector<float> numbers;
    for (Eigen::Index i = 0; i < 67; ++i) numbers.push_back(y(row, i));
    const auto expected = quantize_row(numbers);
    EXPECT_EQ(scales(row), expected.scale);
    for (Eigen::Index i = 0; i < 67; ++i) EXPECT_EQ(q(row, i), expected.q[static_cast<std::size_t>(i)]);
  }
}

TEST(quantized_rows, larger_than_the_cache_are_the_same) {
  const Eigen::Index size = 1023, rows = static_cast<Eigen::Index>(tn::kernel::past_cache_bytes) / size + 2;
  const auto few = normal_tensor<tensor>({101, size}, 1280);
  tensor x(rows, size);
  for (Eigen::Index row = 0; row < rows; ++row) std::copy_n(&few(row % 101, 0), size, &x(row, 0));
  int8_tensor few_q(101, size), q(rows, size);
  vector<float> few_scales(101), scales(rows);
  tn::quantize(tn::rms_norm(few), few_q, few_scales);
  tn::quantize(tn::rms_norm(x), q, scales);
  for (Eigen::Index row = 0; row < rows; ++row) {
    ASSERT_EQ(bits(scales(row)), bits(few_scales(row % 101)));
    ASSERT_TRUE(std::equal(&q(row, 0), &q(row, 0) + size, &few_q(row % 101, 0))) << row;
  }
}

TEST(quantized_rows, of_no_rows_write_nothing) {
  const tensor x(0, 6);
  int8_tensor q(0, 6);
  vector<float> scales(0);
  tn::quantize(tn::rms_norm(x), q, scales);
}

struct quantize_errors : testing::Test {
  tensor x = normal_tensor<tensor>({4, 6}, 1290);

  template <class Call>
  void expect(std::initializer_list<const char*> words, const Call& call) {
    try {
      call();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::invalid_argument& error) {
      for (const char* const word : words) EXPECT_THAT(error.what(), testing::HasSubstr(word));
    }
  }
};

TEST_F(quantize_errors, name_both_sizes_and_nothing_is_written) {
  int8_tensor q(4, 6), turned(6, 4);
  q.setConstant(42);
  turned.setConstant(42);
  vector<float> scales(4), few(3);
  scales.setConstant(42);
  few.setConstant(42);
  expect({"6x4", "4x6"}, [&] { tn::quantize(tn::rms_norm(x), turned, scales); });
  expect({"3", "4"}, [&] { tn::quantize(tn::rms_norm(x), q, few); });
  for (Eigen::Index i = 0; i < 24; ++i) EXPECT_TRUE(q.data()[i] == 42 && turned.data()[i] == 42);
  for (Eigen::Index i = 0; i < 3; ++i) EXPECT_TRUE(scales(i) == 42 && few(i) == 42);
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
