// What every reducer keeps to, over every kind of lanes: the laws that let a driver pad, split and merge.
// States are compared with plain code at each instruction set, so that those with fused multiply-add have
// the same bits.
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <tensornorm/reduce/moments.hpp>

#include "../support/data.hpp"
#include "../support/levels.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

/// The state of one lane, and what each reducer does to it.
template <class T>
using plain_state = std::array<T, 2>;

struct plain_sums {
  template <class T>
  static void merge(plain_state<T>& s, const plain_state<T>& other) {
    for (std::size_t i = 0; i < s.size(); ++i) s[i] += other[i];
  }
};

template <template <class> class Reducer>
struct plain;
template <>
struct plain<kernel::sum> : plain_sums {
  template <class T>
  static void absorb(plain_state<T>& s, T x, T, bool) {
    s[0] += x;
  }
};
template <>
struct plain<kernel::sum_of_squares> : plain_sums {
  template <class T>
  static void absorb(plain_state<T>& s, T x, T, bool fused) {
    s[0] = multiply_add(x, x, s[0], fused);
  }
};
template <>
struct plain<kernel::centred_sums> : plain_sums {
  template <class T>
  static void absorb(plain_state<T>& s, T x, T shift, bool fused) {
    const T d = x - shift;
    s[0] += d;
    s[1] = multiply_add(d, d, s[1], fused);
  }
};
template <>
struct plain<kernel::largest_magnitude> {
  template <class T>
  static void absorb(plain_state<T>& s, T x, T, bool) {
    s[0] = std::fmax(s[0], std::fabs(x));
  }
  template <class T>
  static void merge(plain_state<T>& s, const plain_state<T>& other) {
    s[0] = std::fmax(s[0], other[0]);
  }
};

/// A reducer, over lanes of T.
template <template <class> class Reducer, class T>
struct reducer_of {
  using scalar = T;
  using plain_code = plain<Reducer>;
  template <class L>
  using over = Reducer<L>;
};

template <class Case>
class reducers : public testing::Test {
 protected:
  using scalar = typename Case::scalar;
  template <class L>
  using over = typename Case::template over<L>;

  static constexpr scalar shift = scalar(0.7);

  /// The state after `tiles` times L::size numbers from p on.
  template <class L>
  static TENSORNORM_INLINE over<L> absorbed(const scalar* p, int tiles) {
    auto state = over<L>::start(L::splat(shift));
    for (int i = 0; i < tiles; ++i) state.absorb(kernel::load_lanes<L>(p + i * L::size));
    return state;
  }

  template <class R>
  static TENSORNORM_INLINE void expect_same_bits(const R& a, const R& b) {
    for (int n = 0; n < R::count; ++n)
      for (int lane = 0; lane < R::lanes::size; ++lane) {
        const scalar x = a.state[n][lane], y = b.state[n][lane];
        EXPECT_EQ(bits(x), bits(y)) << "state " << n << ", lane " << lane << ": " << x << " and " << y;
      }
  }

  const std::vector<scalar> x_ = normal<scalar>(64 * 40, 71, 1, 3);
};

using cases =
    testing::Types<reducer_of<kernel::sum, float>, reducer_of<kernel::sum, double>,
                   reducer_of<kernel::sum_of_squares, float>, reducer_of<kernel::sum_of_squares, double>,
                   reducer_of<kernel::centred_sums, float>, reducer_of<kernel::centred_sums, double>,
                   reducer_of<kernel::largest_magnitude, float>,
                   reducer_of<kernel::largest_magnitude, double>>;
TYPED_TEST_SUITE(reducers, cases);

TYPED_TEST(reducers, are_not_changed_by_padding) {
  run_at_each_level<each_lanes<typename TypeParam::scalar>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    static_assert(kernel::reducer<typename TypeParam::template over<L>>);
    for (int tiles = 0; tiles < 4; ++tiles) {
      const auto before = this->template absorbed<L>(this->x_.data(), tiles);
      auto after = before;
      after.absorb(after.pad());
      after.absorb(after.pad());
      this->expect_same_bits(after, before);
    }
  });
}

