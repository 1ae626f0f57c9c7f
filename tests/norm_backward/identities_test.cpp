// What gradients of norms must obey whatever their arithmetic, and what tells the norms apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "../support/backward.hpp"
#include "../support/backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;

TEST(gradients_by_hand, of_the_first_of_one_to_four) {
  using tensor = row_major_tensor<double, 1>;
  tensor x(4), dy(4);
  x.setValues({1, 2, 3, 4});
  dy.setValues({1, 0, 0, 0});
  const auto rms = tn::rms_norm_backward(dy, x, tn::none, {.eps = 0});
  const auto simple = tn::simple_norm_backward(dy, x, tn::none, {.eps = 0});
  const auto layer = tn::layer_norm_backward(dy, x, tn::none, {.eps = 0});
  const auto corrected = tn::layer_norm_backward(dy, x, tn::none, {.eps = 0, .correction = 1});
  for (int i = 0; i < 4; ++i) {
    const double first = i == 0, centred = x(i) - 2.5;
    EXPECT_NEAR(rms.x(i), (first - x(i) / 30) / std::sqrt(7.5), 1e-15);
    EXPECT_NEAR(simple.x(i), (first - centred / 5) / std::sqrt(5. / 3), 1e-15);
    EXPECT_NEAR(layer.x(i), (first - 0.25 + 1.5 * centred / 5) / std::sqrt(1.25), 1e-15);
    EXPECT_NEAR(corrected.x(i), (first - 0.25 + 1.5 * centred / 5) / std::sqrt(5. / 3), 1e-15);
  }
}

TEST(gradients_by_hand, of_the_parameters_of_two_rows) {
  using tensor = row_major_tensor<double, 2>;
  tensor x(2, 2), dy(2, 2);
  x.setValues({{3, 4}, {-5, 5}});
  dy.setValues({{1, 2}, {3, 4}});
  Eigen::Tensor<double, 1> weight(2);
  weight.setValues({7, 11});
  const auto rms = tn::rms_norm_backward(dy, x, weight, {.eps = 0});
  EXPECT_NEAR(rms.weight(0), 3 / std::sqrt(12.5) - 3, 1e-15);
  EXPECT_NEAR(rms.weight(1), 8 / std::sqrt(12.5) + 4, 1e-14);
  const auto layer = tn::layer_norm_backward(dy, x, weight, {.eps = 0});
  EXPECT_DOUBLE_EQ(layer.weight(0), -1 - 3);
  EXPECT_DOUBLE_EQ(layer.weight(1), 2 + 4);
  EXPECT_EQ(layer.bias(0), 4);
  EXPECT_EQ(layer.bias(1), 6);
}

TEST(gradients_by_hand, have_the_default_eps_of_the_forward_pass) {
  using tensor = row_major_tensor<float, 2>;
  const tensor x = normal_tensor<tensor>({3, 65}, 221, 0.001, 0.003),
               dy = normal_tensor<tensor>({3, 65}, 222);
  const auto same = [](const tensor& a, const tensor& b) {
    return same_bits(elements_of(a), elements_of(b));
  };
  EXPECT_TRUE(same(tn::rms_norm_backward(dy, x, tn::none).x,
                   tn::rms_norm_backward(dy, x, tn::none, {.eps = 1e-6}).x));
  EXPECT_TRUE(same(tn::simple_norm_backward(dy, x, tn::none).x,
                   tn::simple_norm_backward(dy, x, tn::none, {.eps = 1e-6}).x));
  EXPECT_TRUE(same(tn::layer_norm_backward(dy, x, tn::none).x,
                   tn::layer_norm_backward(dy, x, tn::none, {.eps = 1e-5, .correction = 0}).x));
  EXPECT_TRUE(same(tn::group_norm_backward(dy, x, 5, tn::none).x,
                   tn::group_norm_backward(dy, x, 5, tn::none, {.eps = 1e-5}).x));
}

constexpr std::ptrdiff_t some_lengths[] = {3, 7, 16, 17, 63, 64, 65, 130, 768, 1025, 4099};

/// Sums over each row of dx, and of dx times something, in units of the bound of dx.
template <class T>
class identities : public testing::Test {
 protected:
  static constexpr norm kinds[] = {norm::rms, norm::simple, norm::layer};

  /// Hands out the rows of a call without weight and eps: dy, x, dx of each, and their reference.
  template <class Check>
  void for_each_row(norm kind, const Check& check) {
    for (const std::ptrdiff_t length : some_lengths) {
      const row_block block{3, length, 1};
      SCOPED_TRACE(testing::Message() << name_of(kind) << " of " << block);
      const auto input = input_for<T>(block, plain_data, 223, false);
      const formula f{kind, 0, 0};
      const auto result = backward_of(f, block, input);
      const std::size_t n = block.length();
      for (std::size_t row = 0; row < block.rows(); ++row) {
        const auto part = [&](const std::vector<T>& all) {
          const auto first = all.begin() + static_cast<std::ptrdiff_t>(row * n);
          return widen(std::vector<T>(first, first + length));
        };
        const auto x = part(input.x);
        check(part(input.dy), x, part(result.x), reference_row(f, x, {}, {}));
      }
    }
  }

