// What holds for the gradients of attention whatever the numbers are.
#include <gtest/gtest.h>

#include <numeric>

#include "../support/attention_backward_bounds.hpp"

namespace tensornorm_test {
namespace {

using list = modifier_list<float>;
using inputs = attention_backward_inputs<float>;

constexpr attention_shape shapes[] = {
    {.batch = 2, .heads = 4, .queries = 1, .keys = 70, .dim = 16, .key_heads = 2, .dim_v = 9},
    {.batch = 1, .heads = 2, .queries = 67, .keys = 65, .dim = 33},
    {.batch = 2, .heads = 2, .queries = 130, .keys = 31, .dim = 8, .key_heads = 1, .dim_v = 64}};

/// Every element as far from 0 as two errors of its row at most: that of the gradient, and that of the
/// rounded o and lse which it was given.
testing::AssertionResult all_zero(const std::vector<float>& gradient, const gradient_sums& expected) {
  for (std::size_t i = 0; i < gradient.size(); ++i)
    if (!(std::abs(widen(gradient[i])) <= 2 * gradient_error<float>(expected, i / expected.row_size)))
      return testing::AssertionFailure() << "element " << i << " is " << gradient[i];
  return testing::AssertionSuccess();
}

/// Each element of a within as many errors of b.
testing::AssertionResult near(const std::vector<float>& a, const std::vector<float>& b,
                              const gradient_sums& expected, real errors) {
  return each_within(a, widen(b), [&](std::size_t i) {
    return errors * gradient_error<float>(expected, i / expected.row_size);
  });
}

struct identities_of_attention : testing::TestWithParam<attention_path> {
  static auto backward(const inputs& in, const list& m = {}) { return differentiated(GetParam(), in, m); }
};

INSTANTIATE_TEST_SUITE_P(paths, identities_of_attention, testing::ValuesIn(both_paths),
                         [](const auto& path) { return name_of_backward(path.param); });

TEST_P(identities_of_attention, the_gradients_of_the_scores_of_a_query_sum_to_zero) {
  for (const attention_shape& shape : shapes) {
    list m;
    m.bias = make_spread<float>({shape.batch, shape.heads, shape.queries, 1}, [](const score_index& at) {
      return 0.5f * static_cast<float>(at.query % 5);
    });
    const auto in = make_backward_inputs<float>(shape, 861, m);
    const auto expected = expected_gradients(in, m);
    EXPECT_TRUE(all_zero(backward(in, m).bias, expected.bias)) << shape;
  }
}

TEST_P(identities_of_attention, a_number_that_all_keys_share_has_no_gradient) {
  // Moving all keys of a head by the same vector changes all scores of a query alike.
  for (const attention_shape& shape : shapes) {
    const auto in = make_backward_inputs<float>(shape, 862);
    const auto expected = expected_gradients(in);
    const auto dk = backward(in).k;
    const auto dim = static_cast<std::size_t>(shape.dim), keys = static_cast<std::size_t>(shape.keys);
    for (std::size_t head = 0; head < shape.key_rows() / keys; ++head)
      for (std::size_t d = 0; d < dim; ++d) {
        real sum = 0, bound = 0;
        for (std::size_t row = head * keys; row < (head + 1) * keys; ++row) {
          sum += widen(dk[row * dim + d]);
          bound += 2 * gradient_error<float>(expected.k, row);
        }
        ASSERT_LE(std::abs(sum), bound) << shape << ", head " << head << ", dim " << d;
      }
  }
}

TEST_P(identities_of_attention, the_gradients_of_all_values_sum_to_that_of_o) {
  // The weights of a query sum to one.
  for (const attention_shape& shape : shapes) {
    const auto in = make_backward_inputs<float>(shape, 863);
    const auto expected = expected_gradients(in);
    const auto dv = backward(in).v;
    const auto sum = [](const std::vector<real>& values) {
      return std::accumulate(values.begin(), values.end(), real{0});
    };
    real bound = 0;
    for (std::size_t i = 0; i < dv.size(); ++i)
      bound += 2 * gradient_error<float>(expected.v, i / expected.v.row_size);
    EXPECT_LE(std::abs(sum(widen(dv)) - sum(widen(in.dout))), bound) << shape;
  }
}

TEST_P(identities_of_attention, the_gradients_of_a_sink_and_of_the_scores_of_its_head_sum_to_zero) {
  for (const attention_shape& shape : shapes) {
    const auto heads = static_cast<std::size_t>(shape.heads);
    list m;
    m.softcap = 3;
    m.bias = make_spread<float>({1, shape.heads, 1, 1}, [](const score_index&) { return 0.25f; });
    m.alibi = {std::vector<float>(heads, 0.125f), tn::align::bottom_right};
    m.causal = tn::align::bottom_right;
    m.window = window_sizes{90, 4};
    m.mask = make_spread<bool>({1, 1, 1, shape.keys}, [](const score_index& at) { return at.key % 4 != 2; });
    m.lengths = std::vector<std::int32_t>(static_cast<std::size_t>(shape.batch),
                                          static_cast<std::int32_t>(shape.keys - 3));
    m.sinks = std::vector<float>(heads, 0.5f);
    const auto in = make_backward_inputs<float>(shape, 864, m);
    const auto expected = expected_gradients(in, m);
    const auto result = backward(in, m);
    for (std::size_t head = 0; head < heads; ++head) {
      EXPECT_GT(std::abs(result.sinks[head]), 1e-3f) << shape;
      EXPECT_LE(
          std::abs(widen(result.bias[head]) + widen(result.sinks[head])),
          2 * gradient_error<float>(expected.bias, head) + 2 * gradient_error<float>(expected.sinks, head))
          << shape << ", head " << head;
    }
  }
}

TEST_P(identities_of_attention, one_key_gets_all_and_has_no_score_to_change) {
  for (const std::ptrdiff_t queries : {1, 5, 66, 130}) {
    const attention_shape shape{
        .batch = 2, .heads = 2, .queries = queries, .keys = 1, .dim = 33, .dim_v = 17};
    const auto in = make_backward_inputs<float>(shape, 865);
    const auto expected = expected_gradients(in);
    const auto result = backward(in);
    EXPECT_TRUE(all_zero(result.q, expected.q)) << shape;
    EXPECT_TRUE(all_zero(result.k, expected.k)) << shape;
    std::vector<float> sums(result.v.size(), 0);
    for (std::size_t i = 0; i < in.dout.size(); ++i)
      sums[i / (17 * static_cast<std::size_t>(queries)) * 17 + i % 17] += in.dout[i];
    EXPECT_TRUE(near(result.v, sums, expected.v, 2)) << shape;
  }
}

TEST_P(identities_of_attention, keys_in_another_order_have_their_gradients_in_that_order) {
  for (const attention_shape& shape : shapes) {
    const auto in = make_backward_inputs<float>(shape, 866);
    const auto expected = expected_gradients(in);
    const auto result = backward(in);
    const auto keys = static_cast<std::size_t>(shape.keys);
    // A multiplier without a factor in common with any of the numbers of keys.
    const auto reordered = [&](const std::vector<float>& rows, std::size_t size) {
      std::vector<float> moved(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::size_t row = i / size, head = row / keys, key = (row % keys * 19 + 3) % keys;
        moved[(head * keys + key) * size + i % size] = rows[i];
      }
      return moved;
    };
    const auto dim = static_cast<std::size_t>(shape.dim), dim_v = static_cast<std::size_t>(shape.size_of_v());
    auto other = in;
    other.k = reordered(in.k, dim);
    other.v = reordered(in.v, dim_v);
    const auto moved = backward(other);
    const auto expected_there = expected_gradients(other);
    EXPECT_TRUE(near(moved.q, result.q, expected.q, 2)) << shape;
    EXPECT_TRUE(near(moved.k, reordered(result.k, dim), expected_there.k, 2)) << shape;
    EXPECT_TRUE(near(moved.v, reordered(result.v, dim_v), expected_there.v, 2)) << shape;
  }
}

TEST_P(identities_of_attention, a_number_added_to_all_scores_changes_no_gradient) {
  for (const attention_shape& shape : shapes) {
    const auto plain = make_backward_inputs<float>(shape, 867);
    list m;
    m.bias = make_spread<float>({1, 1, 1, 1}, [](const score_index&) { return 3.f; });
    const auto in = with_forward<float>(plain, plain.dout, m);
    const auto expected = expected_gradients(in, m);
    const auto result = backward(in, m), without = backward(plain);
    EXPECT_TRUE(near(result.q, without.q, expected.q, 2)) << shape;
    EXPECT_TRUE(near(result.k, without.k, expected.k, 2)) << shape;
    EXPECT_TRUE(near(result.v, without.v, expected.v, 2)) << shape;
    EXPECT_TRUE(all_zero(result.bias, expected.bias)) << shape;
  }
}

TEST_P(identities_of_attention, gradients_are_linear_in_that_of_o) {
  for (const attention_shape& shape : shapes) {
    const auto in = make_backward_inputs<float>(shape, 868);
    const auto result = backward(in);
    auto other = in;
    for (float& value : other.dout) value *= -4;
    auto scaled = result;
    for (auto* gradient : {&scaled.q, &scaled.k, &scaled.v})
      for (float& value : *gradient) value *= -4;
    EXPECT_TRUE(same_bits(backward(other), scaled)) << shape << ": a power of two rounds nothing";

    other.dout = normal<float>(in.dout.size(), 869);
    const auto second = backward(other);
    for (std::size_t i = 0; i < in.dout.size(); ++i) other.dout[i] += in.dout[i];
    const auto expected = expected_gradients(other);
    const auto sum = backward(other);
    const auto added = [](std::vector<float> a, const std::vector<float>& b) {
      for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
      return a;
    };
    EXPECT_TRUE(near(sum.q, added(result.q, second.q), expected.q, 4)) << shape;
    EXPECT_TRUE(near(sum.k, added(result.k, second.k), expected.k, 4)) << shape;
    EXPECT_TRUE(near(sum.v, added(result.v, second.v), expected.v, 4)) << shape;
  }
}

TEST_P(identities_of_attention, no_gradient_of_o_is_no_gradient_at_all) {
  for (const attention_shape& shape : shapes) {
    auto in = make_backward_inputs<float>(shape, 870);
    std::ranges::fill(in.dout, 0.f);
    const auto result = backward(in);
    for (const auto* gradient : {&result.q, &result.k, &result.v})
      for (const float value : *gradient) ASSERT_EQ(value, 0) << shape;
  }
}

TEST_P(identities_of_attention, queries_and_keys_share_what_their_products_change) {
  // sum q dq = sum k dk = sum s ds.
  for (const attention_shape& shape : shapes) {
    const auto in = make_backward_inputs<float>(shape, 871);
    const auto expected = expected_gradients(in);
    const auto result = backward(in);
    real difference = 0, bound = 0;
    for (std::size_t i = 0; i < in.q.size(); ++i) {
      difference += widen(in.q[i]) * widen(result.q[i]);
      bound += std::abs(widen(in.q[i])) * gradient_error<float>(expected.q, i / expected.q.row_size);
    }
    for (std::size_t i = 0; i < in.k.size(); ++i) {
      difference -= widen(in.k[i]) * widen(result.k[i]);
      bound += std::abs(widen(in.k[i])) * gradient_error<float>(expected.k, i / expected.k.row_size);
    }
    EXPECT_LE(std::abs(difference), bound) << shape;
  }
}

TEST_P(identities_of_attention, heads_that_share_keys_add_up_what_copies_of_them_would_get) {
  for (const attention_shape& shape : shapes) {
    const std::ptrdiff_t group = shape.heads / shape.heads_of_keys();
    if (group == 1) continue;
    const auto in = make_backward_inputs<float>(shape, 872);
    const auto expected = expected_gradients(in);
    const auto result = backward(in);
    auto copied = in;
    copied.shape.key_heads = shape.heads;
    copied.k.clear();
    copied.v.clear();
    for (std::ptrdiff_t head = 0; head < shape.batch * shape.heads; ++head) {
      const auto append = [&](std::vector<float>& to, const std::vector<float>& from, std::ptrdiff_t count) {
        to.insert(to.end(), from.begin() + head / group * count, from.begin() + (head / group + 1) * count);
      };
      append(copied.k, in.k, shape.keys * shape.dim);
      append(copied.v, in.v, shape.keys * shape.size_of_v());
    }
    const auto apart = backward(copied);
    const auto merged = [&](const std::vector<float>& copies, std::ptrdiff_t count) {
      std::vector<float> sums(copies.size() / static_cast<std::size_t>(group), 0);
      const auto size = static_cast<std::size_t>(count);
      for (std::size_t i = 0; i < copies.size(); ++i)
        sums[i / size / static_cast<std::size_t>(group) * size + i % size] += copies[i];
      return sums;
    };
    EXPECT_TRUE(near(apart.q, result.q, expected.q, 2)) << shape;
    EXPECT_TRUE(near(merged(apart.k, shape.keys * shape.dim), result.k, expected.k, 2)) << shape;
    EXPECT_TRUE(near(merged(apart.v, shape.keys * shape.size_of_v()), result.v, expected.v, 2)) << shape;
  }
}

}  // namespace
}  // namespace tensornorm_test
