// Moments against the long double reference: from a mean that is off, and pooled from parts.
#include <gtest/gtest.h>

#include <limits>
#include <tensornorm/reduce/moments.hpp>

#include "../support/data.hpp"
#include "../support/levels.hpp"
#include "../support/oracle.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm_test {
namespace {

template <class T>
class moments : public testing::Test {
 protected:
  /// The moments of elements [begin, end) of as many rows as L has lanes, about their mean plus `off`.
  template <class L>
  static TENSORNORM_INLINE kernel::moments<L> moments_of(const std::vector<T>& x, kernel::index begin,
                                                         kernel::index end, T off = 0) {
    auto total = kernel::sum<L>::start(L::splat(0));
    for (auto i = begin; i < end; ++i)
      total.absorb(kernel::load_lanes<L>(&x[static_cast<std::size_t>(i * L::size)]));
    const L mean = total.state[0] / L::splat(static_cast<T>(end - begin)) + L::splat(off);
    auto sums = kernel::centred_sums<L>::start(mean);
    for (auto i = begin; i < end; ++i)
      sums.absorb(kernel::load_lanes<L>(&x[static_cast<std::size_t>(i * L::size)]));
    return kernel::moments<L>::about(mean, sums, end - begin);
  }

  /// Each lane's moments are those of elements [0, n) of its row. `looseness` is the square of how far from
  /// the mean, in deviations, the sums were taken.
  template <class L>
  static TENSORNORM_INLINE void expect_moments(const kernel::moments<L>& result, const std::vector<T>& x,
                                               kernel::index n, real looseness = 0) {
    EXPECT_EQ(result.n, n);
    for (int lane = 0; lane < L::size; ++lane)
      expect_number(result.mean[lane], result.residual[lane], result.m2[lane], row_of(x, lane, L::size, n),
                    looseness);
  }

  /// n elements of row `lane`, of those that lie side by side.
  static std::vector<real> row_of(const std::vector<T>& x, int lane, int lanes, kernel::index n) {
    std::vector<real> row;
    for (kernel::index i = 0; i < n; ++i) row.push_back(widen(x[static_cast<std::size_t>(i * lanes + lane)]));
    return row;
  }

  /// Sums of n rounded terms, one after another, are off by n roundings at most.
  static void expect_number(T mean, T residual, T m2, const std::vector<real>& row, real looseness) {
    const row_reference expected = reference_row({norm::layer, 0, 0}, row, {}, {});
    const real n = static_cast<real>(row.size()), e = epsilon<T>();
    const real deviation = 1 / expected.rstd;
    const real scatter = n * deviation * deviation;
    EXPECT_LE(std::abs(widen(m2) - scatter), (n + 8) * e * (1 + looseness) * scatter)
        << row.size() << " elements";
    EXPECT_LE(std::abs(expected.mean.distance_to(widen(mean)) + widen(residual)),
              n * e * std::sqrt(1 + looseness) * deviation + 2 * e * e * std::abs(expected.mean.high))
        << row.size() << " elements";
    EXPECT_EQ(mean + residual, mean) << "the residual is what is left after rounding";
  }
};

using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(moments, scalars, scalar_names);

constexpr kernel::index lengths[] = {2, 3, 10, 50};

TYPED_TEST(moments, do_not_cancel_far_from_zero) {
  using T = TypeParam;
  for (const data_kind& kind : everyday_data) {
    const auto x = make<T>(kind, 64 * 50, 64, 72);
    run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
      using L = typename decltype(type)::type;
      for (const kernel::index n : lengths) this->expect_moments(this->template moments_of<L>(x, 0, n), x, n);
    });
  }
}

TYPED_TEST(moments, take_out_again_what_the_mean_is_off_by) {
  using T = TypeParam;
  const auto x = normal<T>(64 * 50, 73, 100, 2);
  run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (const T off : {T(0.25), T(-2), T(6)})
      this->expect_moments(this->template moments_of<L>(x, 0, 50, off), x, 50, 16);
  });
}

TYPED_TEST(moments, of_parts_pool_to_those_of_the_whole_in_any_order) {
  using T = TypeParam;
  for (const double far : {0.0, 0.5, 40.0}) {
    auto x = normal<T>(64 * 50, 74, 1e4, 1e-1);
    run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
      using L = typename decltype(type)::type;
      auto rows = x;
      for (std::size_t i = 8 * L::size; i < 45 * L::size; ++i) rows[i] += static_cast<T>(far);
      const auto a = this->template moments_of<L>(rows, 0, 8);
      const auto b = this->template moments_of<L>(rows, 8, 45);
      const auto c = this->template moments_of<L>(rows, 45, 50);
      auto ab_c = a, bc = b, c_ba = c, ba = b;
      ab_c.merge(b);
      this->expect_moments(ab_c, rows, 45);
      ab_c.merge(c);
      this->expect_moments(ab_c, rows, 50);
      bc.merge(c);
      auto a_bc = a;
      a_bc.merge(bc);
      this->expect_moments(a_bc, rows, 50);
      ba.merge(a);
      c_ba.merge(ba);
      this->expect_moments(c_ba, rows, 50);
    });
  }
}

TYPED_TEST(moments, of_single_elements_pool_one_by_one) {
  using T = TypeParam;
  const auto x = normal<T>(64 * 50, 75, -300, 5);
  run_at_each_level<each_lanes<T>>([&](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    auto pooled = this->template moments_of<L>(x, 0, 1);
    for (int lane = 0; lane < L::size; ++lane) EXPECT_EQ(pooled.m2[lane], 0);
    for (kernel::index i = 1; i < 50; ++i) pooled.merge(this->template moments_of<L>(x, i, i + 1));
    this->expect_moments(pooled, x, 50);
  });
}

TYPED_TEST(moments, of_a_constant_are_never_negative_whatever_the_mean_is_off_by) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    for (kernel::index n = 1; n <= 70; ++n)
      for (int k = 1; k <= 20; ++k) {
        const T off = T(1) / static_cast<T>(k);
        auto sums = kernel::centred_sums<L>::start(L::splat(1));
        for (kernel::index i = 0; i < n; ++i) sums.absorb(L::splat(1 + off));
        const T m2 = kernel::moments<L>::about(L::splat(1), sums, n).m2[0];
        EXPECT_GE(m2, 0) << n << " times " << off;
        EXPECT_LE(m2, static_cast<T>(n * n + 8) * std::numeric_limits<T>::epsilon()) << n << " times " << off;
      }
  });
}

TYPED_TEST(moments, of_a_nan_are_nan) {
  using T = TypeParam;
  run_at_each_level<each_vector<T>>([](auto type) TENSORNORM_INLINE_LAMBDA {
    using L = typename decltype(type)::type;
    auto sums = kernel::centred_sums<L>::start(L::splat(1));
    sums.absorb(L::splat(std::numeric_limits<T>::quiet_NaN()));
    auto result = kernel::moments<L>::about(L::splat(1), sums, 1);
    EXPECT_TRUE(std::isnan(result.m2[0]));
    EXPECT_TRUE(std::isnan(result.mean[0]));
    result.merge(result);
    EXPECT_TRUE(std::isnan(result.m2[0]));
  });
}

}  // namespace
}  // namespace tensornorm_test

TENSORNORM_VECTORS_END
