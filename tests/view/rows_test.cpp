// Rows in memory: how many, how long, and whether their elements lie side by side.
#include <gtest/gtest.h>

#include <tensornorm/view/rows.hpp>

namespace tensornorm_test {
namespace {

namespace kernel = tensornorm::kernel;

TEST(rows, are_outer_times_inner_of_blocks_times_run_elements) {
  constexpr kernel::rows_shape shape{3, 5, 7, 11};
  static_assert(shape.rows() == 15);
  static_assert(shape.size() == 77);
  constexpr kernel::rows_shape none;
  static_assert(none.rows() == 0 && none.size() == 0);
  constexpr kernel::rows_shape empty_batch{0, 5, 7, 11};
  static_assert(empty_batch.rows() == 0 && empty_batch.size() == 77);
}

/// Element i of a row lies i from its first, for every i.
bool side_by_side(const kernel::rows_shape& shape, const kernel::rows_strides& strides) {
  for (kernel::index i = 0; i < shape.size(); ++i)
    if (i / shape.run * strides.block + i % shape.run * strides.element != i) return false;
  return true;
}

TEST(rows, are_contiguous_exactly_where_each_element_lies_one_after_the_last) {
  int contiguous = 0;
  for (kernel::index blocks = 1; blocks <= 5; ++blocks)
    for (kernel::index run = 1; run <= 5; ++run)
      for (kernel::index block = -6; block <= 26; ++block)
        for (kernel::index element = -6; element <= 6; ++element)
          for (const kernel::index inner : {1, 3}) {
            const kernel::rows_shape shape{2, inner, blocks, run};
            const kernel::rows_strides strides{100, 1, block, element};
            EXPECT_EQ(kernel::contiguous(shape, strides), side_by_side(shape, strides))
                << blocks << " blocks of " << run << ", strides " << block << " and " << element;
            contiguous += kernel::contiguous(shape, strides);
          }
  EXPECT_GT(contiguous, 0);
}

TEST(rows, of_default_strides_are_contiguous) {
  EXPECT_TRUE(kernel::contiguous({4, 1, 1, 9}, {}));
  EXPECT_FALSE(kernel::contiguous({4, 1, 2, 9}, {}));
}

}  // namespace
}  // namespace tensornorm_test
