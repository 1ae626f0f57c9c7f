// Which lines of memory a product asks for on behalf of what follows it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <tensornorm/attention/rows_ahead.hpp>
#include <vector>

namespace tensornorm_test {
namespace {

namespace kernel = tensornorm::kernel;

using kernel::index;
using kernel::rows_ahead;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

alignas(64) const float memory[8192] = {};

/// Where a series would ask, in lines from the beginning of the memory, as long as something is to come.
std::vector<index> lines_of(rows_ahead rows, index at_a_time) {
  const char idle = 0;
  rows.idle_at(&idle);
  std::vector<index> lines;
  for (;;) {
    auto series = rows.take(at_a_time);
    if (series.next == &idle) return lines;
    for (index n = 0; n < at_a_time; ++n, series.next += series.step) {
      const auto bytes = series.next - reinterpret_cast<const char*>(memory);
      EXPECT_EQ(bytes % 64, 0);
      lines.push_back(bytes / 64);
    }
  }
}

std::vector<index> lines_of_rows(index first, index step, index rows, index lines) {
  std::vector<index> all;
  for (index r = 0; r < rows; ++r)
    for (index n = 0; n < lines; ++n) all.push_back(first + r * step + n);
  return all;
}

TEST(rows_ahead, without_gaps_are_asked_for_in_the_order_of_memory) {
  const auto rows = rows_ahead::of(memory + 32, 64, 12, 1, 64);
  EXPECT_THAT(lines_of(rows, 16), ElementsAreArray(lines_of_rows(2, 4, 12, 4)));
}

TEST(rows_ahead, with_gaps_are_asked_for_once_each) {
  const auto rows = rows_ahead::of(memory, 160, 12, 1, 64);
  for (const index at_a_time : {1, 4, 12})
    EXPECT_THAT(lines_of(rows, at_a_time), UnorderedElementsAreArray(lines_of_rows(0, 10, 12, 4)));
}

TEST(rows_ahead, a_part_of_a_line_counts_as_one) {
  const auto rows = rows_ahead::of(memory, 160, 12, 1, 65);
  EXPECT_THAT(lines_of(rows, 6), UnorderedElementsAreArray(lines_of_rows(0, 10, 12, 5)));
}

TEST(rows_ahead, follow_the_axis_that_lies_side_by_side) {
  const auto rows = rows_ahead::of(memory, 1, 32, 64, 20);
  EXPECT_THAT(lines_of(rows, 20), UnorderedElementsAreArray(lines_of_rows(0, 4, 20, 2)));
}

TEST(rows_ahead, are_none_where_no_axis_does) {
  EXPECT_THAT(lines_of(rows_ahead::of(memory, 200, 32, 2, 20), 8), IsEmpty());
  EXPECT_THAT(lines_of(rows_ahead(), 8), IsEmpty());
  EXPECT_THAT(lines_of(rows_ahead::of(memory, 16, 0, 1, 16), 8), IsEmpty());
}

TEST(rows_ahead, may_be_followed_by_others) {
  const auto first = rows_ahead::of(memory, 64, 4, 1, 64),
             second = rows_ahead::of(memory + 1600, 16, 16, 1, 16);
  auto both = lines_of_rows(0, 4, 4, 4);
  for (const index line : lines_of_rows(100, 1, 16, 1)) both.push_back(line);
  EXPECT_THAT(lines_of(first.then(second), 16), ElementsAreArray(both));
  EXPECT_THAT(lines_of(rows_ahead().then(second), 16), ElementsAreArray(lines_of_rows(100, 1, 16, 1)));
}

TEST(rows_ahead, are_followed_by_the_same_idle_line) {
  const char idle = 0;
  auto rows = rows_ahead::of(memory, 16, 2, 1, 16);
  rows.idle_at(&idle);
  rows.take(2);
  for (int n = 0; n < 3; ++n) {
    const auto series = rows.take(32);
    EXPECT_EQ(series.next, &idle);
    EXPECT_EQ(series.step, 0);
  }
}

}  // namespace
}  // namespace tensornorm_test
