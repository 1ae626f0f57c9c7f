// Axes are logical: any run of them, at any rank, gives the same answer in every storage order.
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

/// The parameters of a norm over the axes first to last: one axis each, flat.
template <class T>
struct flat_parameters {
  Eigen::Tensor<T, 1> weight;
  Eigen::Tensor<T, 1> bias;

  template <class Size>
  flat_parameters(const Size& size, int first, int last) {
    Eigen::Index count = 1;
    for (int axis = first; axis <= last; ++axis) count *= size[static_cast<std::size_t>(axis)];
    weight = normal_tensor<Eigen::Tensor<T, 1>>({count}, 121, 1, 0.5);
    bias = normal_tensor<Eigen::Tensor<T, 1>>({count}, 122);
  }
};

/// One norm over the axes, in logical order.
template <class Tensor>
std::vector<typename Tensor::Scalar> over_axes(norm kind, const Tensor& x, tn::axis_range axes,
                                               const flat_parameters<typename Tensor::Scalar>& p) {
  Tensor y;
  if (kind == norm::rms)
    y = tn::rms_norm(x, p.weight, {.axes = axes});
  else if (kind == norm::simple)
    y = tn::simple_norm(x, p.weight, {.axes = axes});
  else
    y = tn::layer_norm(x, p.weight, p.bias, {.axes = axes});
  return elements_of(y);
}

/// Every run of axes, counted from the front and from the back, in both storage orders.
template <class T, int Rank>
void expect_every_run_of_axes(const std::array<Eigen::Index, Rank>& size) {
  const auto row_major = normal_tensor<row_major_tensor<T, Rank>>(size, 123, 0.5, 2);
  const auto col_major = normal_tensor<col_major_tensor<T, Rank>>(size, 123, 0.5, 2);
  for (int first = 0; first < Rank; ++first)
    for (int last = first; last < Rank; ++last)
      for (const formula& f :
           {formula{norm::rms, 1e-6, 0}, {norm::simple, 1e-6, 0}, {norm::layer, 1e-5, 0}}) {
        SCOPED_TRACE(testing::Message() << name_of(f.kind) << " over {" << first << ", " << last << "} of "
                                        << testing::PrintToString(size));
        const flat_parameters<T> p(size, first, last);
        const auto map = rows_over_axes(extents(size.begin(), size.end()), static_cast<std::size_t>(first),
                                        static_cast<std::size_t>(last));
        const auto bias = f.kind == norm::layer ? widen(elements_of(p.bias)) : std::vector<real>();
        const reference expected =
            reference_norm(f, map, widen(elements_of(row_major)), widen(elements_of(p.weight)), bias);
        const auto by_row = over_axes(f.kind, row_major, {first, last}, p);
        const auto by_col = over_axes(f.kind, col_major, {first, last}, p);
        EXPECT_TRUE(within_bounds(by_row, expected));
        EXPECT_TRUE(within_bounds(by_col, expected));
        EXPECT_TRUE(same_bits(over_axes(f.kind, row_major, {first - Rank, last - Rank}, p), by_row));
        EXPECT_TRUE(same_bits(over_axes(f.kind, col_major, {first - Rank, last}, p), by_col));
        if (first == last) {
          EXPECT_TRUE(same_bits(by_row, by_col));
          EXPECT_TRUE(same_bits(over_axes(f.kind, col_major, first, p), by_col));
        }
      }
}

TEST(axes, of_rank_one_match_the_reference) {
  expect_every_run_of_axes<float, 1>({2});
  expect_every_run_of_axes<float, 1>({130});
}

TEST(axes, of_rank_two_match_the_reference_in_both_layouts) {
  expect_every_run_of_axes<float, 2>({2, 3});
  expect_every_run_of_axes<float, 2>({65, 33});
  expect_every_run_of_axes<float, 2>({3, 1025});
}

TEST(axes, of_rank_three_match_the_reference_in_both_layouts) {
  expect_every_run_of_axes<float, 3>({2, 3, 4});
  expect_every_run_of_axes<float, 3>({5, 64, 7});
  expect_every_run_of_axes<float, 3>({3, 9, 130});
}

TEST(axes, of_rank_four_match_the_reference_in_both_layouts) {
  expect_every_run_of_axes<float, 4>({2, 3, 4, 5});
  expect_every_run_of_axes<float, 4>({2, 17, 5, 9});
}

TEST(axes, of_rank_five_and_six_match_the_reference_in_both_layouts) {
  expect_every_run_of_axes<float, 5>({2, 3, 2, 4, 5});
  expect_every_run_of_axes<float, 6>({2, 3, 2, 4, 2, 3});
}

TEST(axes, may_have_one_element_where_others_are_normalized_with_them) {
  expect_every_run_of_axes<double, 3>({2, 3, 5});
  const auto x = normal_tensor<row_major_tensor<float, 4>>({3, 1, 5, 1}, 124);
  const row_major_tensor<float, 4> wide = tn::layer_norm(x, {.axes = {1, 3}});
  const row_major_tensor<float, 4> narrow = tn::layer_norm(x, {.axes = 2});
  EXPECT_TRUE(same_bits(elements_of(wide), elements_of(narrow)));
}

