// With a cache, tokens in pieces give what the whole sequence gives; a cache of other sizes is an error.
#include "reference.hpp"

namespace tensornorm_test {
namespace {

template <class T, class Layer>
struct generation_calls : testing::Test {
  static constexpr index_nn length = 23;

  static tn::key_value_cache_options cache_for(const block_case& c, index_nn block) {
    return {
        .batch = c.batch, .key_heads = c.key_heads, .dim_head = c.dim_head ? c.dim_head : 4, .block = block};
  }
  static tokens<T> part(const tokens<T>& x, index_nn first, index_nn last) {
    return x.slice(Eigen::array<index_nn, 3>{0, first, 0},
                   Eigen::array<index_nn, 3>{x.dimension(0), last - first, x.dimension(2)});
  }

  /// y of tokens [first, ends.back()), piece by piece.
  template <class... Words>
  static tokens<T> generated(const Layer& layer, tn::KeyValueCache<T>& cache, const tokens<T>& x,
                             const std::vector<index_nn>& ends, const Words&... words) {
    const index_nn from = cache.size();
    tokens<T> y(x.dimension(0), ends.back() - from, layer.options().dim_out);
    y.setConstant(quiet_nan<T>());
    for (index_nn first = from; const index_nn last : ends) {
      const tokens<T> piece = layer(part(x, first, last), tn::use_cache(cache), words...);
      EXPECT_EQ(cache.size(), last);
      y.slice(Eigen::array<index_nn, 3>{0, first - from, 0}, piece.dimensions()) = piece;
      first = last;
    }
    return y;
  }

  /// Prefill and one token at a time, uneven pieces, and all at once.
  static std::vector<std::vector<index_nn>> pieces() {
    std::vector<std::vector<index_nn>> all{{7}, {3, 4, 9, 11, 18, 19, 20, 23}, {}, {23}};
    for (index_nn end = 8; end <= length; ++end) all[0].push_back(end);
    for (index_nn end = 1; end <= length; ++end) all[2].push_back(end);
    return all;
  }

  static constexpr block_case cases[4] = {
      {2, 2, 6, true, true, turning::none, false, 0, 2, length},
      {4, 2, 0, true, true, turning::halves, false, 7, 2, length},
      {3, 1, 6, false, false, turning::first_interleaved, false, 0, 1, length},
      {4, 1, 0, true, false, turning::interleaved, false, 0, 3, length}};
};
template <class Block>
struct generation : generation_calls<typename Block::scalar, typename Block::layer> {};
using layers =
    testing::Types<block_type<double, tn::none_t, tn::none_t>,
                   block_type<float, tn::RmsNorm<float>, tn::LayerNorm<float>>,
                   block_type<Eigen::bfloat16, tn::LayerNorm<Eigen::bfloat16, float>, tn::none_t, float>>;
TYPED_TEST_SUITE(generation, layers);

TYPED_TEST(generation, in_any_pieces_gives_the_whole_sequence_within_its_bound) {
  using T = typename TypeParam::scalar;
  attention_policy policy;
  policy.keep.push_back([](const score_index& i) { return i.key <= i.query; });
  for (const block_case& c : this->cases) {
    const block_data<T> data(c);
    for (const auto path : block_paths) {
      const learned<typename TypeParam::layer> layer(c.options(path));
      const auto expected = reference_block(layer, c, data, policy);
      EXPECT_LE(worst_of_bounds(layer(data.x, tn::causal(align::bottom_right)), expected), 1) << c;
      for (const index_nn block : {1, 4, 256})
        for (const auto& ends : this->pieces()) {
          tn::KeyValueCache<T> cache(this->cache_for(c, block));
          const auto y = this->generated(layer, cache, data.x, ends, tn::causal(align::bottom_right));
          EXPECT_LE(worst_of_bounds(y, expected), 1)
              << c << ", blocks of " << block << ", " << ends.size() << " pieces";
        }
    }
  }
}

TYPED_TEST(generation, of_one_token_at_a_time_needs_no_mask) {
  using T = typename TypeParam::scalar;
  attention_policy policy;
  policy.keep.push_back([](const score_index& i) { return i.key <= i.query; });
  const block_case& c = this->cases[1];
  const block_data<T> data(c);
  const learned<typename TypeParam::layer> layer(c.options());
  tn::KeyValueCache<T> cache(this->cache_for(c, 4));
  EXPECT_LE(worst_of_bounds(this->generated(layer, cache, data.x, this->pieces()[2]),
                            reference_block(layer, c, data, policy)),
            1);
}

TYPED_TEST(generation, with_a_window_gives_the_whole_sequence) {
  using T = typename TypeParam::scalar;
  attention_policy policy;
  policy.keep.push_back([](const score_index& i) { return i.query - 5 <= i.key && i.key <= i.query; });
  for (const block_case& c : this->cases) {
    const block_data<T> data(c);
    const learned<typename TypeParam::layer> layer(c.options());
    const auto expected = reference_block(layer, c, data, policy);
    for (const auto& ends : this->pieces()) {
      tn::KeyValueCache<T> cache(this->cache_for(c, 4));
      const auto y = this->generated(layer, cache, data.x, ends, tn::window(5, 0));
      EXPECT_LE(worst_of_bounds(y, expected), 1) << c << ", " << ends.size() << " pieces";
    }
  }
}

TYPED_TEST(generation, goes_on_from_where_the_cache_was_truncated) {
  using T = typename TypeParam::scalar;
  const auto causal = tn::causal(align::bottom_right);
  for (const block_case& c : this->cases) {
    const block_data<T> data(c), other(c, 1251);
    const learned<typename TypeParam::layer> layer(c.options());
    tn::KeyValueCache<T> cache(this->cache_for(c, 4)), fresh(this->cache_for(c, 4));
    this->generated(layer, cache, data.x, {9}, causal);
    tokens<T> mixed = other.x;  // the first six tokens of data, the rest others
    mixed.slice(Eigen::array<index_nn, 3>{0, 0, 0}, Eigen::array<index_nn, 3>{c.batch, 6, c.dim()}) =
        this->part(data.x, 0, 6);
    cache.truncate(6);
    this->generated(layer, fresh, data.x, {6}, causal);
    const std::vector<index_nn> ends{7, 10, 17, 23};
    const auto y = this->generated(layer, cache, mixed, ends, causal);
    EXPECT_TRUE(same_bits(elements_of(y), elements_of(this->generated(layer, fresh, mixed, ends, causal))))
        << c;
  }
}

TYPED_TEST(generation, has_the_same_bits_on_any_number_of_threads) {
  using T = typename TypeParam::scalar;
  const block_case& c = this->cases[1];
  const block_data<T> data(c);
  const learned<typename TypeParam::layer> layer(c.options());
  const auto causal = tn::causal(align::bottom_right);
  tn::KeyValueCache<T> cache(this->cache_for(c, 4));
  const auto expected = elements_of(this->generated(layer, cache, data.x, {7, 8, 23}, causal));
  for (const int threads : {1, 2, 3}) {
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    cache.truncate();
    const auto y = this->generated(layer, cache, data.x, {7, 8, 23}, causal, tn::on(device));
    EXPECT_TRUE(same_bits(elements_of(y), expected)) << threads;
  }
}

/// A layer, a cache of five tokens, and what it held.
struct refused_generation : testing::Test {
  using T = float;
  static constexpr block_case c{4, 2, 0, true, true, turning::halves, false, 7, 2, 5};
  const block_data<T> data{c};
  const learned<tn::Attention<T>> layer{c.options()};
  tn::KeyValueCache<T> cache{{.batch = 2, .key_heads = 2, .dim_head = 4, .block = 4}};
  std::vector<T> keys, values;

