// Attention, fused and unfused, against values that PyTorch computed; attention.py says how.
#include "attention.hpp"

#include <gtest/gtest.h>

#include <tensornorm/tensornorm.hpp>

namespace tensornorm_test {
namespace {

template <class T>
struct fused {
  using scalar = T;
  static void run(row_major_tensor<T, 4>& o, const auto&... arguments) { o = tn::attention(arguments...); }
};

template <class T>
struct unfused {
  using scalar = T;
  static void run(row_major_tensor<T, 4>& o, const auto&... arguments) {
    o = tn::attention_unfused(arguments...);
  }
};

/// One element against PyTorch's. A bound of 0 leaves one value, be it infinite.
template <class T>
testing::AssertionResult is_near(T value, double expected, real bound) {
  const real error = widen(value) == static_cast<real>(expected) ? 0 : std::abs(widen(value) - expected);
  if (error <= bound) return testing::AssertionSuccess();
  return testing::AssertionFailure() << value << ", expected " << expected << ": error " << error
                                     << ", bound " << bound;
}

template <class Path>
class attention_golden : public testing::Test {
 protected:
  using T = typename Path::scalar;

  /// The promised error, and PyTorch's own in double. An error in the scores is one of the same size
  /// in the log of the denominator, which is then rounded; an empty row has none at all.
  static void expect(const attention_case& golden, const auto&... modifiers) {
    const auto q = tensor_as<T, 4>(golden.q), k = tensor_as<T, 4>(golden.k), v = tensor_as<T, 4>(golden.v);
    row_major_tensor<T, 4> o;
    row_major_tensor<T, 3> lse;
    Path::run(o, q, k, v, modifiers..., tn::save_lse(lse));
    ASSERT_EQ(extents_of(o), golden.o.size);
    ASSERT_EQ(extents_of(lse), golden.lse.size);

    const auto dim = static_cast<std::size_t>(golden.o.size.back());
    const real eps = epsilon<T>() + epsilon<double>();
    for (std::size_t row = 0; row < golden.lse.values.size(); ++row) {
      SCOPED_TRACE(testing::Message() << golden.name << ", query " << row);
      const real scores_error = 2 * (4 + static_cast<real>(golden.score_peak.values[row])) * eps;
      const double* const expected = &golden.o.values[row * dim];
      real peak = 0;
      for (std::size_t d = 0; d < dim; ++d) peak = std::max(peak, std::abs(static_cast<real>(expected[d])));
      for (std::size_t d = 0; d < dim; ++d)
        EXPECT_TRUE(is_near(o.data()[row * dim + d], expected[d], scores_error * peak)) << "element " << d;

      const double log = golden.lse.values[row];
      const real log_bound = std::isinf(log) ? 0 : scores_error + eps * static_cast<real>(std::abs(log));
      EXPECT_TRUE(is_near(lse.data()[row], log, log_bound)) << "lse";
    }
  }
};

struct path_names {
  template <class Path>
  static std::string GetName(int) {
    const std::string scalar = scalar_names::GetName<typename Path::scalar>(0);
    return (std::is_same_v<Path, fused<typename Path::scalar>> ? "fused_" : "unfused_") + scalar;
  }
};
using paths = testing::Types<fused<float>, unfused<float>, fused<double>, unfused<double>>;
TYPED_TEST_SUITE(attention_golden, paths, path_names);

const attention_case& named(const std::string& name) { return case_named(name, attention_cases); }

TYPED_TEST(attention_golden, without_modifiers) { this->expect(named("no_modifiers")); }

TYPED_TEST(attention_golden, values_of_another_head_size) {
  this->expect(named("values_of_another_head_size"));
}

TYPED_TEST(attention_golden, neighbouring_heads_share_a_key_head) {
  this->expect(named("key_heads_in_groups"));
}

TYPED_TEST(attention_golden, causal_top_left_counts_from_the_first_key) {
  this->expect(named("causal_top_left_few_queries"), tn::causal(tn::align::top_left));
  this->expect(named("causal_top_left_few_keys"), tn::causal(tn::align::top_left));
}

TYPED_TEST(attention_golden, causal_bottom_right_ends_at_the_last_key) {
  this->expect(named("causal_bottom_right_few_queries"), tn::causal(tn::align::bottom_right));
  this->expect(named("causal_bottom_right_few_keys"), tn::causal(tn::align::bottom_right));
}

TYPED_TEST(attention_golden, windows_follow_their_alignment) {
  for (const char* name : {"window_bottom_right", "window_to_the_left_bottom_right"})
    this->expect(named(name), tn::window(named(name).left, named(name).right));
  for (const char* name : {"window_top_left", "window_to_the_left_top_left"})
    this->expect(named(name), tn::window(named(name).left, named(name).right, tn::align::top_left));
}

TYPED_TEST(attention_golden, alibi_follows_its_alignment) {
  using scalar = typename TypeParam::scalar;
  const auto &top_left = named("alibi_top_left"), &bottom_right = named("alibi_bottom_right");
  const auto slopes = tensor_as<scalar, 1>(*top_left.slopes);
  this->expect(top_left, tn::alibi(slopes, tn::align::top_left));
  this->expect(bottom_right, tn::alibi(slopes));
}

TYPED_TEST(attention_golden, true_in_a_mask_means_attend) {
  const auto& golden = named("keep_mask");
  const auto keep = tensor_as<bool, 4>(*golden.keep_mask);
  this->expect(golden, tn::keep_mask(keep));
}

TYPED_TEST(attention_golden, score_bias_is_added_and_minus_infinity_is_an_absent_key) {
  const auto& golden = named("score_bias");
  const auto bias = tensor_as<typename TypeParam::scalar, 3>(*golden.score_bias);
  this->expect(golden, tn::score_bias(bias));
}

TYPED_TEST(attention_golden, softcap) {
  const auto& golden = named("softcap");
  this->expect(golden, tn::softcap(static_cast<float>(golden.softcap)));
}

TYPED_TEST(attention_golden, sinks_take_their_part_of_the_denominator) {
  using scalar = typename TypeParam::scalar;
  const auto &golden = named("sinks"), &causal = named("causal_with_sinks");
  const auto sinks = tensor_as<scalar, 1>(*golden.sinks);
  this->expect(golden, tn::sinks(sinks));
  this->expect(causal, tn::sinks(sinks), tn::causal(tn::align::bottom_right));
}

TYPED_TEST(attention_golden, key_lengths_end_each_batch_element) {
  const auto &golden = named("key_lengths"), &causal = named("causal_key_lengths");
  const auto lengths = tensor_as<std::int64_t, 1>(*golden.key_lengths);
  this->expect(golden, tn::key_lengths(lengths));
  const auto causal_lengths = tensor_as<std::int32_t, 1>(*causal.key_lengths);
  this->expect(causal, tn::key_lengths(causal_lengths), tn::causal(tn::align::bottom_right));
}

TYPED_TEST(attention_golden, modifiers_apply_in_one_order_whatever_the_order_of_the_call) {
  using scalar = typename TypeParam::scalar;
  const auto& golden = named("all");
  const auto slopes = tensor_as<scalar, 1>(*golden.slopes), sinks = tensor_as<scalar, 1>(*golden.sinks);
  const auto bias = tensor_as<scalar, 2>(*golden.score_bias);
  const auto keep = tensor_as<bool, 4>(*golden.keep_mask);
  const auto lengths = tensor_as<std::int64_t, 1>(*golden.key_lengths);
  const auto window = tn::window(golden.left, golden.right);
  const auto softcap = tn::softcap(static_cast<float>(golden.softcap));
  this->expect(golden, softcap, tn::score_bias(bias), tn::alibi(slopes), tn::sinks(sinks),
               tn::keep_mask(keep), window, tn::key_lengths(lengths));
  this->expect(golden, tn::key_lengths(lengths), window, tn::keep_mask(keep), tn::sinks(sinks),
               tn::alibi(slopes), tn::score_bias(bias), softcap);
}

}  // namespace
}  // namespace tensornorm_test