TEST(axes, are_the_last_one_by_default) {
  const auto x = normal_tensor<col_major_tensor<float, 3>>({3, 4, 65}, 125);
  const col_major_tensor<float, 3> by_default = tn::rms_norm(x), by_name = tn::rms_norm(x, {.axes = 2});
  EXPECT_TRUE(same_bits(elements_of(by_default), elements_of(by_name)));
}

/// The two-dimensional parameters of a run of two axes.
template <class Tensor, class Parameter>
std::vector<float> with_parameter(const Parameter& weight, const Parameter& bias) {
  const auto x = normal_tensor<Tensor>({3, 4, 5, 6}, 126, 0.5, 2);
  const Tensor y = tn::layer_norm(x, weight, bias, {.axes = {1, 2}});
  return elements_of(y);
}

template <class Tensor>
void expect_parameters_in_any_layout() {
  const auto weight = normal_tensor<row_major_tensor<float, 2>>({4, 5}, 127, 1, 0.5);
  const auto bias = normal_tensor<row_major_tensor<float, 2>>({4, 5}, 128);
  const auto weight_values = elements_of(weight), bias_values = elements_of(bias);
  const auto x = normal_tensor<Tensor>({3, 4, 5, 6}, 126, 0.5, 2);
  const reference expected = reference_norm({norm::layer, 1e-5, 0}, rows_over_axes({3, 4, 5, 6}, 1, 2),
                                            widen(elements_of(x)), widen(weight_values), widen(bias_values));
  const auto y = with_parameter<Tensor>(weight, bias);
  EXPECT_TRUE(within_bounds(y, expected));
  using column_tensor = col_major_tensor<float, 2>;
  EXPECT_TRUE(same_bits(with_parameter<Tensor>(tensor_of<column_tensor>({4, 5}, weight_values),
                                               tensor_of<column_tensor>({4, 5}, bias_values)),
                        y));
  using flat = Eigen::Tensor<float, 1>;
  EXPECT_TRUE(same_bits(
      with_parameter<Tensor>(tensor_of<flat>({20}, weight_values), tensor_of<flat>({20}, bias_values)), y));
  using matrix = Eigen::Matrix<float, 4, 5>;
  matrix matrix_weight, matrix_bias;
  for (int i = 0; i < 20; ++i) {
    matrix_weight(i / 5, i % 5) = weight_values[static_cast<std::size_t>(i)];
    matrix_bias(i / 5, i % 5) = bias_values[static_cast<std::size_t>(i)];
  }
  EXPECT_TRUE(same_bits(with_parameter<Tensor>(matrix_weight, matrix_bias), y));
}

TEST(parameters, of_two_axes_may_have_either_layout_or_be_flat_or_a_matrix) {
  expect_parameters_in_any_layout<row_major_tensor<float, 4>>();
  expect_parameters_in_any_layout<col_major_tensor<float, 4>>();
}

TEST(parameters, may_be_expressions_vectors_maps_with_strides_or_const) {
  const auto x = normal_tensor<row_major_tensor<float, 2>>({3, 65}, 129);
  const auto weight = normal_tensor<Eigen::Tensor<float, 1>>({65}, 130, 1, 0.5);
  using tensor = row_major_tensor<float, 2>;
  const tensor y = tn::rms_norm(x, weight);
  const Eigen::VectorXf vector = Eigen::Map<const Eigen::VectorXf>(weight.data(), 65);
  const Eigen::RowVectorXf row = vector.transpose();
  const Eigen::ArrayXf array = vector.array();
  Eigen::VectorXf spread = Eigen::VectorXf::Zero(195);
  Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<3>> strided(spread.data(), 65);
  strided = vector;
  const Eigen::TensorMap<const Eigen::Tensor<float, 1>> map(weight.data(), 65);
  const Eigen::TensorMap<const Eigen::Tensor<float, 1, Eigen::RowMajor>> row_map(weight.data(), 65);
  const Eigen::MatrixXf matrix = vector.replicate(1, 2);
  const tensor results[] = {tensor(tn::rms_norm(x, vector)),
                            tensor(tn::rms_norm(x, row)),
                            tensor(tn::rms_norm(x, array)),
                            tensor(tn::rms_norm(x, strided)),
                            tensor(tn::rms_norm(x, map)),
                            tensor(tn::rms_norm(x, row_map)),
                            tensor(tn::rms_norm(x, matrix.col(1))),
                            tensor(tn::rms_norm(x, weight * 2.f - weight)),
                            tensor(tn::rms_norm(x, vector * 2.f - vector)),
                            tensor(tn::rms_norm(x, tn::unit_offset(row), {.eps = 1e-6}) - tn::rms_norm(x))};
  for (std::size_t i = 0; i + 1 < std::size(results); ++i)
    EXPECT_TRUE(same_bits(elements_of(results[i]), elements_of(y))) << "spelling " << i;
  for (Eigen::Index i = 0; i < y.size(); ++i) EXPECT_NEAR(std::rbegin(results)->data()[i], y.data()[i], 2e-6);
}

}  // namespace
}  // namespace tensornorm_test