  /// sum(dx c) where it must be `expected`: each element of dx may be off by its bound.
  static void expect_sum(const std::vector<real>& dx, const std::vector<real>& c, real expected) {
    real peak = 0, sizes = 0;
    for (const real value : dx) peak = std::max(peak, std::abs(value));
    for (const real value : c) sizes += std::abs(value);
    const real bound = dx_bound<T>(peak, peak, 0) * sizes;
    EXPECT_LE(std::abs(sum_over(dx.size(), [&](std::size_t i) { return dx[i] * c[i]; }) - expected), bound);
  }
};
TYPED_TEST_SUITE(identities, scalars, scalar_names);

TYPED_TEST(identities, dx_of_layer_norm_sums_to_zero) {
  this->for_each_row(norm::layer, [&](const auto&, const auto&, const auto& dx, const row_reference&) {
    this->expect_sum(dx, std::vector<real>(dx.size(), 1), 0);
  });
}

TYPED_TEST(identities, dx_of_layer_norm_without_eps_is_orthogonal_to_the_normalized_row) {
  this->for_each_row(norm::layer, [&](const auto&, const auto&, const auto& dx, const row_reference& row) {
    this->expect_sum(dx, row.y, 0);
  });
}

TYPED_TEST(identities, dx_of_rms_norm_without_eps_is_orthogonal_to_x) {
  this->for_each_row(norm::rms, [&](const auto&, const auto& x, const auto& dx, const row_reference&) {
    this->expect_sum(dx, x, 0);
  });
}

TYPED_TEST(identities, dx_of_simple_norm_without_eps_is_orthogonal_to_x_and_sums_to_that_of_dy_times_r) {
  this->for_each_row(norm::simple,
                     [&](const auto& dy, const auto& x, const auto& dx, const row_reference& row) {
                       this->expect_sum(dx, x, 0);
                       const real sum = sum_over(dy.size(), [&](std::size_t i) { return dy[i]; });
                       this->expect_sum(dx, std::vector<real>(dx.size(), 1), row.rstd * sum);
                     });
}

template <class T>
std::vector<T> times(std::vector<T> values, double factor) {
  for (T& value : values) value = narrow<T>(static_cast<double>(widen(value)) * factor);
  return values;
}

TYPED_TEST(identities, doubling_dy_doubles_every_gradient_to_the_bit) {
  using T = TypeParam;
  for (const formula& f : three_norms())
    for (const row_block& block :
         {row_block{5, 7, 1}, row_block{3, 130, 1}, row_block{2, 1025, 1}, row_block{2, 9, 37}}) {
      auto input = input_for<T>(block, plain_data, 224);
      const auto once = backward_of(f, block, input);
      input.dy = times(input.dy, 2);
      const auto twice = backward_of(f, block, input);
      // Numbers too small to be normal round as they like.
      for (std::size_t i = 0; i < once.x.size(); ++i) {
        if (std::abs(widen(once.x[i])) > 4 * ulp<T>(0) / epsilon<T>()) {
          EXPECT_EQ(widen(twice.x[i]), 2 * widen(once.x[i])) << name_of(f.kind) << " of " << block;
        }
      }
      EXPECT_TRUE(same_bits(twice.weight, times(once.weight, 2))) << name_of(f.kind) << " of " << block;
      EXPECT_TRUE(same_bits(twice.bias, times(once.bias, 2))) << name_of(f.kind) << " of " << block;
    }
}

TYPED_TEST(identities, a_zero_dy_gives_zeros) {
  using T = TypeParam;
  for (const formula& f : three_norms())
    for (const row_block& block : {row_block{5, 7, 1}, row_block{3, 130, 1}, row_block{2, 9, 37}}) {
      auto input = input_for<T>(block, plain_data, 225);
      std::ranges::fill(input.dy, T(0));
      const auto result = backward_of(f, block, input);
      for (const auto* values : {&result.x, &result.weight, &result.bias})
        for (const T value : *values) EXPECT_EQ(widen(value), 0) << name_of(f.kind) << " of " << block;
    }
}

