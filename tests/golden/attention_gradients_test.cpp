// Gradients of attention, fused and unfused, against values that PyTorch computed; attention_gradients.py
// says how.
#include "attention_gradients.hpp"

#include <gtest/gtest.h>

#include <tensornorm/tensornorm.hpp>

namespace tensornorm_test {
namespace {

template <class T>
struct fused {
  using scalar = T;
  static constexpr const char* name = "fused_";
  static void forward(row_major_tensor<T, 4>& o, const auto&... arguments) {
    o = tn::attention(arguments...);
  }
  static void backward(const auto&... arguments) { tn::attention_backward(arguments...); }
};

template <class T>
struct unfused {
  using scalar = T;
  static constexpr const char* name = "unfused_";
  static void forward(row_major_tensor<T, 4>& o, const auto&... arguments) {
    o = tn::attention_unfused(arguments...);
  }
  static void backward(const auto&... arguments) { tn::attention_unfused_backward(arguments...); }
};

template <class Path>
class attention_gradients_golden : public testing::Test {
 protected:
  using T = typename Path::scalar;
  using tensor = row_major_tensor<T, 4>;

  /// Within 2 (8 + max|s|) e max|gradient|, e with PyTorch's own error in double.
  template <class Tensor>
  static void expect_near(const char* name, const Tensor& gradient, const golden_tensor& golden,
                          double score_peak) {
    ASSERT_EQ(extents_of(gradient), golden.size) << name;
    real largest = 0;
    for (const double value : golden.values) largest = std::max(largest, std::abs(widen(value)));
    const real bound = 2 * (8 + widen(score_peak)) * (epsilon<T>() + epsilon<double>()) * largest;
    const auto elements = elements_of(gradient);
    for (std::size_t i = 0; i < elements.size(); ++i)
      EXPECT_LE(std::abs(widen(elements[i]) - widen(golden.values[i])), bound)
          << name << ", element " << i << " is " << elements[i] << ", expected " << golden.values[i];
  }

  /// The gradients of q, k and v, and those that the requests ask for, of the forward pass of the modifiers.
  template <class... Modifiers, class... Requests>
  static void expect(const attention_gradient_case& golden, const std::tuple<Modifiers...>& modifiers,
                     const Requests&... requests) {
    SCOPED_TRACE(golden.name);
    const auto q = tensor_as<T, 4>(golden.q), k = tensor_as<T, 4>(golden.k), v = tensor_as<T, 4>(golden.v),
               dout = tensor_as<T, 4>(golden.dout);
    tensor o, dq(q.dimensions()), dk(k.dimensions()), dv(v.dimensions());
    row_major_tensor<T, 3> lse;
    std::apply([&](const auto&... m) { Path::forward(o, q, k, v, m..., tn::save_lse(lse)); }, modifiers);
    std::apply(
        [&](const auto&... m) {
          Path::backward(dout, q, k, v, o, lse, m..., tn::grad_q(dq), tn::grad_k(dk), tn::grad_v(dv),
                         requests...);
        },
        modifiers);
    expect_near("dq", dq, golden.dq, golden.score_peak);
    expect_near("dk", dk, golden.dk, golden.score_peak);
    expect_near("dv", dv, golden.dv, golden.score_peak);
  }
};

struct path_names {
  template <class Path>
  static std::string GetName(int) {
    return Path::name + scalar_names::GetName<typename Path::scalar>(0);
  }
};
using paths = testing::Types<fused<float>, unfused<float>, fused<double>, unfused<double>>;
TYPED_TEST_SUITE(attention_gradients_golden, paths, path_names);

const attention_gradient_case& named(const std::string& name) {
  return case_named(name, attention_gradient_cases);
}

TYPED_TEST(attention_gradients_golden, without_modifiers_and_with_shared_key_heads) {
  this->expect(named("no_modifiers"), std::tuple());
  this->expect(named("key_heads_in_groups"), std::tuple());
}

TYPED_TEST(attention_gradients_golden, of_a_mask_that_leaves_a_query_and_a_key_alone) {
  const auto& golden = named("keep_mask");
  const auto keep = tensor_as<bool, 4>(*golden.keep_mask);
  this->expect(golden, std::tuple(tn::keep_mask(keep)));
}

TYPED_TEST(attention_gradients_golden, of_a_bias_that_is_broadcast) {
  using scalar = typename TypeParam::scalar;
  const auto& golden = named("score_bias");
  const auto bias = tensor_as<scalar, 3>(*golden.score_bias);
  row_major_tensor<scalar, 3> dbias(bias.dimensions());
  this->expect(golden, std::tuple(tn::score_bias(bias)), tn::grad_score_bias(dbias));
  this->expect_near("dbias", dbias, *golden.dscore_bias, golden.score_peak);
}

TYPED_TEST(attention_gradients_golden, of_softcap) {
  const auto& golden = named("softcap");
  this->expect(golden, std::tuple(tn::softcap(golden.softcap)));
}

TYPED_TEST(attention_gradients_golden, of_sinks) {
  using scalar = typename TypeParam::scalar;
  const auto& golden = named("sinks");
  const auto sinks = tensor_as<scalar, 1>(*golden.sinks);
  row_major_tensor<scalar, 1> dsinks(sinks.dimensions());
  this->expect(golden, std::tuple(tn::sinks(sinks)), tn::grad_sinks(dsinks));
  this->expect_near("dsinks", dsinks, *golden.dsinks, golden.score_peak);
}

TYPED_TEST(attention_gradients_golden, of_causal_and_of_key_lengths) {
  const auto bottom_right = tn::causal(tn::align::bottom_right);
  this->expect(named("causal_top_left"), std::tuple(tn::causal(tn::align::top_left)));
  this->expect(named("causal_few_keys"), std::tuple(bottom_right));
  const auto lengths = tensor_as<std::int64_t, 1>(*named("key_lengths").key_lengths);
  this->expect(named("key_lengths"), std::tuple(tn::key_lengths(lengths), bottom_right));
}

TYPED_TEST(attention_gradients_golden, of_all_modifiers) {
  using scalar = typename TypeParam::scalar;
  const auto& golden = named("all");
  const auto bias = tensor_as<scalar, 3>(*golden.score_bias);
  const auto sinks = tensor_as<scalar, 1>(*golden.sinks), slopes = tensor_as<scalar, 1>(*golden.slopes);
  const auto keep = tensor_as<bool, 4>(*golden.keep_mask);
  const auto lengths = tensor_as<std::int64_t, 1>(*golden.key_lengths);
  row_major_tensor<scalar, 3> dbias(bias.dimensions());
  row_major_tensor<scalar, 1> dsinks(sinks.dimensions());
  this->expect(
      golden,
      std::tuple(tn::softcap(golden.softcap), tn::score_bias(bias), tn::alibi(slopes), tn::sinks(sinks),
                 tn::keep_mask(keep), tn::window(golden.left, golden.right), tn::key_lengths(lengths)),
      tn::grad_score_bias(dbias), tn::grad_sinks(dsinks));
  this->expect_near("dbias", dbias, *golden.dscore_bias, golden.score_peak);
  this->expect_near("dsinks", dsinks, *golden.dsinks, golden.score_peak);
}

}  // namespace
}  // namespace tensornorm_test
