// The bits of a row of dx depend on the row alone, those of dweight and dbias on the rows in their order.
// Neither depends on threads, on the call, on how elements lie in memory, or on whether statistics were
// saved.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/backward.hpp"
#include "../support/bounds.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {
namespace {

template <class T>
class the_same_gradients : public testing::Test {
 protected:
  static constexpr row_block blocks[] = {{15, 2, 1},   {129, 65, 1}, {15, 4099, 1}, {3, 140001, 1},
                                         {700, 17, 1}, {4, 96, 50},  {1, 1030, 70}, {3, 2, 1000}};

  static void expect_same(const gradients<T>& result, const gradients<T>& expected) {
    EXPECT_TRUE(same_bits(result.x, expected.x)) << "dx";
    EXPECT_TRUE(same_bits(result.weight, expected.weight)) << "dweight";
    EXPECT_TRUE(same_bits(result.bias, expected.bias)) << "dbias";
  }

  /// Calls check(formula, block, input, its gradients on one thread).
  template <class Blocks, class Check>
  void for_each_call(const Blocks& some_blocks, const Check& check) {
    for (const row_block& block : some_blocks)
      for (const formula& f : three_norms()) {
        SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block);
        const auto input = input_for<T>(block, plain_data, 261);
        check(f, block, input, backward_of(f, block, input));
      }
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(the_same_gradients, scalars, scalar_names);

TYPED_TEST(the_same_gradients, for_any_number_of_threads) {
  using T = TypeParam;
  this->for_each_call(this->blocks,
                      [&](const formula& f, const row_block& block, const auto& input, const auto& expected) {
                        for (const int threads : {1, 2, 3, 5}) {
                          SCOPED_TRACE(threads);
                          Eigen::ThreadPool pool(threads);
                          const Eigen::ThreadPoolDevice device(&pool, threads);
                          gradients<T> result(f, block);
                          backward_rows<T>(f, block, result.memory_for(input), false, &device);
                          this->expect_same(result, expected);
                        }
                      });
}

TYPED_TEST(the_same_gradients, at_every_call) {
  this->for_each_call(this->blocks,
                      [&](const formula& f, const row_block& block, const auto& input, const auto& expected) {
                        this->expect_same(backward_of(f, block, input), expected);
                      });
}

TYPED_TEST(the_same_gradients, whether_statistics_were_saved_or_are_recomputed) {
  using T = TypeParam;
  for (const data_kind& kind : {plain_data, everyday_data[1], everyday_data[2], data_kind{"large", 1e3, 2e4}})
    for (const row_block& block : {row_block{9, 3, 1}, row_block{5, 64, 1}, row_block{3, 1025, 1},
                                   row_block{3, 70, 19}, row_block{1, 70001, 1}})
      for (const formula& f : three_norms())
        for (const double eps : {f.eps, 0.25}) {
          const formula with_eps{f.kind, eps, 0};
          SCOPED_TRACE(testing::Message()
                       << name_of(f.kind) << " of " << block << ", " << kind.name << ", eps " << eps);
          const auto input = input_for<T>(block, kind, 262);
          const auto saved = saved_by_forward(with_eps, block, input.x);
          this->expect_same(backward_of(with_eps, block, input, &saved), backward_of(with_eps, block, input));
        }
}

TYPED_TEST(the_same_gradients, whether_statistics_of_a_huge_or_tiny_row_were_saved_or_are_recomputed) {
  using T = TypeParam;
  if constexpr (is_16_bit<T> && !std::is_same_v<T, Eigen::bfloat16>)
    GTEST_SKIP() << "half has no such numbers";
  for (const double scale : std::is_same_v<T, double> ? std::vector{1e200, 1e-200} : std::vector{1e20, 1e-25})
    for (const row_block& block : {row_block{3, 100, 1}, row_block{2, 65, 19}})
      for (const norm kind : {norm::rms, norm::simple, norm::layer}) {
        const formula f{kind, 0, 0};
        SCOPED_TRACE(testing::Message() << name_of(kind) << " of " << block << " times " << scale);
        const auto input = input_for<T>(block, {"scaled", scale / 4, scale}, 263);
        const auto saved = saved_by_forward(f, block, input.x);
        this->expect_same(backward_of(f, block, input, &saved), backward_of(f, block, input));
      }
}

TYPED_TEST(the_same_gradients, of_x_for_any_batch_size_and_any_position_in_the_batch) {
  using T = TypeParam;
  for (const std::ptrdiff_t length : {2, 3, 5, 8, 16, 31, 63, 64, 65, 100, 128, 193, 1025, 5000})
    this->for_each_call(std::vector{row_block{33, length, 1}}, [&](const formula& f, const row_block&,
                                                                   const auto& input, const auto& expected) {
      for (const std::ptrdiff_t rows : {1, 2, 3, 4, 5, 8, 13})
        for (std::ptrdiff_t first = 0; first + rows <= 33; first += rows) {
          const auto part = [&](const std::vector<T>& all) {
            return std::vector<T>(all.begin() + first * length, all.begin() + (first + rows) * length);
          };
          const auto result =
              backward_of<T>(f, {rows, length, 1}, {part(input.dy), part(input.x), input.weight});
          ASSERT_TRUE(same_bits(result.x, part(expected.x))) << rows << " rows from " << first;
        }
    });
}

TYPED_TEST(the_same_gradients, whether_elements_lie_side_by_side_or_apart) {
  using T = TypeParam;
  for (const std::ptrdiff_t length : {2, 3, 8, 31, 63, 64, 65, 100, 130, 1025, 70001})
    for (const std::ptrdiff_t inner : {2, 3, 15, 16, 17, 64, 67}) {
      if (length * inner > 300000) continue;
      const auto n = static_cast<std::size_t>(length), step = static_cast<std::size_t>(inner);
      const auto side_by_side = [&](const std::vector<T>& all) {
        std::vector<T> rows;
        for (std::size_t row = 0; row < 2 * step; ++row)
          for (std::size_t i = 0; i < n; ++i) rows.push_back(all[(row / step * n + i) * step + row % step]);
        return rows;
      };
      this->for_each_call(std::vector{row_block{2, length, inner}},
                          [&](const formula& f, const row_block&, const auto& input, const auto& expected) {
                            const auto result =
                                backward_of<T>(f, {2 * inner, length, 1},
                                               {side_by_side(input.dy), side_by_side(input.x), input.weight});
                            EXPECT_TRUE(same_bits(result.x, side_by_side(expected.x)));
                            EXPECT_TRUE(same_bits(result.weight, expected.weight));
                            EXPECT_TRUE(same_bits(result.bias, expected.bias));
                          });
    }
}

TYPED_TEST(the_same_gradients, for_every_alignment_of_memory) {
  using T = TypeParam;
  this->for_each_call(
      std::vector{row_block{5, 7, 1}, row_block{3, 130, 1}, row_block{2, 1025, 1}, row_block{2, 9, 37}},
      [&](const formula& f, const row_block& block, const auto& input, const auto& expected) {
        for (std::size_t offset = 0; offset < 64 / sizeof(T); ++offset)
          for (int moved = 0; moved < 4; ++moved) {
            const auto at = [&](int which) { return moved == which ? offset : 0; };
            canary_buffer<T> dy(input.dy, at(0)), x(input.x, at(1)), dx(input.x.size(), at(2)),
                weight(input.weight, at(3)), dweight(input.weight.size(), at(3)),
                dbias(input.weight.size(), at(3));
            backward_rows<T>(
                f, block,
                {dy.data(), x.data(), weight.data(), dx.data(), dweight.data(), dbias.data(), nullptr});
            ASSERT_TRUE(same_bits(dx.values(), expected.x)) << "offset " << offset;
            ASSERT_TRUE(same_bits(dweight.values(), expected.weight)) << "offset " << offset;
            if (f.kind == norm::layer) {
              ASSERT_TRUE(same_bits(dbias.values(), expected.bias)) << "offset " << offset;
            }
            EXPECT_TRUE(dx.intact() && dweight.intact() && dbias.intact());
          }
      });
}

TYPED_TEST(the_same_gradients, in_the_memory_of_dy_or_of_x) {
  using T = TypeParam;
  Eigen::ThreadPool pool(3);
  const Eigen::ThreadPoolDevice device(&pool, 3);
  this->for_each_call(std::vector{row_block{9, 3, 1}, row_block{7, 64, 1}, row_block{129, 65, 1},
                                  row_block{3, 1025, 1}, row_block{2, 140001, 1}, row_block{3, 70, 19},
                                  row_block{1, 70001, 3}, row_block{1, 5, 130}},
                      [&](const formula& f, const row_block& block, const auto& input, const auto& expected) {
                        for (const bool into_x : {false, true})
                          for (const bool threads : {false, true}) {
                            SCOPED_TRACE(testing::Message()
                                         << (into_x ? "x" : "dy") << ", threads " << threads);
                            gradients<T> result(f, block);
                            auto changed = input;
                            auto memory = result.memory_for(changed);
                            memory.dx = into_x ? changed.x.data() : changed.dy.data();
                            backward_rows<T>(f, block, memory, false, threads ? &device : nullptr);
                            result.x = into_x ? changed.x : changed.dy;
                            this->expect_same(result, expected);
                          }
                      });
}

}  // namespace
}  // namespace tensornorm_test
