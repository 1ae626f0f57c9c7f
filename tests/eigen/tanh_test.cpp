// tanh(factor · y) of norms, tensors and matrices: near the truth, once rounded, and the same bits in every
// layout, on every device and in place.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/functions.hpp"
#include "../support/memory.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

template <class T>
struct tanh_of_tensors : testing::Test {};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(tanh_of_tensors, scalars, scalar_names);

/// The factor and the product as they are computed: each rounded to the wide type.
template <class T>
real exact_tanh(T x, double factor) {
  using wide = tn::accumulator_t<T>;
  const volatile wide product = static_cast<wide>(x) * static_cast<wide>(factor);
  return std::tanh(static_cast<real>(product));
}

TYPED_TEST(tanh_of_tensors, is_within_its_bound_at_every_length_and_alignment) {
  using T = TypeParam;
  using wide = tn::accumulator_t<T>;
  using tensor = Eigen::Tensor<T, 1>;
  for (Eigen::Index size = 0; size < 140; ++size) {
    const auto x = normal<T>(static_cast<std::size_t>(size), 900 + static_cast<std::uint32_t>(size), 0, 2);
    const double factor = size % 3 == 0 ? 1 : size % 3 == 1 ? -1.75 : 0.3;
    canary_buffer<T> y(x.size(), static_cast<std::size_t>(size) % 7);
    Eigen::TensorMap<tensor>(y.data(), size) =
        tn::tanh(Eigen::TensorMap<const tensor>(x.data(), size), factor);
    EXPECT_TRUE(y.intact());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const real expected = exact_tanh(x[i], factor);
      const real in_wide = 2 * epsilon<wide>() * std::abs(expected);
      const real bound = is_16_bit<T> ? in_wide + ulp<T>(expected) / 2 : in_wide;
      ASSERT_LE(std::abs(widen(y.values()[i]) - expected), bound) << size << " numbers, " << widen(x[i]);
    }
  }
}

TYPED_TEST(tanh_of_tensors, keeps_nan_zeros_and_ones_at_infinity_in_every_lane) {
  using T = TypeParam;
  using tensor = Eigen::Tensor<T, 1>;
  const T inf = narrow<T>(HUGE_VAL);
  for (const Eigen::Index size : {1, 3, 16, 37}) {
    tensor x(size);
    for (Eigen::Index at = 0; at < size; ++at) {
      const auto tanh_with = [&](T stranger) {
        x.setConstant(narrow<T>(0.5));
        x(at) = stranger;
        const tensor y = tn::tanh(x);
        const tensor other = tn::tanh(tensor(size).setConstant(narrow<T>(0.5)));
        for (Eigen::Index i = 0; i < size; ++i) EXPECT_TRUE(i == at || bits(y(i)) == bits(other(i)));
        return y(at);
      };
      EXPECT_EQ(widen(tanh_with(inf)), 1);
      EXPECT_EQ(widen(tanh_with(-inf)), -1);
      EXPECT_TRUE(is_nan(tanh_with(quiet_nan<T>())));
      EXPECT_EQ(bits(tanh_with(narrow<T>(0.0))), bits(narrow<T>(0.0)));
      EXPECT_EQ(widen(tanh_with(narrow<T>(-0.0))), 0);
    }
  }
}

