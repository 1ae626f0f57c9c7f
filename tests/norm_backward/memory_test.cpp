// Nothing is read or written beside the arguments, and everything of each destination is written.
#include "../support/memory.hpp"

#include <gtest/gtest.h>

#include "../support/backward.hpp"
#include "../support/bounds.hpp"

namespace tensornorm_test {
namespace {

template <class T>
class backward_memory_use : public testing::Test {
 protected:
  static std::vector<row_block> blocks() {
    std::vector<row_block> all;
    for (std::ptrdiff_t length = 1; length <= 70; ++length) all.push_back({1, length, 1});
    for (const std::ptrdiff_t length : {1, 2, 3, 5, 8, 15, 17, 33, 64})
      for (const std::ptrdiff_t rows : {2, 3, 5, 9}) all.push_back({rows, length, 1});
    for (const std::ptrdiff_t length : {127, 128, 129, 191, 193, 255, 257, 1021, 1025, 4099})
      all.push_back({3, length, 1});
    for (const std::ptrdiff_t inner : {2, 3, 15, 16, 17, 63, 65, 130})
      for (const std::ptrdiff_t length : {2, 7, 65}) all.push_back({2, length, inner});
    all.push_back({300, 9, 1});
    all.push_back({1, 140001, 1});
    all.push_back({1, 70001, 3});
    return all;
  }

  template <class Check>
  void for_each_call(const Check& check) {
    for (const row_block& block : blocks())
      for (const formula& f : three_norms())
        if (defined(f, block.size)) {
          SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << block);
          check(f, block, input_for<T>(block, plain_data, 271));
        }
  }

  /// The memory of a call between pages that may not be touched.
  struct guarded_call {
    guarded_buffer<T> dy, x, weight, dx, dweight, dbias;

    guarded_call(const formula& f, const backward_input<T>& input, guard side)
        : dy(input.dy.size(), side, input.dy),
          x(input.x.size(), side, input.x),
          weight(input.weight.size(), side, input.weight),
          dx(input.x.size(), side),
          dweight(input.weight.size(), side),
          dbias(f.kind == norm::layer ? input.weight.size() : 0, side) {}

    backward_memory<T> memory() {
      return {dy.data(), x.data(), weight.data(), dx.data(), dweight.data(), dbias.data(), nullptr};
    }
  };
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(backward_memory_use, scalars, scalar_names);

TYPED_TEST(backward_memory_use, beside_the_data_is_neither_read_nor_written) {
  for (const guard side : {guard::after, guard::before})
    this->for_each_call([&](const formula& f, const row_block& block, const auto& input) {
      typename TestFixture::guarded_call call(f, input, side);
      backward_rows<TypeParam>(f, block, call.memory());
      const auto expected = backward_of(f, block, input);
      EXPECT_TRUE(same_bits(call.dx.values(), expected.x));
      EXPECT_TRUE(same_bits(call.dweight.values(), expected.weight));
      EXPECT_TRUE(same_bits(call.dbias.values(), expected.bias));
      EXPECT_TRUE(same_bits(call.dy.values(), input.dy));
      EXPECT_TRUE(same_bits(call.x.values(), input.x));
      EXPECT_TRUE(same_bits(call.weight.values(), input.weight));
    });
}

TYPED_TEST(backward_memory_use, canaries_survive_and_every_nan_in_a_destination_is_written_over) {
  using T = TypeParam;
  this->for_each_call([&](const formula& f, const row_block& block, const auto& input) {
    for (const std::size_t offset : {0u, 1u, 3u}) {
      const std::size_t biases = f.kind == norm::layer ? input.weight.size() : 0;
      canary_buffer<T> dx(input.x.size(), offset), dweight(input.weight.size(), offset),
          dbias(biases, offset);
      backward_rows<T>(f, block,
                       {input.dy.data(), input.x.data(), input.weight.data(), dx.data(), dweight.data(),
                        dbias.data(), nullptr});
      EXPECT_TRUE(dx.intact() && dweight.intact() && dbias.intact());
      for (const auto& values : {dx.values(), dweight.values(), dbias.values()})
        for (const T value : values) ASSERT_FALSE(is_nan(value));
    }
  });
}

}  // namespace
}  // namespace tensornorm_test
