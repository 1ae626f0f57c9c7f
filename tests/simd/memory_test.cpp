// Between memory and registers: every number of the 16-bit types, every rounding to them, at every
// instruction set and every size, and the very same in single numbers.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "../support/levels.hpp"
#include "../support/memory.hpp"
#include "../support/scalar.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

/// The number that a pattern of T stands for, from the definition of the format.
template <class T>
double value_of(std::uint32_t pattern) {
  const int fraction_bits = format<T>::digits - 1;
  const std::uint32_t fraction = pattern & ((1u << fraction_bits) - 1);
  const std::uint32_t exponent = (pattern & 0x7fffu) >> fraction_bits;
  const std::uint32_t top = 0x7fffu >> fraction_bits;
  double magnitude = exponent == 0 ? fraction : fraction + (1u << fraction_bits);
  magnitude = std::ldexp(magnitude, format<T>::min_exponent - fraction_bits +
                                        (exponent == 0 ? 0 : static_cast<int>(exponent) - 1));
  if (exponent == top) magnitude = fraction == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
  return pattern & 0x8000u ? -magnitude : magnitude;
}

/// The number of T nearest to a float, ties to even.
template <class T>
double nearest(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double step = static_cast<double>(ulp<T>(value));
  const double result = std::nearbyint(value / step) * step;
  const bool overflows = std::abs(result) >= std::ldexp(1.0, 2 - format<T>::min_exponent);
  return overflows ? std::copysign(std::numeric_limits<double>::infinity(), value) : result;
}

/// Every number of T, the middle to its next, the floats beside both, and NaNs with all kinds of payload.
template <class T>
std::vector<float> floats_around_the_numbers() {
  std::vector<float> all;
  const auto add_with_neighbours = [&](double value) {
    const float middle = static_cast<float>(value);
    for (const float f : {middle, std::nextafter(middle, 0.f), std::nextafter(middle, 2 * middle)}) {
      all.push_back(f);
      all.push_back(-f);
    }
  };
  for (std::uint32_t pattern = 0; value_of<T>(pattern) < std::numeric_limits<double>::infinity(); ++pattern) {
    const double value = value_of<T>(pattern);
    add_with_neighbours(value);
    add_with_neighbours(value + static_cast<double>(ulp<T>(value)) / 2);
  }
  for (const std::uint32_t magnitude : {0x00000001u, 0x007fffffu, 0x00800000u, 0x7f7fffffu, 0x7f800000u})
    for (const std::uint32_t sign : {0u, 0x80000000u}) all.push_back(std::bit_cast<float>(sign | magnitude));
  for (int bit = 0; bit < 23; ++bit)
    for (const std::uint32_t nan : {0x7f800000u, 0x7fc00000u, 0xff800000u})
      all.push_back(std::bit_cast<float>(nan | 1u << bit));
  while (all.size() % 16 != 0) all.push_back(1);
  return all;
}

template <class T>
class conversions : public testing::Test {
 protected:
  /// What the library calls T.
  using stored = std::conditional_t<std::is_same_v<T, Eigen::half>, kernel::float16, kernel::bfloat16>;

  static std::vector<stored> every_pattern() {
    std::vector<stored> all;
    for (std::uint32_t pattern = 0; pattern < 0x10000u; ++pattern)
      all.push_back({static_cast<std::uint16_t>(pattern)});
    return all;
  }

  /// The bits of a value when stored as T: those of Eigen and of the definition, but for NaN, which
  /// keeps its sign and the upper bits of its payload, and is quiet.
  static std::uint16_t narrowed_bits(float value) {
    if (!std::isnan(value)) return Eigen::numext::bit_cast<std::uint16_t>(T(value));
    const std::uint32_t payload = bits(value) >> (24 - format<T>::digits) & 0x7fffu;
    const std::uint32_t all_exponent = 0x7fffu >> (format<T>::digits - 1) << (format<T>::digits - 1);
    const std::uint32_t quiet = 1u << (format<T>::digits - 2);
    return static_cast<std::uint16_t>((bits(value) >> 16 & 0x8000u) | all_exponent | quiet | payload);
  }
};

using half_types = testing::Types<Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(conversions, half_types, scalar_names);

