// The laws of the softmax state, over every vector: what lets keys be padded, split into chunks and merged.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <tensornorm/reduce/softmax.hpp>
#include <vector>

#include "../support/data.hpp"
#include "../support/levels.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

template <class L>
using state_of = kernel::softmax_sum<L>;

/// Lane `lane` of a state after the numbers absorbed, and how far rounding may have moved its sum.
struct reference_state {
  real largest = -std::numeric_limits<real>::infinity();
  real sum = 0;
  real relative_bound = 0;
};

/// Σ 2^(x − largest) over the finite numbers and −inf.
///
/// The bound: a step of a state - a number absorbed, a state merged - multiplies what is there with an exp2
/// and adds something. Its exponent, a difference, is rounded by (eps / 2) · spread, which moves the exp2 by
/// (eps / 2) · ln 2 · spread; the exp2 itself by 1.5 eps at most; the product and the sum round by eps / 2
/// each. What is added has an exp2 of its own, and no product. So a step costs at most (2.5 + 0.35 spread)
/// eps of the sum, and there are no more steps than numbers. An exp2 below the smallest normal number may be
/// lost: that much for each number, where the sum is at least about 1.
template <class T>
reference_state reference_of(const std::vector<T>& x) {
  reference_state r;
  real smallest = std::numeric_limits<real>::infinity();
  for (const T value : x) {
    r.largest = std::max(r.largest, static_cast<real>(value));
    if (std::isfinite(value)) smallest = std::min(smallest, static_cast<real>(value));
  }
  for (const T value : x)
    if (std::isfinite(value)) r.sum += std::exp2(static_cast<real>(value) - r.largest);
  const real spread = std::min(r.largest - smallest, static_cast<real>(-format<T>::min_exponent));
  if (r.sum > 0) r.relative_bound = static_cast<real>(x.size()) * (2.5L + 0.35L * spread) * epsilon<T>();
  return r;
}

template <class T>
class softmax_state : public testing::Test {
 protected:
  static constexpr T infinity = std::numeric_limits<T>::infinity();

  /// The state after `count` times L::size numbers from p on.
  template <class L>
  static TENSORNORM_INLINE state_of<L> absorbed(const T* p, int count) {
    auto state = state_of<L>::start(L::splat(T(0.7)));
    for (int i = 0; i < count; ++i) state.absorb(kernel::load_lanes<L>(p + i * L::size));
    return state;
  }

  /// The numbers that a lane sees of those.
  template <class L>
  static std::vector<T> of_lane(int lane, const T* p, int count) {
    std::vector<T> x;
    for (int i = 0; i < count; ++i) x.push_back(p[i * L::size + lane]);
    return x;
  }

  template <class R>
  static TENSORNORM_INLINE void expect_same_bits(const R& a, const R& b) {
    for (int n = 0; n < R::count; ++n)
      for (int lane = 0; lane < R::lanes::size; ++lane) {
        const T x = a.state[n][lane], y = b.state[n][lane];
        EXPECT_EQ(bits(x), bits(y)) << "state " << n << ", lane " << lane << " of " << R::lanes::size << ": "
                                    << x << " and " << y;
      }
  }

  static void expect_near(T largest, T sum, const std::vector<T>& x) {
    const reference_state r = reference_of(x);
    EXPECT_EQ(static_cast<real>(largest), r.largest);
    EXPECT_LE(std::abs(static_cast<real>(sum) - r.sum), r.relative_bound * r.sum)
        << x.size() << " numbers: " << sum << ", expected " << r.sum;
  }

  /// Every lane of a state is what its numbers, `count` of them from p on, make.
  template <class R>
  static TENSORNORM_INLINE void expect_state(const R& state, const T* p, int count) {
    for (int lane = 0; lane < R::lanes::size; ++lane)
      expect_near(state.state[0][lane], state.state[1][lane], of_lane<typename R::lanes>(lane, p, count));
  }

  // Rising and falling runs besides, so that lanes change their largest often and seldom.
  const std::vector<T> x_ = [] {
    auto x = normal<T>(16 * 200, 221, -2, 6);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += static_cast<T>(i % 3 == 0 ? i : x.size() - i) / 100;
    return x;
  }();
};

using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(softmax_state, scalars, scalar_names);