TYPED_TEST(reducers, are_not_changed_by_an_empty_state) {
  run_at_each_level<each_lanes<typename TypeParam::scalar>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto before = this->template absorbed<L>(this->x_.data(), 3);
    auto after = before;
    after.merge(this->template absorbed<L>(nullptr, 0));
    this->expect_same_bits(after, before);
    auto empty_first = this->template absorbed<L>(nullptr, 0);
    empty_first.merge(before);
    this->expect_same_bits(empty_first, before);
  });
}

TYPED_TEST(reducers, merge_in_either_order_to_the_same_bits) {
  run_at_each_level<each_lanes<typename TypeParam::scalar>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto a = this->template absorbed<L>(this->x_.data(), 5);
    const auto b = this->template absorbed<L>(this->x_.data() + 5 * 64, 2);
    auto ab = a, ba = b;
    ab.merge(b);
    ba.merge(a);
    this->expect_same_bits(ab, ba);
  });
}

TYPED_TEST(reducers, merge_in_any_grouping_up_to_rounding) {
  using T = typename TypeParam::scalar;
  run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto a = this->template absorbed<L>(this->x_.data(), 5);
    const auto b = this->template absorbed<L>(this->x_.data() + 5 * 64, 2);
    const auto c = this->template absorbed<L>(this->x_.data() + 7 * 64, 9);
    auto left = a, right = b;
    left.merge(b);
    left.merge(c);
    right.merge(c);
    auto first = a;
    first.merge(right);
    for (int n = 0; n < decltype(first)::count; ++n)
      for (int lane = 0; lane < L::size; ++lane) {
        const T scale = std::abs(a.state[n][lane]) + std::abs(b.state[n][lane]) + std::abs(c.state[n][lane]);
        EXPECT_NEAR(left.state[n][lane], first.state[n][lane], 2 * std::numeric_limits<T>::epsilon() * scale);
      }
  });
}

/// The lanes of a state are the first of those expected.
template <class R, class Expected>
TENSORNORM_INLINE void expect_plain_state(const R& result, const Expected& expected) {
  for (int n = 0; n < R::count; ++n)
    for (int lane = 0; lane < R::lanes::size; ++lane) {
      const auto value = result.state[n][lane];
      const auto wanted = expected[static_cast<std::size_t>(lane)][static_cast<std::size_t>(n)];
      EXPECT_EQ(bits(value), bits(wanted))
          << R::lanes::size << " lanes: " << value << ", expected " << wanted;
    }
}

TYPED_TEST(reducers, absorb_and_fold_as_plain_code_does) {
  using T = typename TypeParam::scalar;
  using plain_code = typename TypeParam::plain_code;
  run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (const int tiles : {1, 2, 40}) {
      const auto state = this->template absorbed<L>(this->x_.data(), tiles);
      std::array<plain_state<T>, L::size> expected{};
      for (std::size_t i = 0; i < static_cast<std::size_t>(tiles) * L::size; ++i)
        plain_code::absorb(expected[i % L::size], this->x_[i], TestFixture::shift, L::isa::has_fma);
      expect_plain_state(state, expected);
      for (std::size_t width = L::size / 2; width > 0; width /= 2)
        for (std::size_t lane = 0; lane < width; ++lane)
          plain_code::merge(expected[lane], expected[lane + width]);
      expect_plain_state(fold(state), expected);
    }
  });
}

TYPED_TEST(reducers, keep_a_nan_in_its_lane_and_the_largest_magnitude_passes_over_it) {
  using T = typename TypeParam::scalar;
  auto x = this->x_;
  x[64] = std::numeric_limits<T>::quiet_NaN();
  run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    constexpr int tiles = 64 / L::size + 2;
    const auto clean = this->template absorbed<L>(this->x_.data(), tiles);
    const auto state = this->template absorbed<L>(x.data(), tiles);
    constexpr bool passes_over = std::is_same_v<decltype(clean), const kernel::largest_magnitude<L>>;
    for (int n = 0; n < decltype(clean)::count; ++n)
      for (int lane = 0; lane < L::size; ++lane) {
        const T value = state.state[n][lane], untouched = clean.state[n][lane];
        const bool poisoned = lane == 0 && !passes_over;
        EXPECT_EQ(std::isnan(value), poisoned);
        EXPECT_TRUE(value == untouched || lane == 0);
      }
  });
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
