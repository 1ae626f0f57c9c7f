// The bits of a query depend on what it sees alone: not on threads, on the batch or the queries around
// it, on its position, or on the words in which the call says what it sees.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

/// The first count of n rows of a given size, from the row first on, of each of the blocks.
template <class T>
std::vector<T> rows_of(const std::vector<T>& all, std::ptrdiff_t blocks, std::ptrdiff_t n,
                       std::ptrdiff_t size, std::ptrdiff_t first, std::ptrdiff_t count) {
  std::vector<T> part;
  for (std::ptrdiff_t block = 0; block < blocks; ++block) {
    const auto from = all.begin() + (block * n + first) * size;
    part.insert(part.end(), from, from + count * size);
  }
  return part;
}

/// A call with some of the queries of another.
template <class T>
attention_inputs<T> some_queries(attention_inputs<T> in, std::ptrdiff_t first, std::ptrdiff_t count) {
  const attention_shape& s = in.shape;
  in.q = rows_of(in.q, s.batch * s.heads, s.queries, s.dim, first, count);
  in.shape.queries = count;
  return in;
}

/// The result for some of the queries.
template <class T>
attention_result<T> some_queries(const attention_result<T>& all, const attention_shape& s,
                                 std::ptrdiff_t first, std::ptrdiff_t count) {
  return {rows_of(all.o, s.batch * s.heads, s.queries, s.size_of_v(), first, count),
          rows_of(all.lse, s.batch * s.heads, s.queries, 1, first, count)};
}

/// A call with the first of the keys of another.
template <class T>
attention_inputs<T> first_keys(attention_inputs<T> in, std::ptrdiff_t count) {
  const attention_shape& s = in.shape;
  in.k = rows_of(in.k, s.batch * s.heads_of_keys(), s.keys, s.dim, 0, count);
  in.v = rows_of(in.v, s.batch * s.heads_of_keys(), s.keys, s.size_of_v(), 0, count);
  in.shape.keys = count;
  return in;
}

template <class T>
class attention_gives_the_same_bits : public testing::Test {
 protected:
  using accumulator = tn::accumulator_t<T>;

  static constexpr attention_shape shapes[] = {
      {.batch = 2, .heads = 4, .queries = 5, .keys = 70, .dim = 16, .key_heads = 2, .dim_v = 9},
      {.batch = 1, .heads = 4, .queries = 1, .keys = 3000, .dim = 8, .key_heads = 1},
      {.batch = 3, .heads = 4, .queries = 67, .keys = 130, .dim = 33},
      {.batch = 1, .heads = 4, .queries = 200, .keys = 197, .dim = 64, .dim_v = 128},
      {.batch = 1, .heads = 4, .queries = 40, .keys = 1030, .dim = 16}};

  static modifier_list<accumulator> every_modifier(const attention_shape& shape) {
    normal_source noise(371);
    modifier_list<accumulator> m;
    m.softcap = 3;
    m.bias = make_spread<accumulator>({1, shape.heads, shape.queries, shape.keys},
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
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention_gives_the_same_bits, scalars, scalar_names);

TYPED_TEST(attention_gives_the_same_bits, on_any_number_of_threads) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_inputs<T>(shape, 372);
    const auto m = this->every_modifier(shape);
    for (const attention_path path : both_paths) {
      const auto plain = attended(path, in), modified = attended(path, in, m);
      for (const int threads : {1, 2, 3, 4}) {
        Eigen::ThreadPool pool(threads);
        const Eigen::ThreadPoolDevice device(&pool, threads);
        EXPECT_TRUE(same_bits(attended(path, in, {}, &device), plain))
            << name_of(path) << ", " << shape << ", " << threads << " threads";
        EXPECT_TRUE(same_bits(attended(path, in, m, &device), modified))
            << name_of(path) << ", " << shape << ", " << threads << " threads, modified";
      }
    }
  }
}

TYPED_TEST(attention_gives_the_same_bits, at_every_call) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes)
    for (const attention_path path : both_paths) {
      const auto in = make_inputs<T>(shape, 373);
      const auto m = this->every_modifier(shape);
      EXPECT_TRUE(same_bits(attended(path, in, m), attended(path, in, m))) << name_of(path) << ", " << shape;
    }
}