TYPED_TEST(softmax_state, is_a_reducer_that_starts_empty) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    static_assert(kernel::reducer<state_of<L>>);
    const auto empty = this->template absorbed<L>(nullptr, 0);
    const L padding = empty.pad();
    for (int lane = 0; lane < L::size; ++lane) {
      EXPECT_EQ(empty.state[0][lane], -TestFixture::infinity);
      EXPECT_EQ(bits(T(empty.state[1][lane])), bits(T(0)));
      EXPECT_EQ(padding[lane], -TestFixture::infinity);
    }
  });
}

TYPED_TEST(softmax_state, is_the_largest_exponent_and_the_sum_of_powers_below_it) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (const int count : {1, 2, 3, 40, 200})
      this->expect_state(this->template absorbed<L>(this->x_.data(), count), this->x_.data(), count);
  });
}

TYPED_TEST(softmax_state, keeps_its_lanes_apart) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    using one = kernel::vec<typename L::isa, T, 1>;
    const auto state = this->template absorbed<L>(this->x_.data(), 40);
    for (int lane = 0; lane < L::size; ++lane) {
      const auto x = this->template of_lane<L>(lane, this->x_.data(), 40);
      const auto alone = this->template absorbed<one>(x.data(), 40);
      for (int n = 0; n < 2; ++n)
        EXPECT_EQ(bits(T(state.state[n][lane])), bits(T(alone.state[n][0]))) << lane << " of " << L::size;
    }
  });
}

TYPED_TEST(softmax_state, is_not_changed_by_padding) {
  run_at_each_level<each_vector<TypeParam>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (int count = 0; count < 4; ++count) {
      const auto before = this->template absorbed<L>(this->x_.data(), count);
      auto after = before;
      after.absorb(after.pad());
      after.absorb(after.pad());
      this->expect_same_bits(after, before);
    }
  });
}

TYPED_TEST(softmax_state, is_not_changed_by_an_empty_state_either_way_round) {
  run_at_each_level<each_vector<TypeParam>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (const int count : {0, 1, 3, 40}) {
      const auto empty = this->template absorbed<L>(nullptr, 0);
      const auto before = this->template absorbed<L>(this->x_.data(), count);
      auto after = before;
      after.merge(empty);
      this->expect_same_bits(after, before);
      auto empty_first = empty;
      empty_first.merge(before);
      this->expect_same_bits(empty_first, before);
    }
  });
}

TYPED_TEST(softmax_state, merged_is_the_rest_absorbed_up_to_rounding) {
  run_at_each_level<each_vector<TypeParam>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (const int count : {1, 2, 7, 39})
      for (const int all : {40, 200}) {
        auto state = this->template absorbed<L>(this->x_.data(), count);
        state.merge(this->template absorbed<L>(this->x_.data() + count * L::size, all - count));
        this->expect_state(state, this->x_.data(), all);
      }
  });
}

TYPED_TEST(softmax_state, merges_in_either_order_but_for_the_rounding_of_one_product_and_the_sum) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto a = this->template absorbed<L>(this->x_.data(), 5);
    const auto b = this->template absorbed<L>(this->x_.data() + 5 * L::size, 12);
    auto ab = a, ba = b;
    ab.merge(b);
    ba.merge(a);
    // eps / 2 for the product that one of them rounds, and for each of the sums.
    for (int lane = 0; lane < L::size; ++lane) {
      EXPECT_EQ(ab.state[0][lane], ba.state[0][lane]);
      EXPECT_NEAR(ab.state[1][lane], ba.state[1][lane],
                  T(1.5) * std::numeric_limits<T>::epsilon() * ab.state[1][lane]);
    }
  });
}

TYPED_TEST(softmax_state, merges_chunks_pairwise_neighbours_first) {
  run_at_each_level<each_vector<TypeParam>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto chunk = [&](kernel::index n) TENSORNORM_INLINE_LAMBDA {
      return this->template absorbed<L>(this->x_.data() + n * 10 * L::size, 10);
    };
    const auto merged = [](const auto& a, const auto& b) TENSORNORM_INLINE_LAMBDA {
      auto both = a;
      both.merge(b);
      return both;
    };
    const auto first = merged(merged(chunk(0), chunk(1)), merged(chunk(2), chunk(3)));
    this->expect_same_bits(kernel::pairwise<state_of<L>, 7>(4, chunk), first);
    this->expect_same_bits(kernel::pairwise<state_of<L>, 7>(5, chunk), merged(first, chunk(4)));
    this->expect_same_bits(kernel::pairwise<state_of<L>, 7>(7, chunk),
                           merged(first, merged(merged(chunk(4), chunk(5)), chunk(6))));
    for (const int chunks : {1, 2, 3, 6, 11, 16, 20})
      this->expect_state(kernel::pairwise<state_of<L>, 7>(chunks, chunk), this->x_.data(), 10 * chunks);
  });
}