TYPED_TEST(conversions, widen_every_pattern_exactly_and_nan_to_nan) {
  const auto in = this->every_pattern();
  run_at_each_level<each_vector<float>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    std::vector<float> out(in.size());
    for (std::size_t i = 0; i < in.size(); i += V::size) kernel::load<V>(&in[i]).store(&out[i]);
    for (std::uint32_t pattern = 0; pattern < in.size(); ++pattern) {
      const double expected = value_of<TypeParam>(pattern);
      const float eigen = static_cast<float>(std::bit_cast<TypeParam>(in[pattern].bits));
      ASSERT_EQ(std::isnan(out[pattern]), std::isnan(expected)) << pattern;
      ASSERT_EQ(std::isnan(out[pattern]), std::isnan(eigen)) << pattern;
      ASSERT_EQ(bits(out[pattern]), bits(kernel::widen<float>(in[pattern]))) << pattern;
      if (std::isnan(expected)) continue;
      ASSERT_EQ(bits(out[pattern]), bits(static_cast<float>(expected))) << pattern;
      ASSERT_EQ(bits(out[pattern]), bits(eigen)) << pattern;
    }
  });
}

TYPED_TEST(conversions, narrow_to_the_nearest_ties_to_even) {
  const auto in = floats_around_the_numbers<TypeParam>();
  using S = typename TestFixture::stored;
  for (const float value : in) {
    const std::uint16_t narrowed = kernel::narrow<S>(value).bits;
    ASSERT_EQ(narrowed, this->narrowed_bits(value)) << std::hexfloat << value;
    if (std::isnan(value)) continue;
    ASSERT_EQ(value_of<TypeParam>(narrowed), nearest<TypeParam>(static_cast<double>(value)))
        << std::hexfloat << value;
    ASSERT_EQ(narrowed >> 15 != 0, std::signbit(value)) << std::hexfloat << value;
  }
}

TYPED_TEST(conversions, of_vectors_are_those_of_numbers) {
  const auto in = floats_around_the_numbers<TypeParam>();
  using S = typename TestFixture::stored;
  run_at_each_level<each_vector<float>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    std::vector<S> narrowed(in.size());
    std::vector<float> rounded(in.size());
    for (std::size_t i = 0; i < in.size(); i += V::size) {
      kernel::store(V::load(&in[i]), &narrowed[i]);
      kernel::round_to<S>(V::load(&in[i])).store(&rounded[i]);
    }
    for (std::size_t i = 0; i < in.size(); ++i) {
      const S number = kernel::narrow<S>(in[i]);
      ASSERT_EQ(narrowed[i].bits, number.bits) << std::hexfloat << in[i];
      ASSERT_EQ(bits(rounded[i]), bits(kernel::widen<float>(number))) << std::hexfloat << in[i];
    }
  });
}

TYPED_TEST(conversions, there_and_back_give_the_same_bits) {
  for (const auto pattern : this->every_pattern()) {
    const auto back = kernel::narrow<typename TestFixture::stored>(kernel::widen<float>(pattern));
    const bool is_nan_pattern = std::isnan(value_of<TypeParam>(pattern.bits));
    const int quiet = is_nan_pattern ? 1 << (format<TypeParam>::digits - 2) : 0;
    ASSERT_EQ(back.bits, pattern.bits | quiet);
  }
}

TEST(float_and_double, convert_as_single_numbers_do) {
  std::vector<double> doubles;
  for (const float f : floats_around_the_numbers<Eigen::half>())
    if (!std::isnan(f)) doubles.push_back(static_cast<double>(f) * (1 + 0x1p-25));
  while (doubles.size() % 16 != 0) doubles.push_back(1);
  std::vector<float> floats(doubles.begin(), doubles.end());
  run_at_each_level<each_vector<float>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    std::vector<float> narrowed(doubles.size());
    for (std::size_t i = 0; i < doubles.size(); i += V::size)
      kernel::load<V>(&doubles[i]).store(&narrowed[i]);
    for (std::size_t i = 0; i < doubles.size(); ++i) ASSERT_EQ(bits(narrowed[i]), bits(floats[i]));
  });
  run_at_each_level<each_vector<double>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    std::vector<double> widened(floats.size());
    for (std::size_t i = 0; i < floats.size(); i += V::size) kernel::load<V>(&floats[i]).store(&widened[i]);
    for (std::size_t i = 0; i < floats.size(); ++i)
      ASSERT_EQ(bits(widened[i]), bits(static_cast<double>(floats[i])));
  });
}

