// Arithmetic on vectors: each lane is what the plain operation makes of that lane, at every instruction
// set and every size.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "../support/levels.hpp"
#include "../support/scalar.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

/// Numbers where arithmetic has something to get wrong.
template <class T>
std::vector<T> special_numbers() {
  using limits = std::numeric_limits<T>;
  const T e = limits::epsilon();
  return {0,
          -T(0),
          1,
          -1,
          1 + e,
          1 - e / 2,
          -1 - e,
          T(0.1),
          T(1) / 3,
          T(-7.25),
          2,
          T(4097),
          T(-1e-5),
          limits::min(),
          limits::denorm_min(),
          limits::max(),
          -limits::max(),
          limits::infinity(),
          -limits::infinity(),
          limits::quiet_NaN()};
}

/// Every triple of special numbers, one number of it in each list.
template <class T>
struct triples {
  std::vector<T> a, b, c;

  triples() {
    const auto numbers = special_numbers<T>();
    for (const T x : numbers)
      for (const T y : numbers)
        for (const T z : numbers) {
          a.push_back(x);
          b.push_back(y);
          c.push_back(z);
        }
  }
};

/// NaN from arithmetic is any NaN: its payload depends on the order of the operands.
template <class T>
bool same_number(T a, T b) {
  return (std::isnan(a) && std::isnan(b)) || bits(a) == bits(b);
}

template <class T>
class vectors : public testing::Test {
 protected:
  /// operation(a, b, c) on vectors is expected(a, b, c, fused) on numbers, for every triple.
  template <class Operation, class Expected>
  void expect_elementwise(const Operation& operation, const Expected& expected) {
    static const triples<T> in;
    const std::size_t count = in.a.size();
    ASSERT_EQ(count % 16, 0u);
    run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
      using V = typename decltype(type)::type;
      std::vector<T> result(count);
      for (std::size_t i = 0; i < count; i += V::size)
        operation(V::load(&in.a[i]), V::load(&in.b[i]), V::load(&in.c[i])).store(&result[i]);
      for (std::size_t i = 0; i < count; ++i) {
        const T wanted = expected(in.a[i], in.b[i], in.c[i], V::isa::has_fma);
        ASSERT_TRUE(same_number(result[i], wanted))
            << V::size << " lanes of " << in.a[i] << ", " << in.b[i] << ", " << in.c[i] << ": " << result[i]
            << ", expected " << wanted;
      }
    });
  }
};

using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(vectors, scalars, scalar_names);

TYPED_TEST(vectors, add_subtract_multiply_and_divide_lane_by_lane) {
  using T = TypeParam;
  this->expect_elementwise([](const auto& a, const auto& b, const auto&)
                               TENSORNORM_INLINE_LAMBDA { return a + b; },
                           [](T a, T b, T, bool) { return a + b; });
  this->expect_elementwise([](const auto& a, const auto& b, const auto&)
                               TENSORNORM_INLINE_LAMBDA { return a - b; },
                           [](T a, T b, T, bool) { return a - b; });
  this->expect_elementwise([](const auto& a, const auto& b, const auto&)
                               TENSORNORM_INLINE_LAMBDA { return a * b; },
                           [](T a, T b, T, bool) { return a * b; });
  this->expect_elementwise([](const auto& a, const auto& b, const auto&)
                               TENSORNORM_INLINE_LAMBDA { return a / b; },
                           [](T a, T b, T, bool) { return a / b; });
}

TYPED_TEST(vectors, multiply_and_add_with_one_rounding_where_the_machine_has_it_and_with_two_elsewhere) {
  using T = TypeParam;
  this->expect_elementwise([](const auto& a, const auto& b, const auto& c)
                               TENSORNORM_INLINE_LAMBDA { return fma(a, b, c); },
                           [](T a, T b, T c, bool fused) { return multiply_add(a, b, c, fused); });
}

TYPED_TEST(vectors, multiply_and_add_keep_what_a_rounded_product_loses) {
  using T = TypeParam;
  const T e = std::numeric_limits<T>::epsilon();
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    const V difference = fma(V::splat(1 + e), V::splat(1 - e), V::splat(-1));
    for (int lane = 0; lane < V::size; ++lane) EXPECT_EQ(difference[lane], V::isa::has_fma ? -e * e : 0);
  });
}

TYPED_TEST(vectors, take_correctly_rounded_roots) {
  using T = TypeParam;
  this->expect_elementwise([](const auto& a, const auto&, const auto&)
                               TENSORNORM_INLINE_LAMBDA { return sqrt(a); },
                           [](T a, T, T, bool) { return std::sqrt(a); });
  this->expect_elementwise([](const auto& a, const auto& b, const auto& c)
                               TENSORNORM_INLINE_LAMBDA { return sqrt((a + b) + c); },
                           [](T a, T b, T c, bool) { return std::sqrt((a + b) + c); });
}