TYPED_TEST(attention_gives_the_same_bits, alone_and_in_a_batch) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_inputs<T>(shape, 374);
    attention_shape one = shape;
    one.batch = one.heads = one.key_heads = 1;
    const std::ptrdiff_t group = shape.heads / shape.heads_of_keys();
    for (const attention_path path : both_paths) {
      const auto all = attended(path, in);
      for (std::ptrdiff_t head = 0; head < shape.batch * shape.heads; ++head) {
        const auto take = [&](const auto& from, std::ptrdiff_t which, std::ptrdiff_t rows,
                              std::ptrdiff_t size) {
          return rows_of(from, 1, shape.batch * shape.heads, rows * size, which, 1);
        };
        const attention_inputs<T> alone{one, take(in.q, head, shape.queries, shape.dim),
                                        take(in.k, head / group, shape.keys, shape.dim),
                                        take(in.v, head / group, shape.keys, shape.size_of_v())};
        const attention_result<T> part{take(all.o, head, shape.queries, shape.size_of_v()),
                                       take(all.lse, head, shape.queries, 1)};
        ASSERT_TRUE(same_bits(attended(path, alone), part))
            << name_of(path) << ", " << shape << ", head " << head;
      }
    }
  }
}

TYPED_TEST(attention_gives_the_same_bits, for_a_query_alone_and_among_others) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_inputs<T>(shape, 375);
    for (const attention_path path : both_paths) {
      const auto all = attended(path, in);
      for (const std::ptrdiff_t count : {1, 2, 3, 4, 5, 7, 8, 9, 16, 33, 65})
        for (std::ptrdiff_t first = 0; first + count <= shape.queries; first += count + shape.queries / 3)
          ASSERT_TRUE(same_bits(attended(path, some_queries(in, first, count)),
                                some_queries(all, shape, first, count)))
              << name_of(path) << ", " << shape << ", " << count << " queries from " << first;
    }
  }
}

TYPED_TEST(attention_gives_the_same_bits, for_a_query_alone_and_among_others_under_masks) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_inputs<T>(shape, 376);
    const auto masks_from = [&](std::ptrdiff_t first, std::ptrdiff_t count) {
      modifier_list<A> m;
      m.mask = make_spread<bool>({1, 1, count, shape.keys}, [&](const score_index& at) {
        return (at.query + first + at.key * at.key) % 3 != 0;
      });
      m.bias = make_spread<A>({1, 1, count, 1}, [&](const score_index& at) {
        return A(0.25) * static_cast<A>((at.query + first) % 7);
      });
      m.lengths = std::vector<std::int32_t>(static_cast<std::size_t>(shape.batch),
                                            static_cast<std::int32_t>(shape.keys - 1));
      return m;
    };
    for (const attention_path path : both_paths) {
      const auto all = attended(path, in, masks_from(0, shape.queries));
      for (const std::ptrdiff_t count : {1, 2, 6, 9, 64})
        for (std::ptrdiff_t first = 0; first + count <= shape.queries; first += count + shape.queries / 3)
          ASSERT_TRUE(same_bits(attended(path, some_queries(in, first, count), masks_from(first, count)),
                                some_queries(all, shape, first, count)))
              << name_of(path) << ", " << shape << ", " << count << " queries from " << first;
    }
  }
}

TYPED_TEST(attention_gives_the_same_bits, for_the_last_queries_alone_and_among_others_under_every_modifier) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_inputs<T>(shape, 380);
    const auto m = this->every_modifier(shape);
    for (const attention_path path : both_paths) {
      const auto all = attended(path, in, m);
      for (const std::ptrdiff_t count : {1, 2, 5, 8, 9, 33}) {
        if (count > shape.queries) continue;
        const std::ptrdiff_t first = shape.queries - count;
        auto last = m;
        last.bias = make_spread<A>({1, shape.heads, count, shape.keys}, [&](const score_index& at) {
          return m.bias->at({0, at.head, at.query + first, at.key});
        });
        ASSERT_TRUE(same_bits(attended(path, some_queries(in, first, count), last),
                              some_queries(all, shape, first, count)))
            << name_of(path) << ", " << shape << ", the last " << count;
      }
    }
  }
}

TYPED_TEST(attention_gives_the_same_bits, where_heads_share_keys_and_where_each_has_its_copy) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const std::ptrdiff_t group = shape.heads / shape.heads_of_keys();
    if (group == 1) continue;
    const auto in = make_inputs<T>(shape, 377);
    auto copied = in;
    copied.shape.key_heads = shape.heads;
    copied.k.clear();
    copied.v.clear();
    for (std::ptrdiff_t head = 0; head < shape.batch * shape.heads; ++head) {
      const auto append = [&](std::vector<T>& to, const std::vector<T>& from, std::ptrdiff_t count) {
        to.insert(to.end(), from.begin() + head / group * count, from.begin() + (head / group + 1) * count);
      };
      append(copied.k, in.k, shape.keys * shape.dim);
      append(copied.v, in.v, shape.keys * shape.size_of_v());
    }
    const auto m = this->every_modifier(shape);
    for (const attention_path path : both_paths) {
      EXPECT_TRUE(same_bits(attended(path, copied), attended(path, in))) << name_of(path) << ", " << shape;
      EXPECT_TRUE(same_bits(attended(path, copied, m), attended(path, in, m)))
          << name_of(path) << ", " << shape;
    }
  }
}

