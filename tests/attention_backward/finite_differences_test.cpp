// Gradients are those of attention: central differences in double, of the oracle's forward pass and of the
// library's own.
#include <gtest/gtest.h>

#include <span>

#include "../support/attention_backward_bounds.hpp"

namespace tensornorm_test {
namespace {

using list = modifier_list<double>;
using tn::align;

/// The derivative of sum(dout o) by each number of `variable`, which forward() reads.
template <class Forward>
std::vector<real> differences(std::span<double> variable, const std::vector<double>& dout,
                              const Forward& forward) {
  std::vector<real> slopes;
  for (double& value : variable) {
    const double here = value;
    const volatile double up = here + 1e-5, down = here - 1e-5;
    value = up;
    const std::vector<real> above = forward();
    value = down;
    const std::vector<real> below = forward();
    value = here;
    real loss = 0;
    for (std::size_t i = 0; i < dout.size(); ++i) loss += widen(dout[i]) * (above[i] - below[i]);
    slopes.push_back(loss / (widen<double>(up) - widen<double>(down)));
  }
  return slopes;
}

void expect_close(const char* name, const std::vector<double>& gradient, const std::vector<real>& slopes) {
  ASSERT_EQ(gradient.size(), slopes.size()) << name;
  real peak = 0;
  for (const real slope : slopes) peak = std::max(peak, std::abs(slope));
  EXPECT_GT(peak, 1e-3L) << name << ": nothing to compare";
  for (std::size_t i = 0; i < slopes.size(); ++i)
    EXPECT_LE(std::abs(widen(gradient[i]) - slopes[i]), 1e-7L * peak)
        << name << " element " << i << " is " << gradient[i] << ", the difference " << slopes[i];
}

/// Attention with everything that its gradients depend on, in memory that can be changed.
struct variables {
  attention_inputs<double> in;
  std::vector<double> dout;
  list m;
  std::shared_ptr<double[]> bias, sinks;

  explicit variables(const attention_shape& shape)
      : in{shape, normal<double>(shape.q_count(), 851), normal<double>(shape.k_count(), 852),
           normal<double>(shape.v_count(), 853)},
        dout(normal<double>(shape.o_count(), 854, 0.25)) {}

  void set_bias(const std::array<std::ptrdiff_t, 4>& size) {
    normal_source noise(855);
    const auto values = make_spread<double>(size, [&](const score_index&) { return noise(); });
    bias = std::shared_ptr<double[]>(new double[values.count()]);
    std::copy_n(values.data.get(), values.count(), bias.get());
    m.bias = {size, bias};
  }
  void set_sinks(std::initializer_list<double> values) {
    sinks = std::shared_ptr<double[]>(new double[values.size()]);
    std::ranges::copy(values, sinks.get());
    m.sinks = {sinks, static_cast<std::ptrdiff_t>(values.size())};
  }

  /// o and lse of forward(), which reads these variables, and the gradients at them, against its differences.
  template <class Forward>
  void expect(attention_path path, const attention_result<double>& at, const Forward& forward) {
    const auto gradient = differentiated(path, attention_backward_inputs<double>{in, dout, at.o, at.lse}, m);
    expect_close("dq", gradient.q, differences(in.q, dout, forward));
    expect_close("dk", gradient.k, differences(in.k, dout, forward));
    expect_close("dv", gradient.v, differences(in.v, dout, forward));
    if (m.bias)
      expect_close("dbias", gradient.bias, differences({bias.get(), m.bias->count()}, dout, forward));
    if (m.sinks)
      expect_close("dsinks", gradient.sinks,
                   differences({sinks.get(), gradient.sinks.size()}, dout, forward));
  }
  void expect_of_the_oracle() {
    for (const attention_path path : both_paths) {
      SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << in.shape);
      const auto exact = expected_attention(in, m);
      expect(path, {narrowed<double>(exact.o), narrowed<double>(exact.lse)},
             [&] { return expected_attention(in, m).o; });
    }
  }
  void expect_of_the_library() {
    for (const attention_path path : both_paths) {
      SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << in.shape);
      expect(path, attended(path, in, m), [&] { return widen(attended(path, in, m).o); });
    }
  }
};

constexpr attention_shape shapes[] = {
    {.batch = 2, .heads = 2, .queries = 3, .keys = 5, .dim = 4, .key_heads = 1, .dim_v = 3},
    {.batch = 2, .heads = 2, .queries = 6, .keys = 4, .dim = 3},
    {.batch = 2, .heads = 2, .queries = 1, .keys = 19, .dim = 2, .dim_v = 5},
    {.batch = 2, .heads = 2, .queries = 9, .keys = 2, .dim = 1, .key_heads = 1}};

class finite_differences_of_attention : public testing::TestWithParam<attention_shape> {
 protected:
  static void expect(const auto& prepare) {
    variables v(GetParam());
    prepare(v);
    v.expect_of_the_oracle();
    v.expect_of_the_library();
  }
};

INSTANTIATE_TEST_SUITE_P(shapes, finite_differences_of_attention, testing::ValuesIn(shapes),
                         [](const auto& shape) {
                           return std::to_string(shape.param.queries) + "_queries_" +
                                  std::to_string(shape.param.keys) + "_keys";
                         });

TEST_P(finite_differences_of_attention, without_modifiers) {
  expect([](variables&) {});
}

TEST_P(finite_differences_of_attention, with_a_bias_a_mask_and_lengths) {
  for (const bool broadcast : {false, true})
    expect([&](variables& v) {
      const attention_shape& s = v.in.shape;
      v.set_bias(broadcast ? std::array<std::ptrdiff_t, 4>{1, s.heads, 1, s.keys} : scores_of(s));
      v.m.mask = make_spread<bool>({1, 1, s.queries, s.keys},
                                   [](const score_index& at) { return (at.query + 2 * at.key) % 4 != 3; });
      v.m.lengths = {static_cast<std::int32_t>(s.keys), static_cast<std::int32_t>((s.keys + 1) / 2)};
    });
}

TEST_P(finite_differences_of_attention, with_every_modifier) {
  for (const bool broadcast : {false, true})
    expect([&](variables& v) {
      const attention_shape& s = v.in.shape;
      v.set_bias(broadcast ? std::array<std::ptrdiff_t, 4>{s.batch, 1, s.queries, s.keys} : scores_of(s));
      v.set_sinks({0.5, -0.75});
      v.m.softcap = 1.25;
      v.m.alibi = {{0.25, 0.125}, align::bottom_right};
      v.m.causal = align::bottom_right;
      v.m.window = window_sizes{12, 2};
      v.m.mask = make_spread<bool>({1, 1, s.queries, s.keys},
                                   [](const score_index& at) { return (at.query + at.key) % 5 != 4; });
      v.m.lengths = {static_cast<std::int32_t>(s.keys), static_cast<std::int32_t>(s.keys - s.keys / 3)};
    });
}

}  // namespace
}  // namespace tensornorm_test
