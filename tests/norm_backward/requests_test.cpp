// What may be asked of a backward pass: which gradients, where to, and added to what.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/backward.hpp"
#include "../support/backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tensor = row_major_tensor<float, 3>;
using vector = Eigen::Tensor<float, 1>;

template <class Tensor>
Tensor filled(const Tensor& like, double value) {
  Tensor result(like.dimensions());
  result.setConstant(narrow<typename Tensor::Scalar>(value));
  return result;
}

template <class A, class B>
testing::AssertionResult same(const A& a, const B& b) {
  return same_bits(elements_of(a), elements_of(b));
}

struct requests : testing::Test {
  tensor x = normal_tensor<tensor>({5, 7, 65}, 281, 0.5, 2),
         dy = normal_tensor<tensor>({5, 7, 65}, 282, 0.25, 1);
  vector w = normal_tensor<vector>({65}, 283, 1, 0.5);
  vector channel_w = normal_tensor<vector>({7}, 284, 1, 0.5);
  tensor dx = filled(x, quiet_nan<float>());
  vector dw = filled(w, quiet_nan<float>()), db = filled(w, quiet_nan<float>());

  template <class Gradients>
  void expect(const Gradients& expected) const {
    EXPECT_TRUE(same(dx, expected.x));
    EXPECT_TRUE(same(dw, expected.weight));
    if constexpr (requires { expected.bias; }) {
      EXPECT_TRUE(same(db, expected.bias));
    }
  }
  void forget() {
    dx = filled(x, quiet_nan<float>());
    dw = filled(w, quiet_nan<float>());
    db = filled(w, quiet_nan<float>());
  }
};

TEST_F(requests, that_name_no_destination_return_every_gradient) {
  const auto layer = tn::layer_norm_backward(dy, x, w);
  const auto expected =
      reference_backward({norm::layer, 1e-5, 0}, rows_over_axes({5, 7, 65}, 2, 2), widen(elements_of(dy)),
                         widen(elements_of(x)), widen(elements_of(w)));
  EXPECT_TRUE(dx_within_bounds(elements_of(layer.x), expected));
  EXPECT_TRUE(dweight_within_bounds<float>(elements_of(layer.weight), expected));
  EXPECT_TRUE(dbias_within_bounds<float>(elements_of(layer.bias), expected));
  const auto none = tn::layer_norm_backward(dy, x, tn::none);
  EXPECT_EQ(none.x.dimension(2), 65);
  EXPECT_EQ(none.weight.size(), 0);
  const auto rms_none = tn::rms_norm_backward(dy, x, tn::none);
  EXPECT_EQ(rms_none.weight.size(), 0);
}

TEST_F(requests, that_name_destinations_write_what_would_have_been_returned) {
  tn::rms_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_weight(dw));
  expect(tn::rms_norm_backward(dy, x, w));
  forget();
  tn::simple_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_weight(dw));
  expect(tn::simple_norm_backward(dy, x, w));
  forget();
  tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_weight(dw), tn::grad_bias(db));
  expect(tn::layer_norm_backward(dy, x, w));
}

TEST_F(requests, may_come_in_any_order_after_saved_statistics_and_options) {
  tn::statistics<float> saved;
  const tensor y = tn::layer_norm(x, w, {.eps = 0.5, .correction = 1, .save = &saved});
  const auto expected = tn::layer_norm_backward(dy, x, w, {.eps = 0.5, .correction = 1});
  Eigen::ThreadPool pool(2);
  const Eigen::ThreadPoolDevice device(&pool, 2);
  tn::layer_norm_backward(dy, x, w, saved, {.correction = 1}, tn::grad_bias(db), tn::on(device),
                          tn::grad_x(dx), tn::grad_weight(dw));
  expect(expected);
  forget();
  tn::layer_norm_backward(dy, x, w, saved, {.correction = 1}, tn::on(Eigen::DefaultDevice()),
                          tn::grad_weight(dw), tn::grad_x(dx), tn::grad_bias(db));
  expect(expected);
  const auto returned = tn::layer_norm_backward(dy, x, w, saved, {.correction = 1}, tn::on(device));
  EXPECT_TRUE(same(returned.x, expected.x) && same(returned.weight, expected.weight) &&
              same(returned.bias, expected.bias));
}

