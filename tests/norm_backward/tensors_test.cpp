// Backward passes of tensors and matrices: any axes, groups, storage order, strides and kind of argument.
#include "../support/tensors.hpp"

#include <gtest/gtest.h>

#include "../support/backward.hpp"
#include "../support/backward_bounds.hpp"

namespace tensornorm_test {
namespace {

template <class A, class B>
testing::AssertionResult same(const A& a, const B& b) {
  return same_bits(elements_of(a), elements_of(b));
}

/// dx, dweight and dbias of one call against the oracle, in logical order.
template <class Tensor, class Gradients>
void expect_gradients(const formula& f, const row_map& map, const Tensor& dy, const Tensor& x,
                      const std::vector<real>& weight, const Gradients& gradient) {
  using T = typename Tensor::Scalar;
  const auto expected = reference_backward(f, map, widen(elements_of(dy)), widen(elements_of(x)), weight);
  EXPECT_TRUE(dx_within_bounds(elements_of(gradient.x), expected)) << "dx";
  EXPECT_TRUE(dweight_within_bounds<T>(elements_of(gradient.weight), expected)) << "dweight";
  if constexpr (requires { gradient.bias; }) {
    EXPECT_TRUE(dbias_within_bounds<T>(elements_of(gradient.bias), expected)) << "dbias";
  }
}

/// Every run of axes, each norm, with a flat weight.
template <class Tensor>
void expect_every_run_of_axes(const indices_of<Tensor>& size) {
  const auto x = normal_tensor<Tensor>(size, 301, 0.5, 2), dy = normal_tensor<Tensor>(size, 302, 0.25, 1);
  const int rank = static_cast<int>(size.size());
  for (int first = 0; first < rank; ++first)
    for (int last = first; last < rank; ++last) {
      SCOPED_TRACE(testing::Message()
                   << "{" << first << ", " << last << "} of " << testing::PrintToString(size)
                   << ", row-major " << (int(Tensor::Layout) == int(Eigen::RowMajor)));
      Eigen::Index count = 1;
      for (int axis = first; axis <= last; ++axis) count *= size[static_cast<std::size_t>(axis)];
      const auto w = normal_tensor<Eigen::Tensor<typename Tensor::Scalar, 1>>({count}, 303, 1, 0.5);
      const auto map = rows_over_axes(extents(size.begin(), size.end()), static_cast<std::size_t>(first),
                                      static_cast<std::size_t>(last));
      const auto wide = widen(elements_of(w));
      const tn::axis_range axes(first, last), from_the_end(first - rank, last - rank);
      expect_gradients({norm::rms, 1e-6, 0}, map, dy, x, wide,
                       tn::rms_norm_backward(dy, x, w, {.axes = axes}));
      expect_gradients({norm::simple, 1e-6, 0}, map, dy, x, wide,
                       tn::simple_norm_backward(dy, x, w, {.axes = axes}));
      const auto layer = tn::layer_norm_backward(dy, x, w, {.axes = axes, .correction = 1});
      expect_gradients({norm::layer, 1e-5, 1}, map, dy, x, wide, layer);
      const auto named_otherwise = tn::layer_norm_backward(dy, x, w, {.axes = from_the_end, .correction = 1});
      EXPECT_TRUE(same(named_otherwise.x, layer.x) && same(named_otherwise.weight, layer.weight));
    }
}

TEST(gradients_over_axes, match_the_long_double_reference_in_both_layouts) {
  expect_every_run_of_axes<row_major_tensor<float, 1>>({130});
  expect_every_run_of_axes<row_major_tensor<float, 2>>({65, 33});
  expect_every_run_of_axes<col_major_tensor<float, 2>>({65, 33});
  expect_every_run_of_axes<row_major_tensor<float, 4>>({2, 3, 4, 5});
  expect_every_run_of_axes<col_major_tensor<float, 4>>({2, 3, 4, 5});
  expect_every_run_of_axes<row_major_tensor<float, 4>>({3, 17, 5, 9});
  expect_every_run_of_axes<col_major_tensor<float, 4>>({3, 17, 5, 9});
}

TEST(gradients_over_axes, of_x_have_the_same_bits_in_both_layouts_over_one_axis) {
  using by_row = row_major_tensor<float, 3>;
  using by_column = col_major_tensor<float, 3>;
  for (const int axis : {0, 1, 2}) {
    const Eigen::Index n = std::array{5, 64, 9}[static_cast<std::size_t>(axis)];
    const auto w = normal_tensor<Eigen::Tensor<float, 1>>({n}, 303, 1, 0.5);
    const auto dx = [&]<class Tensor>(std::type_identity<Tensor>) {
      const auto x = normal_tensor<Tensor>({5, 64, 9}, 304, 0.5, 2),
                 dy = normal_tensor<Tensor>({5, 64, 9}, 305);
      std::vector<std::vector<float>> all = {
          elements_of(tn::rms_norm_backward(dy, x, w, {.axes = axis}).x),
          elements_of(tn::simple_norm_backward(dy, x, w, {.axes = axis}).x),
          elements_of(tn::layer_norm_backward(dy, x, w, {.axes = axis}).x)};
      return all;
    };
    const auto rows = dx(std::type_identity<by_row>()), columns = dx(std::type_identity<by_column>());
    for (std::size_t kind = 0; kind < 3; ++kind) EXPECT_TRUE(same_bits(rows[kind], columns[kind])) << axis;
  }
}

template <class Tensor>
void expect_shaped_parameters() {
  using T = typename Tensor::Scalar;
  const auto x = normal_tensor<Tensor>({3, 4, 5, 6}, 306, 0.5, 2),
             dy = normal_tensor<Tensor>({3, 4, 5, 6}, 307);
  const auto w = normal_tensor<row_major_tensor<T, 2>>({4, 5}, 308, 1, 0.5);
  const auto flat =
      tn::layer_norm_backward(dy, x, tensor_of<Eigen::Tensor<T, 1>>({20}, elements_of(w)), {.axes = {1, 2}});
  const auto shaped = tn::layer_norm_backward(dy, x, w, {.axes = {1, 2}});
  static_assert(decltype(shaped.weight)::NumDimensions == 2, "grad.weight has the shape of w");
  EXPECT_TRUE(same(shaped.x, flat.x) && same(shaped.weight, flat.weight) && same(shaped.bias, flat.bias));
  EXPECT_EQ(shaped.weight.dimension(0), 4);
  col_major_tensor<T, 2> dw(4, 5);
  row_major_tensor<T, 2> db(4, 5);
  tn::layer_norm_backward(dy, x, w, {.axes = {1, 2}}, tn::grad_weight(dw), tn::grad_bias(db));
  EXPECT_TRUE(same(dw, flat.weight) && same(db, flat.bias));
  Eigen::Tensor<T, 1> flat_dw(20);
  tn::layer_norm_backward(dy, x, w, {.axes = {1, 2}}, tn::grad_weight(flat_dw));
  EXPECT_TRUE(same(flat_dw, flat.weight));
  Eigen::Matrix<T, 4, 5> matrix_dw;
  tn::layer_norm_backward(dy, x, w, {.axes = {1, 2}}, tn::grad_weight(matrix_dw));
  for (Eigen::Index i = 0; i < 20; ++i) EXPECT_EQ(matrix_dw(i / 5, i % 5), flat.weight(i));
}

TEST(gradients_over_axes, have_parameters_of_either_layout_or_flat_or_matrices) {
  expect_shaped_parameters<row_major_tensor<float, 4>>();
  expect_shaped_parameters<col_major_tensor<float, 4>>();
}

template <class Tensor, class W = typename Tensor::Scalar>
void expect_groups(const indices_of<Tensor>& size) {
  using parameters = Eigen::Tensor<W, 1>;
  const auto x = normal_tensor<Tensor>(size, 311, 0.5, 2), dy = normal_tensor<Tensor>(size, 312, 0.25, 1);
  const auto w = normal_tensor<parameters>({size[1]}, 313, 1, 0.5);
  for (Eigen::Index groups = 1; groups <= size[1]; ++groups) {
    if (size[1] % groups != 0) continue;
    SCOPED_TRACE(testing::Message() << groups << " groups of " << testing::PrintToString(size)
                                    << ", row-major " << (int(Tensor::Layout) == int(Eigen::RowMajor)));
    const row_map map = rows_over_groups(extents(size.begin(), size.end()), groups);
    tn::statistics<tn::accumulator_t<typename Tensor::Scalar>> saved;
    const Tensor y = tn::group_norm(x, groups, w, {.save = &saved});
    const auto recomputed = tn::group_norm_backward(dy, x, groups, w);
    expect_gradients({norm::layer, 1e-5, 0}, map, dy, x, widen(elements_of(w)), recomputed);
    static_assert(std::is_same_v<typename decltype(recomputed.weight)::Scalar, W>);
    const auto from_saved = tn::group_norm_backward(dy, x, groups, w, saved);
    EXPECT_TRUE(same(from_saved.x, recomputed.x) && same(from_saved.weight, recomputed.weight) &&
                same(from_saved.bias, recomputed.bias));
  }
}

TEST(gradients_of_groups, match_the_long_double_reference_in_both_layouts) {
  expect_groups<row_major_tensor<float, 2>>({3, 12});
  expect_groups<col_major_tensor<float, 2>>({3, 12});
  for (const Eigen::Index positions : {1, 3, 16, 65}) {
    expect_groups<row_major_tensor<float, 3>>({2, 6, positions});
    expect_groups<col_major_tensor<float, 3>>({2, 6, positions});
  }
  expect_groups<row_major_tensor<float, 3>>({9, 130, 7});
  expect_groups<col_major_tensor<float, 3>>({9, 130, 7});
  expect_groups<row_major_tensor<float, 4>>({2, 8, 5, 7});
  expect_groups<col_major_tensor<float, 4>>({17, 8, 2, 3});
  expect_groups<row_major_tensor<float, 4>>({1, 4, 100, 150});
}

TEST(gradients_of_groups, match_the_long_double_reference_in_double_half_and_bfloat16) {
  expect_groups<row_major_tensor<double, 3>>({2, 12, 9});
  expect_groups<col_major_tensor<double, 3>>({2, 12, 9});
  expect_groups<row_major_tensor<Eigen::half, 3>>({2, 12, 9});
  expect_groups<col_major_tensor<Eigen::half, 3>>({2, 12, 9});
  expect_groups<row_major_tensor<Eigen::bfloat16, 3>>({2, 12, 9});
  expect_groups<row_major_tensor<Eigen::bfloat16, 3>, float>({2, 12, 9});
}

TEST(gradients_of_groups, of_one_element_are_zero_but_that_of_the_bias) {
  using tensor = row_major_tensor<float, 2>;
  const auto x = normal_tensor<tensor>({3, 8}, 314), dy = normal_tensor<tensor>({3, 8}, 315);
  const auto gradient = tn::group_norm_backward(dy, x, 8, normal_tensor<Eigen::Tensor<float, 1>>({8}, 316));
  for (const float value : elements_of(gradient.x)) EXPECT_EQ(value, 0);
  for (const float value : elements_of(gradient.weight)) EXPECT_EQ(value, 0);
}

TEST(gradients_of_groups, of_each_channel_have_dx_of_layer_norm_over_the_positions) {
  using tensor = row_major_tensor<float, 3>;
  const auto x = normal_tensor<tensor>({3, 8, 9}, 317), dy = normal_tensor<tensor>({3, 8, 9}, 318);
  EXPECT_TRUE(
      same(tn::group_norm_backward(dy, x, 8, tn::none).x, tn::layer_norm_backward(dy, x, tn::none).x));
}

struct tensor_arguments : testing::Test {
  using tensor = row_major_tensor<float, 2>;
  using vector = Eigen::Tensor<float, 1>;
  tensor x = normal_tensor<tensor>({7, 65}, 321, 0.5, 2), dy = normal_tensor<tensor>({7, 65}, 322, 0.25, 1);
  vector w = normal_tensor<vector>({65}, 323, 1, 0.5);