TYPED_TEST(identities, a_weight_of_ones_is_none_and_a_unit_offset_of_zeros_too) {
  using T = TypeParam;
  for (const formula& f : three_norms())
    for (const row_block& block : {row_block{5, 7, 1}, row_block{3, 130, 1}, row_block{2, 9, 37}}) {
      auto input = input_for<T>(block, plain_data, 226, false);
      const auto none = backward_of(f, block, input);
      input.weight.assign(block.length(), narrow<T>(1));
      const auto ones = backward_of(f, block, input);
      input.weight.assign(block.length(), narrow<T>(0));
      const auto zeros = backward_of(f, block, input, nullptr, true);
      for (const auto* other : {&ones, &zeros}) {
        EXPECT_TRUE(same_bits(other->x, none.x)) << name_of(f.kind) << " of " << block;
        EXPECT_TRUE(same_bits(other->weight, none.weight)) << name_of(f.kind) << " of " << block;
        EXPECT_TRUE(same_bits(other->bias, none.bias)) << name_of(f.kind) << " of " << block;
      }
    }
}

TYPED_TEST(identities, dbias_of_small_integers_is_exact) {
  using T = TypeParam;
  for (const row_block& block : {row_block{9, 3, 1}, row_block{100, 65, 1}, row_block{2, 40, 17}}) {
    auto input = input_for<T>(block, plain_data, 227);
    for (std::size_t i = 0; i < input.dy.size(); ++i)
      input.dy[i] = narrow<T>(static_cast<double>(i * i % 7) - 3);
    const auto result = backward_of({norm::layer, 1e-5, 0}, block, input);
    const auto expected = expected_gradients({norm::layer, 1e-5, 0}, block, input);
    for (std::size_t i = 0; i < block.length(); ++i)
      EXPECT_EQ(widen(result.bias[i]), expected.bias.value[i]) << block << ", element " << i;
  }
}

TYPED_TEST(identities, each_norm_has_a_gradient_of_its_own_on_a_row_with_a_mean) {
  using T = TypeParam;
  const row_block block{1, 64, 1};
  const auto input = input_for<T>(block, {"N(1, 1)", 1, 1}, 228);
  const auto rms = backward_of({norm::rms, 1e-6, 0}, block, input);
  const auto simple = backward_of({norm::simple, 1e-6, 0}, block, input);
  const auto layer = backward_of({norm::layer, 1e-6, 0}, block, input);
  const auto distance = [](const std::vector<T>& a, const std::vector<T>& b) {
    real largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      largest = std::max(largest, std::abs(widen(a[i]) - widen(b[i])));
    return largest;
  };
  for (const auto part : {&gradients<T>::x, &gradients<T>::weight}) {
    EXPECT_GT(distance(rms.*part, simple.*part), 0.1);
    EXPECT_GT(distance(simple.*part, layer.*part), 0.1);
    EXPECT_GT(distance(layer.*part, rms.*part), 0.1);
  }
}

TYPED_TEST(identities, layer_norm_of_one_element_has_no_gradient_but_that_of_the_bias) {
  using T = TypeParam;
  for (const std::ptrdiff_t rows : {1, 2, 65, 1000})
    for (const std::ptrdiff_t inner : {1, 5, 70})
      for (const data_kind& kind : everyday_data) {
        const row_block block{rows, 1, inner};
        const auto input = input_for<T>(block, kind, 229);
        const auto result = backward_of({norm::layer, 1e-5, 0}, block, input);
        for (const T dx : result.x) ASSERT_EQ(widen(dx), 0) << block << " of " << kind.name;
        EXPECT_EQ(widen(result.weight[0]), 0) << block << " of " << kind.name;
        EXPECT_TRUE(
            dbias_within_bounds<T>(result.bias, expected_gradients({norm::layer, 1e-5, 0}, block, input)));
      }
}

TYPED_TEST(identities, dweight_of_constant_rows_is_exactly_zero_in_layer_norm) {
  using T = TypeParam;
  for (std::ptrdiff_t length = 1; length <= 259; ++length)
    for (const double value : {1.0, 0.1, 1e4, -7.3, 0.0}) {
      const row_block block{3, length, length % 3 == 0 ? 5 : 1};
      auto input = input_for<T>(block, plain_data, 230);
      input.x.assign(block.count(), narrow<T>(value));
      for (const T dweight : backward_of({norm::layer, 1e-5, 0}, block, input).weight)
        ASSERT_EQ(widen(dweight), 0) << block << " of " << value;
    }
}

TYPED_TEST(identities, constant_rows_match_the_long_double_reference) {
  using T = TypeParam;
  for (const formula& f : three_norms())
    for (const std::ptrdiff_t length : some_lengths)
      for (const double value : {0.0, 0.1, 1e4}) {
        const row_block block{3, length, 1};
        auto input = input_for<T>(block, plain_data, 231);
        input.x.assign(block.count(), narrow<T>(value));
        const auto result = backward_of(f, block, input);
        const auto expected = expected_gradients(f, block, input);
        EXPECT_TRUE(dx_within_bounds(result.x, expected))
            << name_of(f.kind) << " of " << block << " of " << value;
        EXPECT_TRUE(dweight_within_bounds<T>(result.weight, expected)) << name_of(f.kind) << " of " << block;
      }
}

}  // namespace
}  // namespace tensornorm_test