TEST_F(requests, for_one_gradient_alone_compute_that_one) {
  const auto layer = tn::layer_norm_backward(dy, x, w);
  tn::layer_norm_backward(dy, x, w, tn::grad_x(dx));
  tn::layer_norm_backward(dy, x, w, tn::grad_weight(dw));
  tn::layer_norm_backward(dy, x, w, tn::grad_bias(db));
  expect(layer);
  forget();
  tn::layer_norm_backward(dy, x, w, tn::grad_bias(db), tn::grad_weight(dw));
  tn::layer_norm_backward(dy, x, w, tn::grad_x(dx));
  expect(layer);
  forget();
  tn::rms_norm_backward(dy, x, w, tn::grad_x(dx));
  tn::rms_norm_backward(dy, x, w, tn::grad_weight(dw));
  expect(tn::rms_norm_backward(dy, x, w));
  forget();
  tn::simple_norm_backward(dy, x, w, tn::grad_x(dx));
  tn::simple_norm_backward(dy, x, w, tn::grad_weight(dw));
  expect(tn::simple_norm_backward(dy, x, w));
}

TEST_F(requests, for_one_gradient_alone_compute_that_one_across_an_inner_axis_and_in_groups) {
  const auto layer = tn::layer_norm_backward(dy, x, channel_w, {.axes = 1});
  vector channel_dw(7), channel_db(7);
  tn::layer_norm_backward(dy, x, channel_w, {.axes = 1}, tn::grad_x(dx));
  tn::layer_norm_backward(dy, x, channel_w, {.axes = 1}, tn::grad_weight(channel_dw));
  tn::layer_norm_backward(dy, x, channel_w, {.axes = 1}, tn::grad_bias(channel_db));
  EXPECT_TRUE(same(dx, layer.x) && same(channel_dw, layer.weight) && same(channel_db, layer.bias));
  const auto group = tn::group_norm_backward(dy, x, 7, channel_w);
  tn::group_norm_backward(dy, x, 7, channel_w, tn::grad_x(dx));
  tn::group_norm_backward(dy, x, 7, channel_w, tn::grad_weight(channel_dw));
  tn::group_norm_backward(dy, x, 7, channel_w, tn::grad_bias(channel_db));
  EXPECT_TRUE(same(dx, group.x) && same(channel_dw, group.weight) && same(channel_db, group.bias));
}

TEST_F(requests, for_dweight_are_served_where_there_is_no_weight) {
  tn::layer_norm_backward(dy, x, tn::none, tn::grad_weight(dw), tn::grad_bias(db), tn::grad_x(dx));
  const auto ones = tn::layer_norm_backward(dy, x, filled(w, 1));
  expect(ones);
}

TEST_F(requests, to_a_wider_destination_are_not_rounded_to_the_weight) {
  using halves = row_major_tensor<Eigen::half, 3>;
  using half_vector = Eigen::Tensor<Eigen::half, 1>;
  const halves narrow_x = x.cast<Eigen::half>(), narrow_dy = dy.cast<Eigen::half>();
  const half_vector narrow_w = w.cast<Eigen::half>();
  tn::layer_norm_backward(narrow_dy, narrow_x, narrow_w, tn::grad_weight(dw), tn::grad_bias(db));
  const auto expected = reference_backward({norm::layer, 1e-5, 0}, rows_over_axes({5, 7, 65}, 2, 2),
                                           widen(elements_of(narrow_dy)), widen(elements_of(narrow_x)),
                                           widen(elements_of(narrow_w)));
  EXPECT_TRUE(dweight_within_bounds<Eigen::half>(elements_of(dw), expected));
  EXPECT_TRUE(dbias_within_bounds<Eigen::half>(elements_of(db), expected));
  const auto rounded = tn::layer_norm_backward(narrow_dy, narrow_x, narrow_w);
  EXPECT_TRUE(same(rounded.weight, half_vector(dw.cast<Eigen::half>())));
  EXPECT_TRUE(same(rounded.bias, half_vector(db.cast<Eigen::half>())));
  Eigen::Tensor<double, 1> wide(65);
  tn::rms_norm_backward(dy, x, w, tn::grad_weight(wide));
  EXPECT_TRUE(same(vector(wide.cast<float>()), tn::rms_norm_backward(dy, x, w).weight));
}

/// Each destination holds numbers before, and afterwards their sum with a gradient, rounded once.
template <class T>
class accumulation : public testing::Test {
 protected:
  using tensor_t = row_major_tensor<T, 3>;
  using vector_t = Eigen::Tensor<T, 1>;
  tensor_t x = normal_tensor<tensor_t>({5, 7, 65}, 285, 0.5, 2),
           dy = normal_tensor<tensor_t>({5, 7, 65}, 286, 0.25, 1);

