// The bits of a row depend on the row alone: not on threads, on the batch around it, on where it
// lies in memory, or on how its elements are spread there.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/memory.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

template <class T>
class the_same_bits : public testing::Test {
 protected:
  /// A call with parameters, whose answer alone on one thread is the measure.
  struct example {
    formula f;
    row_block block;
    std::vector<T> x, weight, bias, y;

    row_memory<T> memory(const T* from, T* to) const {
      return {from, to, weight.data(), bias.empty() ? nullptr : bias.data(), nullptr};
    }
  };

  static example make_example(const formula& f, const row_block& block) {
    example c{f, block, normal<T>(block.count(), 41, 0.5, 2), normal<T>(block.length(), 42, 1, 0.5), {}, {}};
    if (f.kind == norm::layer) c.bias = normal<T>(block.length(), 43);
    c.y = normalized(f, block, c.x, c.weight, c.bias);
    return c;
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(the_same_bits, scalars, scalar_names);

TYPED_TEST(the_same_bits, for_any_number_of_threads) {
  using T = TypeParam;
  for (const row_block& block : {row_block{15, 2, 1}, row_block{129, 65, 1}, row_block{15, 4099, 1},
                                 row_block{3, 300000, 1}, row_block{4, 96, 50}, row_block{1, 1030, 300}})
    for (const formula& f : three_norms()) {
      const auto call = this->make_example(f, block);
      for (const int threads : {1, 2, 3, 7}) {
        Eigen::ThreadPool pool(threads);
        const Eigen::ThreadPoolDevice device(&pool, threads);
        std::vector<T> y(call.x.size(), quiet_nan<T>());
        normalize_rows<T>(f, block, call.memory(call.x.data(), y.data()), {}, &device);
        EXPECT_TRUE(same_bits(y, call.y))
            << name_of(f.kind) << " of " << block << " on " << threads << " threads";
      }
    }
}

TYPED_TEST(the_same_bits, for_any_batch_size_and_any_position_in_the_batch) {
  using T = TypeParam;
  for (const std::ptrdiff_t length : {2, 3, 5, 8, 16, 31, 63, 64, 65, 100, 128, 193, 1025, 5000})
    for (const formula& f : three_norms()) {
      const auto call = this->make_example(f, {33, length, 1});
      for (const std::ptrdiff_t rows : {1, 2, 3, 4, 5, 8, 13})
        for (std::ptrdiff_t first = 0; first + rows <= 33; first += rows) {
          const auto part = [&](const std::vector<T>& all) {
            return std::vector<T>(all.begin() + first * length, all.begin() + (first + rows) * length);
          };
          const std::vector<T> expected = part(call.y);
          const auto y = normalized(f, {rows, length, 1}, part(call.x), call.weight, call.bias);
          EXPECT_TRUE(same_bits(y, expected)) << name_of(f.kind) << " of " << rows << " rows of " << length;
        }
    }
}

TYPED_TEST(the_same_bits, whether_elements_lie_side_by_side_or_apart) {
  using T = TypeParam;
  for (const std::ptrdiff_t length : {2, 3, 8, 31, 63, 64, 65, 100, 130, 1025, 70001})
    for (const std::ptrdiff_t inner : {2, 3, 15, 16, 17, 64, 67}) {
      if (length * inner > 300000) continue;
      for (const formula& f : three_norms()) {
        const auto call = this->make_example(f, {2, length, inner});
        const auto n = static_cast<std::size_t>(length), step = static_cast<std::size_t>(inner);
        std::vector<T> rows;
        for (std::size_t row = 0; row < 2 * step; ++row)
          for (std::size_t i = 0; i < n; ++i)
            rows.push_back(call.x[(row / step * n + i) * step + row % step]);
        const auto y = normalized(f, {2 * inner, length, 1}, rows, call.weight, call.bias);
        std::vector<T> apart(y.size());
        for (std::size_t row = 0; row < 2 * step; ++row)
          for (std::size_t i = 0; i < n; ++i)
            apart[(row / step * n + i) * step + row % step] = y[row * n + i];
        EXPECT_TRUE(same_bits(call.y, apart))
            << name_of(f.kind) << " of " << length << ", " << inner << " apart";
      }
    }
}

TYPED_TEST(the_same_bits, for_every_alignment_of_x_and_y) {
  using T = TypeParam;
  for (const row_block& block : {row_block{5, 7, 1}, row_block{3, 130, 1}, row_block{2, 1025, 1},
                                 row_block{2, 9, 37}, row_block{1, 40000, 1}})
    for (const formula& f : three_norms()) {
      const auto call = this->make_example(f, block);
      for (std::size_t offset = 0; offset < 64 / sizeof(T); ++offset)
        for (const bool move_y : {false, true}) {
          canary_buffer<T> x(call.x, move_y ? 0 : offset);
          canary_buffer<T> y(call.x.size(), move_y ? offset : 0);
          normalize_rows<T>(f, block, call.memory(x.data(), y.data()));
          EXPECT_TRUE(same_bits(y.values(), call.y))
              << name_of(f.kind) << " of " << block << ", offset " << offset;
          EXPECT_TRUE(y.intact());
        }
    }
}

TYPED_TEST(the_same_bits, in_place) {
  using T = TypeParam;
  for (const row_block& block :
       {row_block{9, 3, 1}, row_block{7, 64, 1}, row_block{3, 1025, 1}, row_block{2, 140001, 1},
        row_block{3, 70, 19}, row_block{1, 70001, 3}, row_block{1, 5, 130}})
    for (const formula& f : three_norms()) {
      const auto call = this->make_example(f, block);
      for (const std::size_t offset : {0u, 3u}) {
        canary_buffer<T> x(call.x, offset);
        normalize_rows<T>(f, block, call.memory(x.data(), x.data()));
        EXPECT_TRUE(same_bits(x.values(), call.y)) << name_of(f.kind) << " of " << block;
        EXPECT_TRUE(x.intact());
      }
    }
}

TYPED_TEST(the_same_bits, in_place_on_threads) {
  using T = TypeParam;
  Eigen::ThreadPool pool(3);
  const Eigen::ThreadPoolDevice device(&pool, 3);
  for (const row_block& block : {row_block{129, 65, 1}, row_block{4, 96, 50}})
    for (const formula& f : three_norms()) {
      const auto call = this->make_example(f, block);
      auto x = call.x;
      normalize_rows<T>(f, block, call.memory(x.data(), x.data()), {}, &device);
      EXPECT_TRUE(same_bits(x, call.y)) << name_of(f.kind) << " of " << block;
    }
}

TYPED_TEST(the_same_bits, whether_statistics_are_saved_or_not) {
  using T = TypeParam;
  for (const row_block& block :
       {row_block{9, 3, 1}, row_block{3, 1025, 1}, row_block{3, 70, 19}, row_block{1, 140001, 1}})
    for (const formula& f : three_norms()) {
      const auto call = this->make_example(f, block);
      tn::statistics<tn::accumulator_t<T>> saved;
      std::vector<T> y(call.x.size());
      auto memory = call.memory(call.x.data(), y.data());
      memory.save = &saved;
      normalize_rows<T>(f, block, memory);
      EXPECT_TRUE(same_bits(y, call.y)) << name_of(f.kind) << " of " << block;
    }
}

}  // namespace
}  // namespace tensornorm_test
