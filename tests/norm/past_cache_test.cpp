// Results too large for a cache are written past it, by other instructions and from another first element
// than small ones. Their bits are the same.
#include <gtest/gtest.h>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/memory.hpp"
#include "../support/rows.hpp"

namespace tensornorm_test {
namespace {

/// As many numbers as asked for, of which a hundred thousand differ, and some are huge.
template <class T>
std::vector<T> many_numbers(std::size_t count) {
  auto some = normal<T>(100003, 121, 0.5, 2);
  some[50] = narrow<T>(std::is_same_v<T, Eigen::half> ? 6e4 : 1e30);
  std::vector<T> all(count);
  for (std::size_t first = 0; first < count; first += some.size())
    std::copy_n(some.begin(), std::min(some.size(), count - first),
                all.begin() + static_cast<std::ptrdiff_t>(first));
  return all;
}

/// How many numbers of T are more than go through the cache.
template <class T>
constexpr std::ptrdiff_t too_many = static_cast<std::ptrdiff_t>(tn::kernel::past_cache_bytes / sizeof(T)) + 1;

template <class T>
class results_past_the_cache : public testing::Test {};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(results_past_the_cache, scalars, scalar_names);

/// Each norm of all rows has the bits of its halves, which go through the cache. In place nothing goes past
/// it.
template <class T>
void expect_bits_of_halves(const row_block& all) {
  const std::ptrdiff_t half = (all.outer + 1) / 2;
  const std::ptrdiff_t slice = all.size * all.inner;
  const auto offset = static_cast<std::size_t>(slice % 3);
  const auto x = many_numbers<T>(all.count());
  const auto weight = normal<T>(all.length(), 122, 1, 0.5), bias = normal<T>(all.length(), 123);
  for (const formula& f : three_norms()) {
    SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << all);
    const T* const b = f.kind == norm::layer ? bias.data() : nullptr;
    canary_buffer<T> y(x.size(), offset);
    normalize_rows<T>(f, all, {x.data(), y.data(), weight.data(), b});
    std::vector<T> expected(x.size());
    for (std::ptrdiff_t first = 0; first < all.outer; first += half) {
      row_block few = all;
      few.outer = std::min(half, all.outer - first);
      const auto at = static_cast<std::size_t>(first * slice);
      normalize_rows<T>(f, few, {&x[at], &expected[at], weight.data(), b});
    }
    EXPECT_TRUE(same_bits(y.values(), expected));
    EXPECT_TRUE(y.intact());
    canary_buffer<T> in_place(x, offset);
    normalize_rows<T>(f, all, {in_place.data(), in_place.data(), weight.data(), b});
    EXPECT_TRUE(same_bits(in_place.values(), expected)) << "in place";
  }
}

TYPED_TEST(results_past_the_cache,
           have_the_bits_of_rows_that_go_through_it_and_nothing_beside_them_is_written) {
  for (const std::ptrdiff_t length : {16, 23, 65, 1025, 70001})
    expect_bits_of_halves<TypeParam>({too_many<TypeParam> / length + 1, length, 1});
}

TYPED_TEST(results_past_the_cache, have_the_bits_of_those_through_it_where_rows_lie_across_memory) {
  const auto expect_bits = [](std::ptrdiff_t length, std::ptrdiff_t more_than_whole_registers) {
    const std::ptrdiff_t whole = (too_many<TypeParam> / (2 * length) / 64 + 1) * 64;
    expect_bits_of_halves<TypeParam>({2, length, whole + more_than_whole_registers});
  };
  expect_bits(5, 0);
  expect_bits(66, 32);
  expect_bits(1025, 0);
  expect_bits(1025, 7);
}

TEST(group_norm_past_the_cache, has_the_bits_of_one_through_it) {
  using tensor = Eigen::Tensor<float, 3, Eigen::RowMajor>;
  for (const Eigen::Index positions : {7, 16, 33, 1001}) {
    const Eigen::Index batch = too_many<float> / (8 * positions) + 1;
    const auto numbers = many_numbers<float>(static_cast<std::size_t>(batch * 8 * positions));
    Eigen::Tensor<float, 1> weight(8), bias(8);
    weight.setValues({1, 2, 3, 4, 5, 6, 7, 8});
    bias.setValues({-1, 2, -3, 4, -5, 6, -7, 8});
    const auto part = [&](Eigen::Index first, Eigen::Index count) {
      return Eigen::TensorMap<const tensor>(&numbers[static_cast<std::size_t>(first * 8 * positions)], count,
                                            8, positions);
    };
    const tensor y = tn::group_norm(part(0, batch), 2, weight, bias);
    for (Eigen::Index first = 0; first < batch; first += batch / 2) {
      const Eigen::Index count = std::min(batch / 2, batch - first);
      const tensor expected = tn::group_norm(part(first, count), 2, weight, bias);
      const float* const at = y.data() + first * 8 * positions;
      EXPECT_TRUE(same_bits(std::vector<float>(at, at + count * 8 * positions),
                            std::vector<float>(expected.data(), expected.data() + expected.size())))
          << positions << " positions";
    }
  }
}

}  // namespace
}  // namespace tensornorm_test