TYPED_TEST(attention_gives_the_same_bits, wherever_the_numbers_lie) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    const auto in = make_inputs<T>(shape, 378);
    for (const attention_path path : both_paths) {
      const auto expected = attended(path, in);
      for (const std::size_t offset : {1u, 3u, 8u}) {
        canary_buffer<T> q(in.q, offset), k(in.k, offset + 1), v(in.v, offset + 2),
            o(in.shape.o_count(), offset);
        attend<T>({path, shape, q.data(), k.data(), v.data(), o.data()});
        EXPECT_TRUE(same_bits(o.values(), expected.o)) << name_of(path) << ", " << shape;
      }
    }
  }
}

TYPED_TEST(attention_gives_the_same_bits, in_place) {
  using T = TypeParam;
  for (const attention_shape& shape : this->shapes) {
    if (shape.dim != shape.size_of_v()) continue;
    const auto in = make_inputs<T>(shape, 379);
    Eigen::ThreadPool pool(3);
    const Eigen::ThreadPoolDevice device(&pool, 3);
    for (const attention_path path : both_paths)
      for (const Eigen::ThreadPoolDevice* threads :
           {static_cast<const Eigen::ThreadPoolDevice*>(nullptr), &device}) {
        auto q = in.q;
        attend<T>({path, shape, q.data(), in.k.data(), in.v.data(), q.data(), nullptr, {}, threads});
        EXPECT_TRUE(same_bits(q, attended(path, in).o)) << name_of(path) << ", " << shape;
      }
  }
}

/// The same visibility in other words. The keys of a block that is skipped add nothing, as do those of
/// a block that is computed and masked.
struct the_same_visible_keys : testing::Test {
  using list = modifier_list<float>;
  using keep = bool (*)(std::ptrdiff_t query, std::ptrdiff_t key);

  static list mask_of(const attention_shape& shape, const auto& seen) {
    list m;
    m.mask = make_spread<bool>({1, 1, shape.queries, shape.keys},
                               [&](const score_index& at) { return seen(at.query, at.key); });
    return m;
  }

  static constexpr attention_shape shapes[] = {
      {.heads = 2, .queries = 70, .keys = 70, .dim = 16},
      {.heads = 2, .queries = 130, .keys = 200, .dim = 8, .key_heads = 1, .dim_v = 19},
      {.heads = 2, .queries = 200, .keys = 130, .dim = 8},
      {.heads = 2, .queries = 6, .keys = 1100, .dim = 8},
      {.heads = 2, .queries = 1030, .keys = 1030, .dim = 4}};
};

TEST_F(the_same_visible_keys, of_causal_and_of_a_mask) {
  for (const attention_shape& shape : shapes)
    for (const align a : {align::top_left, align::bottom_right}) {
      const std::ptrdiff_t shift = a == align::top_left ? 0 : shape.keys - shape.queries;
      const auto in = make_inputs<float>(shape, 381);
      list causal, window;
      causal.causal = a;
      window.window = {tn::unlimited, 0, a};
      for (const attention_path path : both_paths) {
        const auto expected = attended(
            path, in, mask_of(shape, [&](std::ptrdiff_t i, std::ptrdiff_t j) { return j <= i + shift; }));
        EXPECT_TRUE(same_bits(attended(path, in, causal), expected)) << name_of(path) << ", " << shape;
        EXPECT_TRUE(same_bits(attended(path, in, window), expected)) << name_of(path) << ", " << shape;
      }
    }
}

TEST_F(the_same_visible_keys, of_a_window_and_of_a_mask) {
  for (const attention_shape& shape : shapes)
    for (const auto& [left, right] : {std::pair<std::ptrdiff_t, std::ptrdiff_t>{3, 0}, {70, 5}, {0, 64}}) {
      const auto in = make_inputs<float>(shape, 382);
      list window;
      window.window = {left, right, align::top_left};
      const auto seen = [&](std::ptrdiff_t i, std::ptrdiff_t j) { return i - left <= j && j <= i + right; };
      for (const attention_path path : both_paths)
        EXPECT_TRUE(same_bits(attended(path, in, window), attended(path, in, mask_of(shape, seen))))
            << name_of(path) << ", " << shape;
    }
}