  template <class A, class B>
  static void expect_same(const A& a, const B& b) {
    EXPECT_TRUE(same(a.x, b.x));
    EXPECT_TRUE(same(a.weight, b.weight));
  }
};

TEST_F(tensor_arguments, may_be_maps_of_const_data) {
  using map = Eigen::TensorMap<const tensor>;
  const float *x_data = x.data(), *dy_data = dy.data(), *w_data = w.data();
  expect_same(tn::layer_norm_backward(map(dy_data, 7, 65), map(x_data, 7, 65),
                                      Eigen::TensorMap<const vector>(w_data, 65)),
              tn::layer_norm_backward(dy, x, w));
}

TEST_F(tensor_arguments, may_be_expressions_which_are_evaluated_first) {
  const tensor doubled_dy = dy * 2.f, doubled_x = x * 2.f;
  const vector doubled_w = w * 2.f;
  const auto expected = tn::layer_norm_backward(doubled_dy, doubled_x, doubled_w);
  expect_same(tn::layer_norm_backward(dy * 2.f, doubled_x, doubled_w), expected);
  expect_same(tn::layer_norm_backward(doubled_dy, x * 2.f, w * 2.f), expected);
}

TEST_F(tensor_arguments, dy_may_be_a_broadcast) {
  tensor row = normal_tensor<tensor>({1, 65}, 324);
  const Eigen::array<Eigen::Index, 2> times{7, 1};
  const tensor full = row.broadcast(times);
  expect_same(tn::layer_norm_backward(row.broadcast(times), x, w), tn::layer_norm_backward(full, x, w));
  expect_same(tn::rms_norm_backward(x.constant(1.f), x, w),
              tn::rms_norm_backward(tensor(x.constant(1.f)), x, w));
}

TEST_F(tensor_arguments, destinations_may_be_maps) {
  const auto expected = tn::layer_norm_backward(dy, x, w);
  std::vector<float> dx(455, 42), dw(65, 42), db(65, 42);
  tn::layer_norm_backward(dy, x, w, tn::grad_x(Eigen::TensorMap<tensor>(dx.data(), 7, 65)),
                          tn::grad_weight(Eigen::TensorMap<vector>(dw.data(), 65)),
                          tn::grad_bias(Eigen::Map<Eigen::VectorXf>(db.data(), 65)));
  EXPECT_TRUE(same_bits(dx, elements_of(expected.x)));
  EXPECT_TRUE(same_bits(dw, elements_of(expected.weight)));
  EXPECT_TRUE(same_bits(db, elements_of(expected.bias)));
}

TEST_F(tensor_arguments, may_have_a_fixed_size) {
  using fixed = Eigen::TensorFixedSize<float, Eigen::Sizes<7, 65>, Eigen::RowMajor>;
  fixed fixed_x, fixed_dy, fixed_dx;
  fixed_x = x;
  fixed_dy = dy;
  tn::rms_norm_backward(fixed_dy, fixed_x, w, tn::grad_x(fixed_dx));
  EXPECT_TRUE(same(fixed_dx, tn::rms_norm_backward(dy, x, w).x));
}

TEST_F(tensor_arguments, give_gradients_of_the_types_of_x_and_of_the_weight) {
  using halves = row_major_tensor<Eigen::half, 2>;
  const auto plain = tn::layer_norm_backward(dy, x, w);
  static_assert(std::is_same_v<decltype(plain.x), tensor>);
  static_assert(std::is_same_v<decltype(plain.weight), vector> &&
                std::is_same_v<decltype(plain.bias), vector>);
  const halves half_x = x.cast<Eigen::half>(), half_dy = dy.cast<Eigen::half>();
  const auto mixed = tn::layer_norm_backward(half_dy, half_x, w);
  static_assert(std::is_same_v<decltype(mixed.x), halves>);
  static_assert(std::is_same_v<decltype(mixed.weight), vector> &&
                std::is_same_v<decltype(mixed.bias), vector>);
  expect_gradients({norm::layer, 1e-5, 0}, rows_over_axes({7, 65}, 1, 1), half_dy, half_x,
                   widen(elements_of(w)), mixed);
  const auto offset = tn::rms_norm_backward(dy, x, tn::unit_offset(w));
  static_assert(std::is_same_v<decltype(offset.weight), vector>);
  const Eigen::Tensor<double, 1> wide = w.cast<double>();
  const auto doubles = tn::layer_norm_backward(dy, x, wide);
  static_assert(std::is_same_v<typename decltype(doubles.weight)::Scalar, double>);
}

using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Elements by rows, whatever the storage.
template <class Matrix>
std::vector<float> by_rows(const Matrix& m) {
  const row_matrix values = m.matrix();
  return {values.data(), values.data() + values.size()};
}

struct matrix_arguments : testing::Test {
  static constexpr Eigen::Index rows = 7, cols = 65;
  backward_input<float> input = input_for<float>({rows, cols, 1}, plain_data, 331);
  gradients<float> expected = backward_of<float>({norm::layer, 1e-5, 0}, {rows, cols, 1}, input);
  row_matrix x = Eigen::Map<row_matrix>(input.x.data(), rows, cols),
             dy = Eigen::Map<row_matrix>(input.dy.data(), rows, cols);
  Eigen::VectorXf w = Eigen::Map<Eigen::VectorXf>(input.weight.data(), cols);