TYPED_TEST(softmax_state, has_the_same_bits_with_chunks_that_nobody_sees) {
  run_at_each_level<each_vector<TypeParam>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    // Chunks 2 and 3 of twelve alone, and with nothing but absent keys around them.
    const auto alone = [&](kernel::index n) TENSORNORM_INLINE_LAMBDA {
      return this->template absorbed<L>(this->x_.data() + n * 10 * L::size, n / 2 == 1 ? 10 : 0);
    };
    auto expected = alone(2);
    expected.merge(alone(3));
    for (const int chunks : {4, 5, 8, 12})
      this->expect_same_bits(kernel::pairwise<state_of<L>, 7>(chunks, alone), expected);
  });
}

TYPED_TEST(softmax_state, stays_empty_on_nothing_but_minus_infinity) {
  using T = TypeParam;
  const std::vector<T> absent(16 * 5, -TestFixture::infinity);
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto empty = this->template absorbed<L>(nullptr, 0);
    auto state = this->template absorbed<L>(absent.data(), 5);
    this->expect_same_bits(state, empty);
    state.merge(state);
    this->expect_same_bits(state, empty);
    // And is as good as new for numbers that follow.
    state.absorb(kernel::load_lanes<L>(this->x_.data()));
    this->expect_same_bits(state, this->template absorbed<L>(this->x_.data(), 1));
  });
}

TYPED_TEST(softmax_state, counts_each_number_that_is_the_lowest_or_the_largest_there_is) {
  using T = TypeParam;
  for (const T value : {std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max()})
    run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
      using L = typename decltype(type)::type;
      auto state = this->template absorbed<L>(nullptr, 0);
      for (int n = 0; n < 3; ++n) state.absorb(L::splat(value));
      state.absorb(state.pad());
      for (int lane = 0; lane < L::size; ++lane) {
        EXPECT_EQ(state.state[0][lane], value);
        EXPECT_EQ(state.state[1][lane], 3);
      }
    });
}

TYPED_TEST(softmax_state, does_not_overflow_however_large_its_numbers_and_their_differences_are) {
  using T = TypeParam;
  const T far = std::numeric_limits<T>::max();
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (const T offset : {T(1e4), T(-1e4), T(1e30), T(-1e30)}) {
      auto state = this->template absorbed<L>(nullptr, 0);
      for (int n = 0; n < 50; ++n) state.absorb(L::splat(offset));
      auto twice = state;
      twice.merge(state);
      for (int lane = 0; lane < L::size; ++lane) {
        EXPECT_EQ(state.state[1][lane], 50) << offset;
        EXPECT_EQ(twice.state[1][lane], 100) << offset;
        EXPECT_EQ(twice.state[0][lane], offset);
      }
    }
    auto low = this->template absorbed<L>(nullptr, 0), high = low;
    low.absorb(L::splat(-far));
    high.absorb(L::splat(far));
    auto low_first = low, high_first = high;
    low_first.merge(high);
    high_first.merge(low);
    this->expect_same_bits(low_first, high);
    this->expect_same_bits(high_first, high);
    low.absorb(L::splat(far));
    this->expect_same_bits(low, high);
  });
}