TEST_F(the_same_visible_keys, of_lengths_and_of_fewer_keys) {
  for (const attention_shape& shape : shapes)
    for (const std::ptrdiff_t length : {std::ptrdiff_t{1}, std::ptrdiff_t{64}, shape.keys - 1, shape.keys}) {
      const auto in = make_inputs<float>(shape, 383);
      list lengths;
      lengths.lengths = {static_cast<std::int32_t>(length)};
      const auto seen = [&](std::ptrdiff_t, std::ptrdiff_t j) { return j < length; };
      for (const attention_path path : both_paths) {
        const auto expected = attended(path, first_keys(in, length));
        EXPECT_TRUE(same_bits(attended(path, in, lengths), expected)) << name_of(path) << ", " << shape;
        EXPECT_TRUE(same_bits(attended(path, in, mask_of(shape, seen)), expected))
            << name_of(path) << ", " << shape;
      }
    }
}

TEST_F(the_same_visible_keys, of_causal_and_of_a_query_alone_with_the_keys_before_it) {
  for (const attention_shape& shape : shapes) {
    const auto in = make_inputs<float>(shape, 384);
    list causal;
    causal.causal = align::top_left;
    for (const attention_path path : both_paths) {
      const auto all = attended(path, in, causal);
      for (std::ptrdiff_t query = 0; query < shape.queries; query += 1 + shape.queries / 40)
        ASSERT_TRUE(
            same_bits(attended(path, first_keys(some_queries(in, query, 1), std::min(query + 1, shape.keys))),
                      some_queries(all, shape, query, 1)))
            << name_of(path) << ", " << shape << ", query " << query;
    }
  }
}

TEST_F(the_same_visible_keys, of_the_last_query_with_and_without_causal) {
  for (const attention_shape& shape : shapes) {
    const auto in = make_inputs<float>(shape, 385);
    list causal;
    causal.causal = align::bottom_right;
    for (const attention_path path : both_paths) {
      const auto last = some_queries(in, shape.queries - 1, 1);
      const auto expected = some_queries(attended(path, in, causal), shape, shape.queries - 1, 1);
      EXPECT_TRUE(same_bits(attended(path, last), expected)) << name_of(path) << ", " << shape;
      EXPECT_TRUE(same_bits(attended(path, last, causal), expected)) << name_of(path) << ", " << shape;
    }
  }
}

template <class T>
class attention_keeps_its_bound : public testing::Test {};
TYPED_TEST_SUITE(attention_keeps_its_bound, scalars, scalar_names);

TYPED_TEST(attention_keeps_its_bound, when_keys_are_permuted) {
  using T = TypeParam;
  for (const std::ptrdiff_t keys : {2, 67, 131, 1031}) {
    const attention_shape shape{.queries = 9, .keys = keys, .dim = 16, .dim_v = 5};
    const auto in = make_inputs<T>(shape, 386);
    auto permuted = in;
    for (std::ptrdiff_t j = 0; j < keys; ++j) {
      const std::ptrdiff_t from = (j * 29 + 3) % keys;
      std::copy_n(in.k.begin() + from * 16, 16, permuted.k.begin() + j * 16);
      std::copy_n(in.v.begin() + from * 5, 5, permuted.v.begin() + j * 5);
    }
    const attention_reference expected = expected_attention(in);
    for (const attention_path path : both_paths)
      EXPECT_TRUE(within_bounds(attended(path, permuted), expected)) << name_of(path) << ", " << shape;
  }
}

TYPED_TEST(attention_keeps_its_bound, when_a_constant_is_added_to_the_logits_of_a_query) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  for (const std::ptrdiff_t keys : {1, 67, 131, 1031}) {
    const attention_shape shape{.queries = 9, .keys = keys, .dim = 16, .dim_v = 5};
    const auto in = make_inputs<T>(shape, 387);
    modifier_list<A> m;
    m.bias = make_spread<A>({1, 1, 9, 1},
                            [](const score_index& at) { return A(25) * static_cast<A>(at.query - 4); });
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
    m.lengths = {static_cast<std::int32_t>(keys)};
    attention_reference expected = expected_attention(in);
    for (std::size_t row = 0; row < 9; ++row) {
      const real constant = 25 * (static_cast<real>(row) - 4);
      expected.score_peak[row] += std::abs(constant);
      expected.term_peak[row] += std::abs(constant);
      expected.lse[row] += constant;
    }
    for (const attention_path path : both_paths)
      EXPECT_TRUE(within_bounds(attended(path, in, m), expected)) << name_of(path) << ", " << shape;
  }
}

}  // namespace
}  // namespace tensornorm_test