  template <class Gradients>
  void expect_all(const Gradients& g) const {
    EXPECT_TRUE(same_bits(by_rows(g.x), expected.x));
    EXPECT_TRUE(same_bits(by_rows(g.weight), expected.weight));
    EXPECT_TRUE(same_bits(by_rows(g.bias), expected.bias));
  }
};

TEST_F(matrix_arguments, give_matrices_and_vectors) {
  const auto gradient = tn::layer_norm_backward(dy, x, w);
  static_assert(std::is_same_v<decltype(gradient.x), row_matrix>);
  static_assert(std::is_same_v<decltype(gradient.weight), Eigen::VectorXf>);
  expect_all(gradient);
}

TEST_F(matrix_arguments, may_be_column_major) {
  const Eigen::MatrixXf x_columns = x, dy_columns = dy;
  expect_all(tn::layer_norm_backward(dy_columns, x_columns, w));
}

TEST_F(matrix_arguments, may_have_different_storage_orders) {
  const Eigen::MatrixXf dy_columns = dy;
  Eigen::MatrixXf dx(rows, cols);
  tn::layer_norm_backward(dy_columns, x, w, tn::grad_x(dx));
  EXPECT_TRUE(same_bits(by_rows(dx), expected.x));
}

TEST_F(matrix_arguments, may_be_maps_with_strides_whose_gaps_stay) {
  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  std::vector<float> x_memory(2000, -1), dy_memory(2000, -1), dx_memory(2000, -1);
  Eigen::Map<row_matrix, 0, strides> x_map(x_memory.data(), rows, cols, strides(200, 3));
  Eigen::Map<row_matrix, 0, strides> dy_map(dy_memory.data(), rows, cols, strides(66, 1));
  Eigen::Map<Eigen::MatrixXf, 0, strides> dx_map(dx_memory.data(), rows, cols, strides(20, 2));
  x_map = x;
  dy_map = dy;
  Eigen::VectorXf spread = Eigen::VectorXf::Constant(195, -1), dw_memory = spread;
  Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<3>> w_map(spread.data(), cols),
      dw_map(dw_memory.data(), cols);
  w_map = w;
  tn::layer_norm_backward(dy_map, x_map, w_map, tn::grad_x(dx_map), tn::grad_weight(dw_map));
  EXPECT_TRUE(same_bits(by_rows(dx_map), expected.x));
  EXPECT_TRUE(same_bits(by_rows(dw_map), expected.weight));
  dx_map.setConstant(-1);
  dw_map.setConstant(-1);
  EXPECT_EQ(dx_memory, std::vector<float>(2000, -1));
  EXPECT_TRUE((dw_memory.array() == -1).all());
}

TEST_F(matrix_arguments, may_be_refs_and_blocks) {
  const Eigen::Ref<const row_matrix> x_ref = x;
  row_matrix wide = row_matrix::Constant(rows + 4, cols + 6, -1), target = wide;
  wide.block(2, 3, rows, cols) = dy;
  auto dx = target.block(1, 5, rows, cols);
  tn::layer_norm_backward(wide.block(2, 3, rows, cols), x_ref, w, tn::grad_x(target.block(1, 5, rows, cols)));
  EXPECT_TRUE(same_bits(by_rows(dx), expected.x));
  dx.setConstant(-1);
  EXPECT_TRUE((target.array() == -1).all());
  row_matrix result(rows, cols);
  Eigen::Ref<row_matrix> result_ref = result;
  tn::layer_norm_backward(dy, x_ref, w, tn::grad_x(result_ref));
  EXPECT_TRUE(same_bits(by_rows(result), expected.x));
}

TEST_F(matrix_arguments, may_be_expressions_and_broadcasts) {
  expect_all(tn::layer_norm_backward(2 * dy - dy, x, w));
  const Eigen::RowVectorXf row = dy.row(0);
  const row_matrix full = row.replicate(rows, 1);
  const auto by_copy = tn::layer_norm_backward(full, x, w);
  const auto by_expression = tn::layer_norm_backward(row.replicate(rows, 1), x, w);
  EXPECT_TRUE(same_bits(by_rows(by_expression.x), by_rows(by_copy.x)));
  const Eigen::Map<const row_matrix, 0, Eigen::OuterStride<>> repeated(row.data(), rows, cols,
                                                                       Eigen::OuterStride<>(0));
  const auto by_stride = tn::layer_norm_backward(repeated, x, w);
  EXPECT_TRUE(same_bits(by_rows(by_stride.x), by_rows(by_copy.x)));
  EXPECT_TRUE(same_bits(by_rows(by_stride.weight), by_rows(by_copy.weight)));
}

TEST_F(matrix_arguments, may_be_arrays_with_saved_statistics) {
  const Eigen::ArrayXXf x_array = x.array(), dy_array = dy.array();
  tn::statistics<float> saved;
  const Eigen::ArrayXXf y = tn::layer_norm(x_array, w, {.save = &saved});
  const auto gradient = tn::layer_norm_backward(dy_array, x_array, w, saved);
  EXPECT_TRUE(same_bits(by_rows(gradient.x), expected.x));
}

TEST_F(matrix_arguments, may_be_normalized_over_columns) {
  const Eigen::MatrixXf x_turned = x.transpose(), dy_turned = dy.transpose();
  const auto gradient = tn::layer_norm_backward(dy_turned, x_turned, w, {.axes = 0});
  EXPECT_TRUE(same_bits(by_rows(gradient.x.transpose()), expected.x));
}

TEST_F(matrix_arguments, that_are_vectors_are_one_row) {
  const Eigen::VectorXf x_row = x.row(2), dy_row = dy.row(2);
  const auto gradient = tn::layer_norm_backward(dy_row, x_row, w);
  static_assert(std::is_same_v<decltype(gradient.x), Eigen::VectorXf>);
  const std::vector<float> row(expected.x.begin() + 2 * cols, expected.x.begin() + 3 * cols);
  EXPECT_TRUE(same_bits(by_rows(gradient.x), row));
}

TEST_F(matrix_arguments, may_be_their_own_gradient) {
  row_matrix in_dy = dy, in_x = x;
  tn::layer_norm_backward(in_dy, x, w, tn::grad_x(in_dy));
  EXPECT_TRUE(same_bits(by_rows(in_dy), expected.x));
  tn::layer_norm_backward(dy, in_x, w, tn::grad_x(in_x));
  EXPECT_TRUE(same_bits(by_rows(in_x), expected.x));
}

TEST_F(matrix_arguments, of_every_norm_agree_with_plain_rows) {
  const auto rms = tn::rms_norm_backward(dy, x, w);
  const auto simple = tn::simple_norm_backward(dy, x, w);
  const auto plain_rms = backward_of<float>({norm::rms, 1e-6, 0}, {rows, cols, 1}, input);
  const auto plain_simple = backward_of<float>({norm::simple, 1e-6, 0}, {rows, cols, 1}, input);
  EXPECT_TRUE(same_bits(by_rows(rms.x), plain_rms.x) && same_bits(by_rows(rms.weight), plain_rms.weight));
  EXPECT_TRUE(same_bits(by_rows(simple.x), plain_simple.x) &&
              same_bits(by_rows(simple.weight), plain_simple.weight));
}

}  // namespace
}  // namespace tensornorm_test