TYPED_TEST(softmax_state, becomes_nan_in_its_sum_by_a_nan_and_by_infinity_and_in_that_lane_alone) {
  using T = TypeParam;
  for (const T value :
       {std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::quiet_NaN(), TestFixture::infinity})
    for (const int when : {0, 2, 4}) {
      run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
        using L = typename decltype(type)::type;
        constexpr int at = L::size - 1;
        auto x = this->x_;
        x[static_cast<std::size_t>(when * L::size + at)] = value;
        const auto clean = this->template absorbed<L>(this->x_.data(), 5);
        auto state = this->template absorbed<L>(x.data(), 5);
        auto merged = this->template absorbed<L>(nullptr, 0);
        merged.merge(state);
        for (int lane = 0; lane < L::size; ++lane) {
          const T sum = state.state[1][lane], merged_sum = merged.state[1][lane],
                  usual = clean.state[1][lane];
          EXPECT_EQ(std::isnan(sum), lane == at) << L::size << " lanes, number " << when;
          EXPECT_EQ(std::isnan(merged_sum), lane == at) << L::size << " lanes, number " << when;
          EXPECT_TRUE(lane == at || bits(sum) == bits(usual)) << L::size << " lanes, number " << when;
        }
        // A NaN is not the largest: that is the largest of the others.
        if (std::isnan(value)) {
          auto others = this->template of_lane<L>(at, this->x_.data(), 5);
          others.erase(others.begin() + when);
          EXPECT_EQ(state.state[0][at], *std::ranges::max_element(others));
        }
      });
    }
}

TYPED_TEST(softmax_state, raised_says_what_its_sum_was_multiplied_with) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto before = this->template absorbed<L>(this->x_.data(), 5);
    const L largest = before.state[0];
    for (const L& top : {largest, largest - L::splat(1), L::splat(-TestFixture::infinity)}) {
      auto same = before;
      const L factor = same.raise(top);
      for (int lane = 0; lane < L::size; ++lane) EXPECT_EQ(factor[lane], 1);
      this->expect_same_bits(same, before);
    }
    auto higher = before;
    const L factor = higher.raise(largest + L::splat(2));
    auto empty = this->template absorbed<L>(nullptr, 0), still_empty = empty;
    const L nothing = empty.raise(largest);
    const L nothing_again = still_empty.raise(L::splat(-TestFixture::infinity));
    for (int lane = 0; lane < L::size; ++lane) {
      // The largest may be rounded where 2 is added to it.
      EXPECT_NEAR(factor[lane], 0.25, 16 * std::numeric_limits<T>::epsilon());
      EXPECT_EQ(higher.state[0][lane], T(largest[lane]) + 2);
      EXPECT_EQ(higher.state[1][lane], T(before.state[1][lane]) * T(factor[lane]));
      EXPECT_EQ(nothing[lane], 0);
      EXPECT_EQ(nothing_again[lane], 0);
      EXPECT_EQ(empty.state[0][lane], largest[lane]);
      EXPECT_EQ(empty.state[1][lane], 0);
      EXPECT_EQ(still_empty.state[0][lane], -TestFixture::infinity);
    }
  });
}

TYPED_TEST(softmax_state, merged_says_what_weighted_sums_beside_it_are_multiplied_with) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto low = this->template absorbed<L>(this->x_.data(), 5);
    auto high = low;
    high.state[0] = low.state[0] + L::splat(3);
    auto low_first = low, high_first = high;
    const auto into_low = low_first.merge_with_factors(high);
    const auto into_high = high_first.merge_with_factors(low);
    auto into_empty = this->template absorbed<L>(nullptr, 0);
    const auto empty_first = into_empty.merge_with_factors(low);
    auto with_empty = low;
    const auto empty_last = with_empty.merge_with_factors(this->template absorbed<L>(nullptr, 0));
    for (int lane = 0; lane < L::size; ++lane) {
      const T near = 16 * std::numeric_limits<T>::epsilon();
      EXPECT_NEAR(into_low.mine[lane], 0.125, near);
      EXPECT_EQ(into_low.others[lane], 1);
      EXPECT_EQ(into_high.mine[lane], 1);
      EXPECT_NEAR(into_high.others[lane], 0.125, near);
      EXPECT_EQ(empty_first.mine[lane], 0);
      EXPECT_EQ(empty_first.others[lane], 1);
      EXPECT_EQ(empty_last.mine[lane], 1);
      EXPECT_EQ(empty_last.others[lane], 0);
    }
  });
}

TYPED_TEST(softmax_state, folds_its_lanes_to_that_of_all_numbers) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    const auto state = fold(this->template absorbed<L>(this->x_.data(), 7));
    this->expect_near(state.state[0][0], state.state[1][0],
                      std::vector<T>(this->x_.begin(), this->x_.begin() + 7 * L::size));
  });
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