  refused_generation() {
    layer(data.x, tn::use_cache(cache));
    keys = elements_of(cache.keys());
    values = elements_of(cache.values());
  }
  ~refused_generation() override {
    EXPECT_EQ(cache.size(), 5);
    EXPECT_EQ(cache.capacity(), 8);
    for (index_nn b = 0; b < 2; ++b) EXPECT_EQ(cache.lengths()(b), 5);
    EXPECT_TRUE(same_bits(elements_of(cache.keys()), keys));
    EXPECT_TRUE(same_bits(elements_of(cache.values()), values));
  }
  refused_generation(const refused_generation&) = delete;
  refused_generation& operator=(const refused_generation&) = delete;
};
using a_refused_generation = refused_generation;

TEST_F(a_refused_generation, with_a_cache_of_other_sizes_names_both) {
  const auto expect = [&](const char* text, const tn::key_value_cache_options& options) {
    tn::KeyValueCache<float> other(options);
    expect_error(std::string("Attention: the cache is for ") + text + ", expected 2 x 2 heads of 4 and 4",
                 [&] { layer(data.x, tn::use_cache(other)); });
    EXPECT_EQ(other.size(), 0);
  };
  expect("3 x 2 heads of 4 and 4", {.batch = 3, .key_heads = 2, .dim_head = 4});
  expect("2 x 4 heads of 4 and 4", {.batch = 2, .key_heads = 4, .dim_head = 4});
  expect("2 x 2 heads of 5 and 5", {.batch = 2, .key_heads = 2, .dim_head = 5});
  expect("2 x 2 heads of 4 and 6", {.batch = 2, .key_heads = 2, .dim_head = 4, .value_dim = 6});
}

TEST_F(a_refused_generation, of_tokens_of_another_size_leaves_the_cache_alone) {
  const auto wider = normal_tensor<tokens<float>>({2, 3, 17}, 1252);
  expect_error("Attention: x has shape 2x3x17, expected 2x3x16", [&] { layer(wider, tn::use_cache(cache)); });
}

TEST_F(a_refused_generation, with_a_mask_that_does_not_fit_leaves_the_cache_alone) {
  row_major_tensor<bool, 2> mask(5, 5);  // of the five tokens among themselves; the cache holds ten by then
  mask.setConstant(true);
  EXPECT_THROW(layer(data.x, tn::use_cache(cache), tn::keep_mask(mask)), std::invalid_argument);
}

}  // namespace
}  // namespace tensornorm_test
