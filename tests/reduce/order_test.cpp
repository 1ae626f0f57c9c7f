// The order in which states merge: pairwise trees, blocks of a run, and the tree over lanes.
#include <gtest/gtest.h>

#include <string>
#include <tensornorm/reduce/reduce.hpp>
#include <vector>

namespace tensornorm_test {
namespace {

namespace kernel = tensornorm::kernel;
using kernel::index;

std::string pair_of(const std::string& left, const std::string& right) {
  return std::string("(").append(left).append(" ").append(right).append(")");
}

/// Writes down what merged with what.
struct history {
  std::string text;

  void merge(const history& other) { text = pair_of(text, other.text); }
};

/// The tree over `count` leaves from `first` on: on the left the largest full tree that leaves something
/// for the right.
template <class Leaf>
std::string balanced(index first, index count, const Leaf& leaf) {
  if (count == 1) return leaf(first).text;
  index left = 1;
  while (2 * left < count) left *= 2;
  return pair_of(balanced(first, left, leaf), balanced(first + left, count - left, leaf));
}

history numbered(index i) { return {std::to_string(i)}; }

TEST(pairwise, merges_as_written_out_by_hand) {
  const auto tree = [](index count) { return kernel::pairwise<history, 3>(count, numbered).text; };
  EXPECT_EQ(tree(1), "0");
  EXPECT_EQ(tree(2), "(0 1)");
  EXPECT_EQ(tree(3), "((0 1) 2)");
  EXPECT_EQ(tree(4), "((0 1) (2 3))");
  EXPECT_EQ(tree(5), "(((0 1) (2 3)) 4)");
  EXPECT_EQ(tree(6), "(((0 1) (2 3)) (4 5))");
  EXPECT_EQ(tree(7), "(((0 1) (2 3)) ((4 5) 6))");
}

TEST(pairwise, merges_neighbours_first_in_a_balanced_tree_for_every_count) {
  for (index count = 1; count <= 63; ++count)
    EXPECT_EQ((kernel::pairwise<history, 6>(count, numbered).text), balanced(0, count, numbered)) << count;
}

TEST(pairwise, asks_for_each_leaf_once_and_in_order) {
  for (index count = 1; count <= 40; ++count) {
    std::vector<index> asked;
    kernel::pairwise<history, 6>(count, [&](index i) {
      asked.push_back(i);
      return numbered(i);
    });
    ASSERT_EQ(asked.size(), static_cast<std::size_t>(count));
    for (index i = 0; i < count; ++i) EXPECT_EQ(asked[static_cast<std::size_t>(i)], i);
  }
}

history interval(index begin, index end) { return {pair_of(std::to_string(begin), std::to_string(end))}; }

TEST(reduce_blocks, splits_into_blocks_from_the_beginning_and_a_shorter_last_and_merges_them_pairwise) {
  constexpr index block = kernel::block_length;
  for (const index begin : {index{0}, kernel::chunk_length, 3 * kernel::chunk_length})
    for (const index length : {index{1}, block - 1, block, block + 1, 2 * block, 3 * block + 7,
                               31 * block + 1, kernel::chunk_length - 1, kernel::chunk_length}) {
      const index end = begin + length;
      const auto leaf = [&](index number) {
        const index first = begin + number * block;
        return interval(first, std::min(first + block, end));
      };
      EXPECT_EQ(kernel::reduce_blocks<history>(begin, end, interval).text,
                balanced(0, (length + block - 1) / block, leaf))
          << length << " from " << begin;
    }
}

TEST(blocks_and_chunks, are_whole_lanes_and_whole_blocks) {
  static_assert(kernel::lane_count == 64);
  static_assert(kernel::block_length == 32 * 64, "the bits of every long row hang on it");
  static_assert(kernel::chunk_length == 32 * kernel::block_length, "the bits of every huge row hang on it");
}

TEST(ceil_div, counts_the_last_part) {
  static_assert(kernel::ceil_div(0, 64) == 0);
  static_assert(kernel::ceil_div(1, 64) == 1);
  static_assert(kernel::ceil_div(64, 64) == 1);
  static_assert(kernel::ceil_div(65, 64) == 2);
}

/// Lanes that write down what they are added to.
template <int Size>
struct history_lanes {
  static constexpr int size = Size;
  std::vector<std::string> lane;

  static history_lanes from(const history_lanes<2 * Size>& all, int first) {
    return {{all.lane.begin() + first, all.lane.begin() + first + Size}};
  }
  friend history_lanes<Size / 2> lower(const history_lanes& all) {
    return history_lanes<Size / 2>::from(all, 0);
  }
  friend history_lanes<Size / 2> upper(const history_lanes& all) {
    return history_lanes<Size / 2>::from(all, Size / 2);
  }
};

template <class L>
struct history_reducer {
  static constexpr int count = 1;
  L state[1];

  void merge(const history_reducer& other) {
    for (std::size_t i = 0; i < state[0].lane.size(); ++i)
      state[0].lane[i] = pair_of(state[0].lane[i], other.state[0].lane[i]);
  }
};

/// Lane, lane + width, lane + 2 width, ... as a tree of halves.
std::string halves(int lane, int width) {
  if (width == kernel::lane_count) return std::to_string(lane);
  return pair_of(halves(lane, 2 * width), halves(lane + width, 2 * width));
}

TEST(fold, merges_the_upper_half_of_the_lanes_into_the_lower_until_one_is_left) {
  history_reducer<history_lanes<kernel::lane_count>> lanes;
  for (int lane = 0; lane < kernel::lane_count; ++lane) lanes.state[0].lane.push_back(std::to_string(lane));
  EXPECT_EQ(kernel::fold(lanes).state[0].lane[0], halves(0, 1));
}

}  // namespace
}  // namespace tensornorm_test
