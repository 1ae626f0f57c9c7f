// Keys and values that are brought together before they are multiplied: what is visible, and once.
#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tensornorm/attention/operands.hpp>
#include <utility>
#include <vector>

#include "../support/attention_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

namespace kernel = tensornorm::kernel;

using kernel::index;
using testing::ElementsAre;
using testing::IsEmpty;

using range = std::pair<index, index>;

/// What is packed for blocks of queries that come one after another.
class packing {
 public:
  /// Of two batch elements of four heads, two of which share their keys.
  packing() { problem_.shape = {.batch = 2, .heads = 4, .key_heads = 2, .queries = 100, .keys = 1000}; }

  std::vector<range> operator()(index batch, index head, const range& visible, index keys = 1000) {
    std::vector<range> packed;
    packed_.add(problem_, {batch, head, 0, 48, 100, keys}, {visible.first, visible.second},
                [&](const kernel::key_range& r) { packed.emplace_back(r.first, r.last); });
    return packed;
  }

 private:
  kernel::attention_problem<float> problem_;
  kernel::packed_keys packed_;
};

TEST(packed_keys, are_packed_as_they_come_into_sight) {
  packing pack;
  EXPECT_THAT(pack(0, 0, {0, 48}), ElementsAre(range(0, 64)));
  EXPECT_THAT(pack(0, 0, {0, 64}), IsEmpty());
  EXPECT_THAT(pack(0, 0, {30, 65}), ElementsAre(range(64, 128)));
  EXPECT_THAT(pack(0, 0, {100, 300}), ElementsAre(range(128, 320)));
  EXPECT_THAT(pack(0, 0, {0, 128}), IsEmpty());
}

TEST(packed_keys, are_packed_on_both_sides_of_what_there_is) {
  packing pack;
  EXPECT_THAT(pack(0, 0, {256, 320}), ElementsAre(range(256, 320)));
  EXPECT_THAT(pack(0, 0, {200, 400}), ElementsAre(range(192, 256), range(320, 448)));
  EXPECT_THAT(pack(0, 0, {0, 1000}), ElementsAre(range(0, 192), range(448, 1000)));
}

TEST(packed_keys, end_with_the_keys_of_the_batch_element) {
  packing pack;
  EXPECT_THAT(pack(0, 0, {0, 70}, 70), ElementsAre(range(0, 70)));
  EXPECT_THAT(pack(0, 0, {0, 70}, 70), IsEmpty());
}

TEST(packed_keys, are_forgotten_where_others_follow_that_do_not_touch_them) {
  packing pack;
  EXPECT_THAT(pack(0, 0, {0, 64}), ElementsAre(range(0, 64)));
  EXPECT_THAT(pack(0, 0, {128, 192}), ElementsAre(range(128, 192)));
  EXPECT_THAT(pack(0, 0, {0, 192}), ElementsAre(range(0, 128)));
  EXPECT_THAT(pack(0, 0, {400, 500}), ElementsAre(range(384, 512)));
  EXPECT_THAT(pack(0, 0, {0, 10}), ElementsAre(range(0, 64)));
}

TEST(packed_keys, belong_to_a_key_head_of_a_batch_element) {
  packing pack;
  EXPECT_THAT(pack(0, 0, {0, 64}), ElementsAre(range(0, 64)));
  EXPECT_THAT(pack(0, 1, {0, 64}), IsEmpty());
  EXPECT_THAT(pack(0, 2, {0, 64}), ElementsAre(range(0, 64)));
  EXPECT_THAT(pack(1, 2, {0, 64}), ElementsAre(range(0, 64)));
  EXPECT_THAT(pack(1, 3, {0, 64}), IsEmpty());
}

TEST(packed_keys, of_a_query_that_sees_none_are_not_packed) {
  packing pack;
  EXPECT_THAT(pack(0, 0, {0, 0}), IsEmpty());
  EXPECT_THAT(pack(0, 0, {80, 64}), IsEmpty());
}

template <class T>
class packed_keys_of : public testing::Test {};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(packed_keys_of, scalars, scalar_names);

/// A window leaves most keys of every block of queries out of sight, and threads begin in the middle.
TYPED_TEST(packed_keys_of, a_window_give_the_results_of_the_reference_in_any_layout) {
  using T = TypeParam;
  using tensor = row_major_tensor<T, 4>;
  using columns = col_major_tensor<T, 4>;
  const attention_shape s{
      .batch = 2, .heads = 4, .queries = 300, .keys = 700, .dim = 24, .key_heads = 2, .dim_v = 10};
  const auto in = make_inputs<T>(s, 1701);
  modifier_list<tn::accumulator_t<T>> list;
  list.window = {.left = 70, .right = 10, .align = tn::align::bottom_right};
  list.lengths = {700, 391};
  Eigen::Tensor<std::int32_t, 1> lengths(2);
  lengths.setValues({700, 391});
  const auto expected = expected_attention(in, list);

  const auto q = tensor_of<tensor>({2, 4, 300, 24}, in.q), k = tensor_of<tensor>({2, 2, 700, 24}, in.k),
             v = tensor_of<tensor>({2, 2, 700, 10}, in.v);
  row_major_tensor<tn::accumulator_t<T>, 3> lse;
  const tensor o = tn::attention(q, k, v, tn::window(70, 10, tn::align::bottom_right),
                                 tn::key_lengths(lengths), tn::save_lse(lse));
  EXPECT_TRUE(
      within_bounds(attention_result<T>{elements_of(o), elements_of(lse), attention_path::fused}, expected));

  const std::array<int, 4> swapped{0, 2, 1, 3};
  const tensor q_first = q.shuffle(swapped), k_first = k.shuffle(swapped), v_first = v.shuffle(swapped);
  const auto q_columns = tensor_of<columns>({2, 4, 300, 24}, in.q),
             k_columns = tensor_of<columns>({2, 2, 700, 24}, in.k),
             v_columns = tensor_of<columns>({2, 2, 700, 10}, in.v);
  for (const int threads : {1, 3}) {
    Eigen::ThreadPool pool(threads);
    const Eigen::ThreadPoolDevice device(&pool, threads);
    tensor o_first(2, 300, 4, 10);
    o_first.device(device) =
        tn::attention(q_first, k_first, v_first, tn::tokens_first,
                      tn::window(70, 10, tn::align::bottom_right), tn::key_lengths(lengths));
    const tensor moved = o_first.shuffle(swapped);
    EXPECT_TRUE(same_bits(elements_of(moved), elements_of(o))) << threads;
    columns o_columns(2, 4, 300, 10);
    o_columns.device(device) =
        tn::attention(q_columns, k_columns, v_columns, tn::window(70, 10, tn::align::bottom_right),
                      tn::key_lengths(lengths));
    EXPECT_TRUE(same_bits(elements_of(o_columns), elements_of(o))) << threads;
  }
}

}  // namespace
}  // namespace tensornorm_test