  static testing::AssertionResult is_sum(const std::vector<T>& result, const std::vector<T>& before,
                                         const std::vector<real>& gradient, const std::vector<real>& bounds) {
    std::vector<real> expected;
    for (std::size_t i = 0; i < result.size(); ++i) expected.push_back(widen(before[i]) + gradient[i]);
    return each_within(result, expected, [&](std::size_t i) {
      return bounds[i] + ulp<T>(std::abs(expected[i]) + bounds[i]) / 2;
    });
  }

  /// The error of dx before its rounding.
  static std::vector<real> dx_bounds(const gradient_reference& expected) {
    std::vector<real> bounds;
    for (std::size_t i = 0; i < expected.x.size(); ++i)
      bounds.push_back(dx_bound<computed_in<T>>(expected.x[i], expected.row_peak[i], expected.row_terms[i]));
    return bounds;
  }
  static std::vector<real> sum_bounds(const parameter_sums& sums, const parameter_sums& sizes) {
    std::vector<real> bounds;
    for (std::size_t i = 0; i < sums.value.size(); ++i)
      bounds.push_back(sum_bound<T, computed_in<T>>(sums.value[i], sums.terms[i], sizes.terms[i]));
    return bounds;
  }

  /// All three gradients of layer_norm over an axis, into destinations that hold numbers.
  void check(std::size_t axis) {
    SCOPED_TRACE(testing::Message() << "axis " << axis);
    const Eigen::Index n = x.dimension(static_cast<int>(axis));
    const auto w = normal_tensor<vector_t>({n}, 287, 1, 0.5),
               dw_before = normal_tensor<vector_t>({n}, 288, 0, 20),
               db_before = normal_tensor<vector_t>({n}, 289, 0, 20);
    const auto dx_before = normal_tensor<tensor_t>({5, 7, 65}, 290);
    tensor_t dx = dx_before;
    vector_t dw = dw_before, db = db_before;
    tn::layer_norm_backward(dy, x, w, {.axes = static_cast<int>(axis)}, tn::grad_x(dx, tn::accumulate),
                            tn::grad_weight(dw, tn::accumulate), tn::grad_bias(db, tn::accumulate));
    const auto expected =
        reference_backward({norm::layer, 1e-5, 0}, rows_over_axes({5, 7, 65}, axis, axis),
                           widen(elements_of(dy)), widen(elements_of(x)), widen(elements_of(w)));
    EXPECT_TRUE(is_sum(elements_of(dx), elements_of(dx_before), expected.x, dx_bounds(expected))) << "dx";
    EXPECT_TRUE(is_sum(elements_of(dw), elements_of(dw_before), expected.weight.value,
                       sum_bounds(expected.weight, expected.bias)))
        << "dweight";
    EXPECT_TRUE(is_sum(elements_of(db), elements_of(db_before), expected.bias.value,
                       sum_bounds(expected.bias, parameter_sums(expected.bias.value.size()))))
        << "dbias";
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(accumulation, scalars, scalar_names);

TYPED_TEST(accumulation, adds_to_what_is_there_and_rounds_once) {
  this->check(2);
  this->check(1);
}

TYPED_TEST(accumulation, of_zeros_is_overwriting_to_the_bit) {
  using parameters = typename TestFixture::vector_t;
  const auto w = normal_tensor<parameters>({65}, 287, 1, 0.5);
  const auto expected = tn::layer_norm_backward(this->dy, this->x, w);
  auto dx = filled(this->x, 0);
  auto dw = filled(w, 0), db = dw;
  tn::layer_norm_backward(this->dy, this->x, w, tn::grad_x(dx, tn::accumulate),
                          tn::grad_weight(dw, tn::accumulate), tn::grad_bias(db, tn::accumulate));
  EXPECT_TRUE(same(dx, expected.x) && same(dw, expected.weight) && same(db, expected.bias));
}

TYPED_TEST(accumulation, is_not_the_default_and_may_be_ruled_out_by_name) {
  using parameters = typename TestFixture::vector_t;
  const auto w = normal_tensor<parameters>({65}, 287, 1, 0.5);
  const auto expected = tn::layer_norm_backward(this->dy, this->x, w);
  auto dx = filled(this->x, 42);
  auto dw = filled(w, 42), db = dw;
  tn::layer_norm_backward(this->dy, this->x, w, tn::grad_x(dx, tn::overwrite),
                          tn::grad_weight(dw, tn::overwrite), tn::grad_bias(db, tn::overwrite));
  EXPECT_TRUE(same(dx, expected.x) && same(dw, expected.weight) && same(db, expected.bias));
}

TEST_F(requests, that_accumulate_sums_of_many_steps_give_the_bits_of_any_number_of_threads) {
  vector one_thread = filled(w, 1);
  tn::rms_norm_backward(dy, x, w, tn::grad_weight(one_thread, tn::accumulate));
  for (const int threads : {2, 3, 5}) {
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    dw = filled(w, 1);
    tn::rms_norm_backward(dy, x, w, tn::grad_weight(dw, tn::accumulate), tn::on(device));
    EXPECT_TRUE(same(dw, one_thread)) << threads;
  }
}

/// The residual that a norm follows: what reaches it on the other way, and what goes to its branch.
template <class T>
class residual_gradients : public accumulation<T> {
 protected:
  using typename accumulation<T>::tensor_t;
  using typename accumulation<T>::vector_t;
  tensor_t other = normal_tensor<tensor_t>({5, 7, 65}, 291);

  /// Over an axis: dx with the other gradient, and the branch of a scale.
  void check(std::size_t axis, double alpha) {
    SCOPED_TRACE(testing::Message() << "axis " << axis << ", alpha " << alpha);
    const tn::axis_range axes = static_cast<int>(axis);
    const auto w = normal_tensor<vector_t>({this->x.dimension(static_cast<int>(axis))}, 287, 1, 0.5);
    auto dx = filled(this->x, quiet_nan<float>()), branch = dx;
    tn::layer_norm_backward(this->dy, this->x, w, {.axes = axes}, tn::grad_x(dx), tn::plus_gradient(other),
                            tn::grad_branch(branch, alpha));
    const auto expected = reference_backward({norm::layer, 1e-5, 0}, rows_over_axes({5, 7, 65}, axis, axis),
                                             widen(elements_of(this->dy)), widen(elements_of(this->x)),
                                             widen(elements_of(w)), widen(elements_of(other)));
    EXPECT_TRUE(dx_within_bounds(elements_of(dx), expected));
    std::vector<real> scaled;
    for (const real value : expected.x) scaled.push_back(value * static_cast<real>(alpha));
    const auto bounds = this->dx_bounds(expected);
    EXPECT_TRUE(each_within(elements_of(branch), scaled, [&](std::size_t i) {
      // alpha times dx before or after its rounding, rounded.
      return std::abs(static_cast<real>(alpha)) * (bounds[i] + ulp<T>(expected.x[i])) + ulp<T>(scaled[i]);
    })) << "branch";
    if (alpha == 1) {
      EXPECT_TRUE(same(branch, dx));
    }
  }
};
TYPED_TEST_SUITE(residual_gradients, scalars, scalar_names);

TYPED_TEST(residual_gradients, are_added_before_dx_is_rounded_and_scaled_for_the_branch) {
  for (const std::size_t axis : {1u, 2u})
    for (const double alpha : {1.0, 0.5, -0.3}) this->check(axis, alpha);
}

TYPED_TEST(residual_gradients, of_zeros_leave_dx_its_bits) {
  using parameters = typename TestFixture::vector_t;
  const auto w = normal_tensor<parameters>({65}, 287, 1, 0.5);
  auto dx = filled(this->x, 42);
  const auto zeros = filled(this->x, 0);
  tn::rms_norm_backward(this->dy, this->x, w, tn::grad_x(dx), tn::plus_gradient(zeros));
  EXPECT_TRUE(same(dx, tn::rms_norm_backward(this->dy, this->x, w).x));
}

TEST_F(requests, plus_gradient_and_grad_branch_work_for_every_norm) {
  const tensor other = normal_tensor<tensor>({5, 7, 65}, 292);
  tensor branch = filled(x, 42);
  const auto expect_all = [&](const formula& f, const row_map& map, const vector& weight) {
    const auto expected = reference_backward(f, map, widen(elements_of(dy)), widen(elements_of(x)),
                                             widen(elements_of(weight)), widen(elements_of(other)));
    EXPECT_TRUE(dx_within_bounds(elements_of(dx), expected)) << name_of(f.kind);
    for (Eigen::Index i = 0; i < x.size(); ++i) ASSERT_EQ(branch.data()[i], 2 * dx.data()[i]);
    forget();
    branch = filled(x, 42);
  };
  const row_map rows = rows_over_axes({5, 7, 65}, 2, 2);
  const auto plus = tn::plus_gradient(other);
  tn::rms_norm_backward(dy, x, w, tn::grad_x(dx), plus, tn::grad_branch(branch, 2), tn::grad_weight(dw));
  EXPECT_TRUE(same(dw, tn::rms_norm_backward(dy, x, w).weight));
  expect_all({norm::rms, 1e-6, 0}, rows, w);
  tn::simple_norm_backward(dy, x, w, tn::grad_x(dx), plus, tn::grad_branch(branch, 2));
  expect_all({norm::simple, 1e-6, 0}, rows, w);
  tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), plus, tn::grad_branch(branch, 2));
  expect_all({norm::layer, 1e-5, 0}, rows, w);
  tn::group_norm_backward(dy, x, 7, channel_w, tn::grad_x(dx), plus, tn::grad_branch(branch, 2));
  expect_all({norm::layer, 1e-5, 0}, rows_over_groups({5, 7, 65}, 7), channel_w);
}