/// What a vector can be stored as.
template <class Stored, class Compute>
struct storage {
  using stored = Stored;
  using compute = Compute;
};

template <class Storage>
class stores : public testing::Test {};
using storages = testing::Types<storage<float, float>, storage<double, double>,
                                storage<kernel::float16, float>, storage<kernel::bfloat16, float>>;
TYPED_TEST_SUITE(stores, storages);

/// 64 numbers and as many around them that nobody writes, from a boundary of 64 bytes on.
template <class S>
struct alignas(64) page {
  std::array<S, 192> all;

  page() { all.fill(kernel::narrow<S>(-77.f)); }
  S* middle() { return all.data() + 64; }
  friend bool operator==(const page& a, const page& b) {
    for (std::size_t i = 0; i < a.all.size(); ++i)
      if (bits(a.all[i]) != bits(b.all[i])) return false;
    return true;
  }
};

TYPED_TEST(stores, past_the_cache_write_what_stores_write) {
  using S = typename TypeParam::stored;
  using T = typename TypeParam::compute;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    std::array<T, V::size> numbers;
    for (std::size_t i = 0; i < V::size; ++i) numbers[i] = T(-2.7) + T(1.01) * static_cast<T>(i);
    const V v = V::load(numbers.data());
    constexpr bool fits_register = V::size <= kernel::vec_size<typename V::isa, T>;
    page<S> stored, streamed, singly;
    for (int i = 0; i < 64; i += V::size) {
      kernel::store(v, stored.middle() + i);
      if constexpr (fits_register) kernel::stream(v, streamed.middle() + i);
      for (int lane = 0; lane < V::size; ++lane)
        singly.middle()[i + lane] = kernel::narrow<S>(numbers[static_cast<std::size_t>(lane)]);
    }
    kernel::stream_fence();
    EXPECT_TRUE(streamed == stored || !fits_register) << V::size << " lanes";
    EXPECT_TRUE(stored == singly) << V::size << " lanes";
  });
}

TYPED_TEST(stores, and_loads_take_any_alignment_and_touch_nothing_else) {
  using S = typename TypeParam::stored;
  using T = typename TypeParam::compute;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    page<S> source;
    for (std::size_t i = 0; i < source.all.size(); ++i) source.all[i] = kernel::narrow<S>(static_cast<T>(i));
    for (std::size_t offset = 0; offset < 64; ++offset) {
      page<S> target, expected;
      kernel::store(kernel::load<V>(source.middle() + offset), target.middle() + 63 - offset);
      for (std::size_t i = 0; i < V::size; ++i) expected.all[127 - offset + i] = source.all[64 + offset + i];
      EXPECT_TRUE(target == expected) << V::size << " lanes at " << offset;
    }
  });
}

TYPED_TEST(stores, and_loads_of_the_first_lanes_touch_no_others) {
  using S = typename TypeParam::stored;
  using T = typename TypeParam::compute;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using V = typename decltype(type)::type;
    guarded_buffer<T> memory(V::size, guard::after);
    S* const source = reinterpret_cast<S*>(memory.data() + V::size) - V::size;
    for (int i = 0; i < V::size; ++i) source[i] = kernel::narrow<S>(static_cast<T>(i + 1));
    for (int count = 0; count <= V::size; ++count) {
      const V v = kernel::load_first<V>(source + V::size - count, count);
      for (int lane = 0; lane < V::size; ++lane)
        EXPECT_EQ(v[lane], lane < count ? static_cast<T>(V::size - count + lane + 1) : 0) << count;
      page<S> target, expected;
      kernel::store_first(v, target.middle() + 3, count);
      for (int i = 0; i < count; ++i) expected.middle()[3 + i] = source[V::size - count + i];
      EXPECT_TRUE(target == expected) << count << " of " << V::size << " lanes";
    }
  });
}

TEST(prefetch, takes_any_address) {
  kernel::prefetch<kernel::cache_level::first>(nullptr);
  kernel::prefetch<kernel::cache_level::second>(nullptr);
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
