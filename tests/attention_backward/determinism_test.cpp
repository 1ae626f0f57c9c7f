// The bits of gradients depend on their head alone: not on threads, on the batch around it, on its position
// or on where the numbers lie.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

template <class T>
class attention_backward_gives_the_same_bits : public testing::Test {
 protected:
  using accumulator = tn::accumulator_t<T>;

  static constexpr attention_shape shapes[5] = {
      {.batch = 2, .heads = 4, .queries = 5, .keys = 70, .dim = 16, .key_heads = 2, .dim_v = 9},
      {.batch = 1, .heads = 4, .queries = 1, .keys = 1030, .dim = 8, .key_heads = 1},
      {.batch = 3, .heads = 4, .queries = 67, .keys = 130, .dim = 33},
      {.batch = 1, .heads = 4, .queries = 200, .keys = 197, .dim = 64, .key_heads = 2, .dim_v = 128},
      {.batch = 1, .heads = 4, .queries = 530, .keys = 40, .dim = 16}};

  static modifier_list<accumulator> every_modifier(const attention_shape& shape) {
    normal_source noise(901);
    modifier_list<accumulator> m;
    m.softcap = 3;
    m.bias = make_spread<accumulator>({1, shape.heads, 1, shape.keys},
                                      [&](const score_index&) { return narrow<accumulator>(noise()); });
    m.alibi = {{accumulator(0.5), accumulator(0.25), accumulator(0.125), accumulator(0.0625)},
               align::bottom_right};
    m.causal = align::bottom_right;
    m.window = {100, 0};
    m.mask =
        make_spread<bool>({shape.batch, 1, 1, shape.keys}, [&](const score_index&) { return noise() < 1; });
    std::vector<std::int32_t> lengths;
    for (std::ptrdiff_t b = 0; b < shape.batch; ++b)
      lengths.push_back(static_cast<std::int32_t>(shape.keys - b * shape.keys / 4));
    m.lengths = lengths;
    m.sinks = {accumulator(1), accumulator(-1), accumulator(0.5), accumulator(-2)};
    return m;
  }
  /// One set that every scalar has, with a bias whose gradient is summed over everything but heads.
  static modifier_list<accumulator> few_modifiers(const attention_shape& shape) {
    modifier_list<accumulator> m;
    m.bias =
        make_spread<accumulator>({1, shape.heads, 1, 1}, [](const score_index&) { return accumulator(1); });
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
    m.lengths = std::vector<std::int32_t>(static_cast<std::size_t>(shape.batch),
                                          static_cast<std::int32_t>(shape.keys));
    return m;
  }

  /// As many rows of a size from those of a whole call, from a row on.
  template <class S>
  static std::vector<S> part(const std::vector<S>& all, std::ptrdiff_t first, std::ptrdiff_t rows,
                             std::ptrdiff_t size) {
    return {all.begin() + first * size, all.begin() + (first + rows) * size};
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention_backward_gives_the_same_bits, scalars, scalar_names);

TYPED_TEST(attention_backward_gives_the_same_bits, on_any_number_of_threads) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto m = this->every_modifier(shape), few = this->few_modifiers(shape);
    const auto in = make_backward_inputs<T>(shape, 902), in_m = make_backward_inputs<T>(shape, 902, m);
    for (const attention_path path : both_paths) {
      const auto plain = differentiated(path, in), modified = differentiated(path, in_m, m),
                 biased = differentiated(path, in, few);
      for (const int threads : {1, 2, 3, 5}) {
        SCOPED_TRACE(testing::Message()
                     << name_of_backward(path) << ", " << shape << ", " << threads << " threads");
        Eigen::ThreadPool pool(threads);
        const Eigen::ThreadPoolDevice device(&pool, threads);
        EXPECT_TRUE(same_bits(differentiated(path, in, {}, &device), plain));
        EXPECT_TRUE(same_bits(differentiated(path, in_m, m, &device), modified)) << "modified";
        EXPECT_TRUE(same_bits(differentiated(path, in, few, &device), biased)) << "biased";
      }
    }
  }
}

TYPED_TEST(attention_backward_gives_the_same_bits, at_every_call) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes)
    for (const attention_path path : both_paths) {
      const auto m = this->every_modifier(shape);
      const auto in = make_backward_inputs<T>(shape, 903, m);
      EXPECT_TRUE(same_bits(differentiated(path, in, m), differentiated(path, in, m)))
          << name_of_backward(path) << ", " << shape;
    }
}

TYPED_TEST(attention_backward_gives_the_same_bits, alone_and_in_a_batch) {
  // A key head with the query heads that share it.
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_backward_inputs<T>(shape, 904);
    const std::ptrdiff_t group = shape.heads / shape.heads_of_keys(), size = shape.size_of_v();
    attention_shape one = shape;
    one.batch = one.key_heads = 1;
    one.heads = group;
    for (const attention_path path : both_paths) {
      const auto all = differentiated(path, in);
      for (std::ptrdiff_t head = 0; head < shape.batch * shape.heads_of_keys(); ++head) {
        const auto of_queries = [&](const auto& from, std::ptrdiff_t width) {
          return this->part(from, head * group * shape.queries, group * shape.queries, width);
        };
        const auto of_keys = [&](const auto& from, std::ptrdiff_t width) {
          return this->part(from, head * shape.keys, shape.keys, width);
        };
        const attention_backward_inputs<T> alone{
            {one, of_queries(in.q, shape.dim), of_keys(in.k, shape.dim), of_keys(in.v, size)},
            of_queries(in.dout, size),
            of_queries(in.o, size),
            of_queries(in.lse, 1)};
        const attention_gradients<T> expected{
            of_queries(all.q, shape.dim), of_keys(all.k, shape.dim), of_keys(all.v, size), {}, {}};
        ASSERT_TRUE(same_bits(differentiated(path, alone), expected))
            << name_of_backward(path) << ", " << shape << ", key head " << head;
      }
    }
  }
}

TYPED_TEST(attention_backward_gives_the_same_bits, wherever_the_numbers_lie) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_backward_inputs<T>(shape, 905);
    for (const attention_path path : both_paths) {
      const auto expected = differentiated(path, in);
      for (const std::size_t offset : {1u, 3u, 8u}) {
        canary_buffer<T> q(in.q, offset), k(in.k, offset + 1), v(in.v, offset + 2), o(in.o, offset + 3),
            dout(in.dout, offset), dq(in.q.size(), offset + 2), dk(in.k.size(), offset),
            dv(in.v.size(), offset + 1);
        differentiate<T>({path, shape, dout.data(), q.data(), k.data(), v.data(), o.data(), in.lse.data(),
                          dq.data(), dk.data(), dv.data()});
        const attention_gradients<T> result{dq.values(), dk.values(), dv.values(), {}, {}};
        EXPECT_TRUE(same_bits(result, expected)) << name_of_backward(path) << ", " << shape;
      }
    }
  }
}

TYPED_TEST(attention_backward_gives_the_same_bits, whatever_lies_in_the_destinations) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto m = this->every_modifier(shape);
    const auto in = make_backward_inputs<T>(shape, 906, m);
    for (const attention_path path : both_paths) {
      const auto expected = differentiated(path, in, m);
      auto used = filled_gradients<T>(shape, m, 42);
      differentiate_into(used, path, in, m, tn::overwrite);
      EXPECT_TRUE(same_bits(used, expected)) << name_of_backward(path) << ", " << shape;
    }
  }
}

}  // namespace
}  // namespace tensornorm_test