TEST_F(requests, plus_gradient_may_be_the_memory_of_dx_or_of_dy) {
  const tensor other = normal_tensor<tensor>({5, 7, 65}, 293);
  tensor apart(5, 7, 65);
  tn::rms_norm_backward(dy, x, w, tn::grad_x(apart), tn::plus_gradient(other));
  dx = other;
  tn::rms_norm_backward(dy, x, w, tn::grad_x(dx), tn::plus_gradient(dx));
  EXPECT_TRUE(same(dx, apart));
  tn::rms_norm_backward(dy, x, w, tn::grad_x(apart), tn::plus_gradient(dy));
  dx = dy;
  tn::rms_norm_backward(dx, x, w, tn::grad_x(dx), tn::plus_gradient(dx));
  EXPECT_TRUE(same(dx, apart));
}

TEST_F(requests, on_threads_give_the_bits_of_one_with_everything_asked_for) {
  const tensor other = normal_tensor<tensor>({5, 7, 65}, 294);
  tensor expected_branch(5, 7, 65), branch(5, 7, 65), expected_x(5, 7, 65);
  vector expected_w(65), expected_b(65);
  tn::layer_norm_backward(dy, x, w, tn::grad_x(expected_x), tn::plus_gradient(other),
                          tn::grad_branch(expected_branch, 0.5), tn::grad_weight(expected_w),
                          tn::grad_bias(expected_b));
  for (const int threads : {1, 2, 3, 5}) {
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    forget();
    branch = filled(x, quiet_nan<float>());
    tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), tn::plus_gradient(other), tn::grad_branch(branch, 0.5),
                            tn::grad_weight(dw), tn::grad_bias(db), tn::on(device));
    EXPECT_TRUE(same(dx, expected_x) && same(branch, expected_branch)) << threads;
    EXPECT_TRUE(same(dw, expected_w) && same(db, expected_b)) << threads;
  }
}