/// What follows a norm is part of it: the bits of both in the type they are computed in, rounded once.
template <class Tensor>
void expect_after_a_norm(const Tensor& x) {
  using T = typename Tensor::Scalar;
  using wide = tn::accumulator_t<T>;
  Eigen::Tensor<wide, Tensor::NumDimensions, Tensor::Layout> steps = x.template cast<wide>();
  steps = tn::layer_norm(steps, {.axes = 1});
  steps = tn::tanh(steps, 0.75);
  const Tensor expected = steps.template cast<T>();
  const Tensor at_once = tn::tanh(tn::layer_norm(x, {.axes = 1}), 0.75);
  EXPECT_TRUE(same_bits(elements_of(at_once), elements_of(expected)));
  Tensor y(x.dimensions());
  const auto* const memory = y.data();
  y = tn::tanh(tn::layer_norm(x, {.axes = 1}), 0.75);
  EXPECT_EQ(y.data(), memory);
  EXPECT_TRUE(same_bits(elements_of(y), elements_of(expected)));
  y = x;
  y = tn::tanh(tn::layer_norm(y, {.axes = 1}), 0.75);
  EXPECT_TRUE(same_bits(elements_of(y), elements_of(expected))) << "in place";
  const Tensor of_x = tn::tanh(x, 0.75);
  y = x;
  y = tn::tanh(y, 0.75);
  EXPECT_TRUE(same_bits(elements_of(y), elements_of(of_x))) << "in place, without a norm";
  for (const int threads : {1, 2, 3, 7}) {
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    Tensor on_pool(x.dimensions());
    on_pool.device(device) = tn::tanh(tn::layer_norm(x, {.axes = 1}), 0.75);
    EXPECT_TRUE(same_bits(elements_of(on_pool), elements_of(expected))) << threads << " threads";
  }
}

TYPED_TEST(tanh_of_tensors, after_a_norm_has_the_bits_of_both_steps_on_every_device_and_in_place) {
  using T = TypeParam;
  expect_after_a_norm(normal_tensor<row_major_tensor<T, 2>>({7, 65}, 911));
  expect_after_a_norm(normal_tensor<row_major_tensor<T, 3>>({3, 130, 41}, 912));
  expect_after_a_norm(normal_tensor<col_major_tensor<T, 3>>({5, 64, 33}, 913));
}

TEST(tanh_of_matrices, has_the_bits_of_tensors_whatever_the_strides) {
  using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto x = normal_tensor<row_major_tensor<float, 2>>({9, 67}, 914);
  const row_major_tensor<float, 2> y = tn::tanh(x, -1.75);
  const Eigen::Map<const row_major> x_map(x.data(), 9, 67), expected(y.data(), 9, 67);
  const row_major rows = tn::tanh(x_map, -1.75);
  EXPECT_TRUE((rows.array() == expected.array()).all());
  const Eigen::MatrixXf columns_of_x = x_map;
  const Eigen::MatrixXf columns = tn::tanh(columns_of_x, -1.75);
  EXPECT_TRUE((columns.array() == expected.array()).all());
  Eigen::MatrixXf wide = Eigen::MatrixXf::Constant(12, 70, -5);
  wide.block(1, 2, 9, 67) = tn::tanh(columns_of_x, -1.75);
  EXPECT_TRUE((wide.block(1, 2, 9, 67).array() == expected.array()).all());
  EXPECT_EQ((wide.array() == -5).count(), 12 * 70 - 9 * 67);
  wide.block(1, 2, 9, 67) = columns_of_x;
  wide.block(1, 2, 9, 67) = tn::tanh(wide.block(1, 2, 9, 67), -1.75);
  EXPECT_TRUE((wide.block(1, 2, 9, 67).array() == expected.array()).all()) << "in place";
  const Eigen::MatrixXf norm = tn::rms_norm(columns_of_x), of_norm = tn::tanh(norm);
  const row_major_tensor<float, 2> of_tensor = tn::tanh(tn::rms_norm(x));
  EXPECT_TRUE((of_norm.array() == Eigen::Map<const row_major>(of_tensor.data(), 9, 67).array()).all());
}

TEST(tanh_of_maps, does_not_touch_memory_beside_them) {
  using tensor = Eigen::Tensor<float, 1>;
  for (const Eigen::Index size : {1, 15, 16, 17, 1023, 1024, 1025, 2050})
    for (const guard side : {guard::after, guard::before}) {
      const auto values = normal<float>(static_cast<std::size_t>(size), 915);
      guarded_buffer<float> x(values.size(), side, values), y(values.size(), side);
      Eigen::TensorMap<tensor>(y.data(), size) = tn::tanh(Eigen::TensorMap<const tensor>(x.data(), size));
      EXPECT_FALSE(is_nan(y.values().back()));
    }
}

}  // namespace
}  // namespace tensornorm_test
