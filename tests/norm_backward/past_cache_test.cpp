// Gradients too large for a cache are written past it, by other instructions and from another first element
// than small ones. Their bits are the same.
#include <gtest/gtest.h>

#include "../support/backward.hpp"
#include "../support/bounds.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {
namespace {

/// As many numbers as asked for, of which a hundred thousand differ.
template <class T>
std::vector<T> many_numbers(std::size_t count, std::uint32_t seed) {
  const auto some = normal<T>(100003, seed, 0.5, 2);
  std::vector<T> all(count);
  for (std::size_t first = 0; first < count; first += some.size())
    std::copy_n(some.begin(), std::min(some.size(), count - first),
                all.begin() + static_cast<std::ptrdiff_t>(first));
  return all;
}

template <class T>
class gradients_past_the_cache : public testing::Test {};
using scalars = testing::Types<float, Eigen::bfloat16>;
TYPED_TEST_SUITE(gradients_past_the_cache, scalars, scalar_names);

TYPED_TEST(gradients_past_the_cache,
           have_the_bits_of_rows_that_go_through_it_and_nothing_beside_them_is_written) {
  using T = TypeParam;
  constexpr auto too_many = static_cast<std::ptrdiff_t>(tn::kernel::past_cache_bytes / sizeof(T)) + 1;
  const formula formulas[] = {{norm::rms, 1e-6, 0}, {norm::layer, 1e-5, 0}};
  for (const std::ptrdiff_t length : {23, 64, 1025, 70001})
    for (const formula& f : formulas) {
      const row_block all{too_many / length + 1, length, 1};
      SCOPED_TRACE(testing::Message() << name_of(f.kind) << " of " << all);
      const std::ptrdiff_t half = (all.outer + 1) / 2;
      backward_input<T> input{many_numbers<T>(all.count(), 371), many_numbers<T>(all.count(), 372),
                              normal<T>(all.length(), 373, 1, 0.5)};
      std::vector<T> dweight(all.length()), dbias(all.length()), dweight_in_place(all.length());
      canary_buffer<T> dx(input.x.size(), static_cast<std::size_t>(length % 3));
      backward_memory<T> memory{input.dy.data(), input.x.data(), input.weight.data(),
                                dx.data(),       dweight.data(), dbias.data(),
                                nullptr};
      backward_rows<T>(f, all, memory);
      EXPECT_TRUE(dx.intact());
      std::vector<T> expected(input.x.size()), of_half(all.length());
      for (std::ptrdiff_t first = 0; first < all.outer; first += half) {
        const auto at = static_cast<std::size_t>(first * length);
        backward_rows<T>(f, {std::min(half, all.outer - first), length, 1},
                         {&input.dy[at], &input.x[at], input.weight.data(), &expected[at], of_half.data(),
                          dbias.data(), nullptr});
      }
      EXPECT_TRUE(same_bits(dx.values(), expected));
      memory.dx = input.dy.data();
      memory.dweight = dweight_in_place.data();
      backward_rows<T>(f, all, memory);
      EXPECT_TRUE(same_bits(input.dy, expected)) << "in place";
      EXPECT_TRUE(same_bits(dweight_in_place, dweight)) << "in place";
    }
}

}  // namespace
}  // namespace tensornorm_test