TEST_F(requests, for_a_workspace_keep_their_bits_whatever_it_held_before) {
  tn::attention_workspace workspace;
  const auto layer = tn::layer_norm_backward(dy, x, w);
  const auto channels = tn::layer_norm_backward(dy, x, channel_w, {.axes = 1});
  vector channel_dw(7), channel_db(7);
  for (int call = 0; call < 3; ++call) {
    forget();
    tn::layer_norm_backward(dy, x, w, tn::grad_x(dx), tn::grad_weight(dw), tn::grad_bias(db),
                            tn::use_workspace(workspace));
    expect(layer);
    tn::layer_norm_backward(dy, x, channel_w, {.axes = 1}, tn::grad_weight(channel_dw),
                            tn::grad_bias(channel_db), tn::use_workspace(workspace));
    EXPECT_TRUE(same(channel_dw, channels.weight) && same(channel_db, channels.bias));
  }
}

TEST_F(requests, without_rows_leave_what_they_accumulate_to_and_return_zeros) {
  const tensor empty(0, 7, 65);
  const auto returned = tn::layer_norm_backward(empty, empty, w);
  EXPECT_EQ(returned.x.size(), 0);
  EXPECT_EQ(returned.x.dimension(2), 65);
  EXPECT_TRUE(same(returned.weight, filled(w, 0)) && same(returned.bias, filled(w, 0)));
  dw = w;
  db = filled(w, 42);
  tn::layer_norm_backward(empty, empty, w, tn::grad_weight(dw, tn::accumulate),
                          tn::grad_bias(db, tn::accumulate));
  EXPECT_TRUE(same(dw, w) && same(db, filled(w, 42)));
  tn::layer_norm_backward(empty, empty, w, tn::grad_weight(dw), tn::grad_bias(db));
  EXPECT_TRUE(same(dw, filled(w, 0)) && same(db, filled(w, 0)));
  vector channel_dw(7);
  channel_dw.setConstant(42);
  tn::group_norm_backward(empty, empty, 7, channel_w, tn::grad_weight(channel_dw));
  EXPECT_TRUE(same(channel_dw, filled(channel_w, 0)));
}

}  // namespace
}  // namespace tensornorm_test