TYPED_TEST(vectors, select_by_less_which_a_nan_never_is) {
  using T = TypeParam;
  this->expect_elementwise([](const auto& a, const auto& b, const auto& c)
                               TENSORNORM_INLINE_LAMBDA { return select(a < b, c, a); },
                           [](T a, T b, T c, bool) { return a < b ? c : a; });
}

TYPED_TEST(vectors, take_what_lies_outside_a_range_with_its_ends_inside_and_nan_outside) {
  using T = TypeParam;
  constexpr T high = std::numeric_limits<T>::max();
  for (const auto& [low, top] : {std::pair<T, T>{-1, 2}, {0, 0}, {T(0.1), high}, {2, -1}})
    this->expect_elementwise(
        [low = low, top = top](const auto& a, const auto& b, const auto& c)
            TENSORNORM_INLINE_LAMBDA { return select(outside(a, low, top), b, c); },
        [low = low, top = top](T a, T b, T c, bool) { return a >= low && a <= top ? c : b; });
}

TYPED_TEST(vectors, join_two_masks) {
  using T = TypeParam;
  this->expect_elementwise([](const auto& a, const auto& b, const auto& c)
                               TENSORNORM_INLINE_LAMBDA { return select((a < b) | (b < c), a, c); },
                           [](T a, T b, T c, bool) { return a < b || b < c ? a : c; });
}

TYPED_TEST(vectors, clear_the_sign_and_nothing_else_for_a_magnitude) {
  using T = TypeParam;
  auto numbers = special_numbers<T>();
  numbers.push_back(-std::numeric_limits<T>::quiet_NaN());
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    for (const T number : numbers) {
      const V magnitude = abs(V::splat(number));
      for (int lane = 0; lane < V::size; ++lane) {
        const T result = magnitude[lane];
        EXPECT_EQ(bits(result), bits(number) << 1 >> 1) << number;
      }
    }
  });
}

TYPED_TEST(vectors, number_their_lanes_as_memory_does) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    V v = V::splat(T(-0.5));
    for (int lane = 0; lane < V::size; ++lane) EXPECT_EQ(v[lane], T(-0.5));
    for (int lane = 0; lane < V::size; ++lane) v.set(lane, static_cast<T>(lane + 1));
    std::array<T, V::size> memory;
    v.store(memory.data());
    const V again = V::load(memory.data());
    for (int lane = 0; lane < V::size; ++lane) {
      EXPECT_EQ(v[lane], static_cast<T>(lane + 1));
      EXPECT_EQ(memory[static_cast<std::size_t>(lane)], static_cast<T>(lane + 1));
      EXPECT_EQ(again[lane], static_cast<T>(lane + 1));
    }
  });
}

/// The lanes of v are first, first + 1, ...
template <class V>
TENSORNORM_INLINE void expect_lanes_count_from(const V& v, int first) {
  for (int lane = 0; lane < V::size; ++lane)
    EXPECT_EQ(v[lane], static_cast<typename V::scalar>(first + lane)) << "lane " << lane << " of " << V::size;
}

TYPED_TEST(vectors, split_into_a_lower_and_an_upper_half_and_join_again) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    if constexpr (V::size > 1) {
      V v = V::splat(0);
      for (int lane = 0; lane < V::size; ++lane) v.set(lane, static_cast<T>(lane));
      static_assert(decltype(lower(v))::size == V::size / 2 && decltype(upper(v))::size == V::size / 2);
      expect_lanes_count_from(lower(v), 0);
      expect_lanes_count_from(upper(v), V::size / 2);
#if TENSORNORM_GNU_VECTORS
      if constexpr (V::size > 2) expect_lanes_count_from(join(lower(v), upper(v)), 0);
#endif
    }
  });
}

TYPED_TEST(vectors, have_any_lane_in_a_mask_if_one_is) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    const V zero = V::splat(0);
    EXPECT_FALSE(any(zero < zero));
    EXPECT_FALSE(any((zero < zero) | (zero < V::splat(-1))));
    EXPECT_TRUE(any(zero < V::splat(1)));
    for (int lane = 0; lane < V::size; ++lane) {
      V one = zero;
      one.set(lane, 1);
      EXPECT_TRUE(any(zero < one)) << lane << " of " << V::size;
      EXPECT_TRUE(any((zero < zero) | (zero < one))) << lane << " of " << V::size;
    }
  });
}

TYPED_TEST(vectors, choose_the_lanes_from_a_number_on) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    if constexpr (V::size > 1)
      for (int first = -70; first <= 70; ++first) {
        const V chosen = select(kernel::lanes_from<V>(first), V::splat(1), V::splat(0));
        for (int lane = 0; lane < V::size; ++lane)
          EXPECT_EQ(chosen[lane], lane >= first ? 1 : 0) << lane << " of " << V::size << " from " << first;
      }
  });
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
