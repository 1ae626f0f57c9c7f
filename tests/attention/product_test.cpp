// The products under attention and 1x1 convolutions: the same order of sums on every machine, written nowhere
// but where it should be; and how queries come to lie side by side and go back.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <tensornorm/attention/projection.hpp>
#include <vector>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/levels.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {
namespace {

using kernel::index;
using kernel::isa_level;
using kernel::meet;

constexpr std::size_t at(index i) { return static_cast<std::size_t>(i); }

bool has_fma(isa_level level) { return level != isa_level::baseline || kernel::baseline::has_fma; }

/// Numbers with all the digits that T has, so that every order of a sum has roundings of its own.
template <class T>
std::vector<T> full_numbers(std::size_t count, std::uint32_t seed) {
  return normal<T>(count, seed, 0.1, 1.1);
}

/// Calls multiply() for the instruction set of a level.
struct multiply_at {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const kernel::product_problem<T>& p) {
    kernel::multiply<Isa>(p);
  }
};

template <class T>
index lanes_of(isa_level level) {
  return kernel::query_lanes_at<T>(level) / kernel::tile_vectors;
}

/// Vectors that a tile is wide where there are 32 long registers; elsewhere it is kernel::tile_vectors.
constexpr int most_vectors_anywhere = 4;

/// The order in which every sum over depth is taken: blocks of 64 terms; in each the even terms, the odd
/// terms, and then both; block after block.
template <class T, class Term>
T sum_in_order(index depth, const Term& term, T start, T factor, bool from_start, bool fused) {
  T result = start;
  for (index block = 0; block < depth; block += 64) {
    T chain[2] = {0, 0};
    for (index d = block; d < std::min(depth, block + 64); ++d) {
      const auto [a, b] = term(d);
      chain[d % 2] = multiply_add<T>(a, b, chain[d % 2], fused);
    }
    const T sum = chain[0] + chain[1];
    result = block > 0 ? result + sum : from_start ? multiply_add(result, factor, sum, fused) : sum;
  }
  return result;
}

/// A product of given sizes over fixed data.
template <class T>
struct product_case {
  index rows, depth;
  int vectors;
  bool rows_side_by_side;
  meet how;
  index lanes = 0;

  static constexpr index most_lanes = 64;
  static inline const std::vector<T> numbers = full_numbers<T>(40000, 231);

  static T a(index row, index d) { return numbers[at(row * 131 + d)]; }
  static T b(index d, index lane) { return numbers[at(18000 + d * most_lanes + lane)]; }
  static T c(index row, index lane) { return numbers[at(27000 + row * most_lanes + lane)]; }
  static T factor(index lane) { return numbers[at(39000 + lane)]; }
  index c_step() const { return lanes + 3; }

  /// C with what lies between its rows.
  std::vector<T> run(isa_level level) {
    if (level != isa_level::avx512) vectors = std::min(vectors, kernel::tile_vectors);
    lanes = vectors * lanes_of<T>(level);
    const index a_row = rows_side_by_side ? 1 : depth + 2, a_depth = rows_side_by_side ? rows + 1 : 1;
    const index b_step = lanes + 5;
    std::vector<T> as(at((rows - 1) * a_row + (depth - 1) * a_depth + 1), quiet_nan<T>());
    std::vector<T> bs(at((depth - 1) * b_step + lanes), quiet_nan<T>()), factors;
    canary_buffer<T> cs(at((rows - 1) * c_step() + lanes), 1);
    for (index d = 0; d < depth; ++d) {
      for (index r = 0; r < rows; ++r) as[at(r * a_row + d * a_depth)] = a(r, d);
      for (index l = 0; l < lanes; ++l) bs[at(d * b_step + l)] = b(d, l);
    }
    if (how != meet::overwrite)
      for (index r = 0; r < rows; ++r)
        for (index l = 0; l < lanes; ++l) cs.data()[r * c_step() + l] = c(r, l);
    for (index l = 0; l < lanes; ++l) factors.push_back(factor(l));
    kernel::dispatch_at<multiply_at>(
        level, kernel::product_problem<T>{{as.data(), a_row, a_depth},
                                          rows,
                                          bs.data(),
                                          b_step,
                                          depth,
                                          cs.data(),
                                          c_step(),
                                          vectors,
                                          how,
                                          how == meet::rescale ? factors.data() : nullptr});
    EXPECT_TRUE(cs.intact());
    return cs.values();
  }

  T expected(index row, index lane, bool fused) const {
    return sum_in_order<T>(
        depth,
        [&](index d) {
          return std::pair{a(row, d), b(d, lane)};
        },
        c(row, lane), how == meet::rescale ? factor(lane) : T(1), how != meet::overwrite, fused);
  }
};

template <class T, class Check>
void for_each_product(const Check& check) {
  // Around tiles of 4, 6 and 8 rows, and around a block of 64.
  for (const index rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 63, 64, 65, 130})
    for (int vectors = 1; vectors <= most_vectors_anywhere; ++vectors)
      for (const index depth : rows < 16 ? std::vector<index>{1, 2, 3, 31, 32, 33, 63, 64, 65, 130}
                                         : std::vector<index>{1, 64, 130})
        for (const bool side_by_side : {true, false})
          for (const meet how : {meet::overwrite, meet::add, meet::rescale}) {
            check(product_case<T>{rows, depth, vectors, side_by_side, how});
            if (testing::Test::HasFailure())
              FAIL() << rows << " rows, depth " << depth << ", " << vectors
                     << (side_by_side ? " vectors, rows side by side, " : " vectors, depth side by side, ")
                     << (how == meet::overwrite ? "overwrite"
                         : how == meet::add     ? "add"
                                                : "rescale");
          }
}

template <class T>
struct products : testing::Test {};
using computed = testing::Types<float, double>;
TYPED_TEST_SUITE(products, computed, scalar_names);

TYPED_TEST(products, sum_even_and_odd_terms_apart_in_blocks_one_after_another) {
  using T = TypeParam;
  at_each_level([&](isa_level level) {
    for_each_product<T>([&](product_case<T> p) {
      const auto c = p.run(level);
      for (index r = 0; r < p.rows; ++r)
        for (index l = 0; l < p.lanes; ++l) {
          const T value = c[at(r * p.c_step() + l)], wanted = p.expected(r, l, has_fma(level));
          ASSERT_EQ(bits(value), bits(wanted))
              << "row " << r << ", lane " << l << ": " << std::hexfloat << value << ", expected " << wanted;
        }
    });
  });
}

TYPED_TEST(products, are_within_their_roundings_of_the_true_ones) {
  using T = TypeParam;
  at_each_level([&](isa_level level) {
    for_each_product<T>([&](product_case<T> p) {
      const auto c = p.run(level);
      for (index r = 0; r < p.rows; ++r)
        for (index l = 0; l < p.lanes; ++l) {
          real sum = 0, magnitude = 0;
          const auto add = [&](real term) {
            sum += term;
            magnitude += std::abs(term);
          };
          if (p.how != meet::overwrite)
            add(static_cast<real>(p.c(r, l)) * (p.how == meet::rescale ? static_cast<real>(p.factor(l)) : 1));
          for (index d = 0; d < p.depth; ++d)
            add(static_cast<real>(p.a(r, d)) * static_cast<real>(p.b(d, l)));
          // A term is rounded with the chain behind it, at most 32 times, with the two chains, with every
          // block that follows, and once more where products are rounded.
          const index roundings = std::min<index>(32, (p.depth + 1) / 2) + 2 + kernel::ceil_div(p.depth, 64);
          const real bound = static_cast<real>(roundings) * epsilon<T>() / 2 * magnitude;
          ASSERT_LE(std::abs(static_cast<real>(c[at(r * p.c_step() + l)]) - sum), bound) << r << ", " << l;
        }
    });
  });
}

TYPED_TEST(products, write_nothing_between_the_rows) {
  using T = TypeParam;
  at_each_level([&](isa_level level) {
    for_each_product<T>([&](product_case<T> p) {
      const auto c = p.run(level);
      for (index r = 0; r + 1 < p.rows; ++r)
        for (index l = p.lanes; l < p.c_step(); ++l)
          ASSERT_EQ(bits(c[at(r * p.c_step() + l)]), bits(quiet_nan<T>())) << "row " << r << ", lane " << l;
    });
  });
}

TYPED_TEST(products, have_the_same_bits_wherever_there_is_fused_multiply_add) {
  using T = TypeParam;
  if (kernel::active_isa() < isa_level::avx512) GTEST_SKIP() << "one level with fused multiply-add";
  for_each_product<T>([&](product_case<T> p) {
    auto wide = p;
    const auto c = p.run(isa_level::avx2), d = wide.run(isa_level::avx512);
    for (index r = 0; r < p.rows; ++r)
      for (index l = 0; l < p.lanes; ++l)
        ASSERT_EQ(bits(c[at(r * p.c_step() + l)]), bits(d[at(r * wide.c_step() + l)])) << r << ", " << l;
  });
}

/// What kernels call T, and compute it in.
template <class T>
using stored =
    std::conditional_t<std::is_same_v<T, Eigen::half>, kernel::float16,
                       std::conditional_t<std::is_same_v<T, Eigen::bfloat16>, kernel::bfloat16, T>>;
template <class T>
using compute_type = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
auto* as_stored(T* data) {
  using S = std::conditional_t<std::is_const_v<T>, const stored<std::remove_const_t<T>>, stored<T>>;
  return reinterpret_cast<S*>(data);
}

/// A head in memory: how many tokens, how long, and its steps.
struct head_layout {
  const char* name;
  index token_step;
  index dim_step;

  std::size_t count(index tokens, index dim) const {
    return at((tokens - 1) * token_step + (dim - 1) * dim_step + 1);
  }
};

std::vector<head_layout> layouts(index tokens, index dim) {
  return {{"dims side by side", dim, 1},
          {"dims side by side, padded", dim + 3, 1},
          {"dims side by side, heads between", 3 * dim, 1},
          {"tokens side by side", 1, tokens},
          {"tokens side by side, padded", 1, tokens + 5},
          {"neither side by side", 2, 2 * tokens + 1},
          {"neither, padded", 3 * dim + 1, 3}};
}

template <class T>
struct moved_lanes {
  kernel::head_view<stored<T>> x;
  index first, count, dim, width;
  compute_type<T>* lanes;
  const compute_type<T>* factor = nullptr;
};

struct pack_lanes_at {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const moved_lanes<T>& m) {
    kernel::pack_lanes<Isa>(kernel::head_view<const stored<T>>{m.x.data, m.x.token_step, m.x.dim_step},
                            m.first, m.count, m.dim, m.lanes, m.width);
  }
};
struct unpack_lanes_at {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const moved_lanes<T>& m) {
    kernel::unpack_lanes<Isa>(static_cast<const compute_type<T>*>(m.lanes), m.width, m.factor, m.x, m.first,
                              m.count, m.dim);
  }
};
struct pack_rows_at {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const moved_lanes<T>& m) {
    kernel::pack_rows<Isa>(kernel::head_view<const stored<T>>{m.x.data, m.x.token_step, m.x.dim_step},
                           m.count, m.dim, m.lanes);
  }
};

/// Calls check(tokens, dim, layout) for heads of many shapes.
template <class Check>
void for_each_head(const Check& check) {
  for (const index tokens : {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 21})
    for (const index dim : {1, 2, 3, 4, 5, 8, 11, 16, 17})
      for (const head_layout& layout : layouts(tokens + 2, dim)) {
        SCOPED_TRACE(layout.name);
        check(tokens, dim, layout);
        if (testing::Test::HasFailure()) FAIL() << tokens << " tokens of " << dim << ", " << layout.name;
      }
}

template <class T>
struct lanes_in_memory : testing::Test {
  // Tokens that are not asked for before and behind those that are.
  static constexpr index first = 1;

  static T number(index token, index d) {
    static const auto numbers = full_numbers<T>(1000, 232);
    return numbers[at(token * 17 + d)];
  }
  /// NaN where no element is, and in the tokens not asked for.
  static std::vector<T> head(index tokens, index dim, const head_layout& layout) {
    std::vector<T> x(layout.count(tokens + 2, dim), quiet_nan<T>());
    for (index t = 0; t < tokens; ++t)
      for (index d = 0; d < dim; ++d)
        x[at((t + first) * layout.token_step + d * layout.dim_step)] = number(t, d);
    return x;
  }
};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(lanes_in_memory, scalars, scalar_names);

TYPED_TEST(lanes_in_memory, hold_tokens_side_by_side_and_zero_where_there_is_none) {
  using T = TypeParam;
  using compute = compute_type<T>;
  at_each_level([&](isa_level level) {
    for_each_head([&](index tokens, index dim, const head_layout& layout) {
      auto x = this->head(tokens, dim, layout);
      for (const index width : {kernel::ceil_div(tokens, 16) * 16, kernel::ceil_div(tokens, 16) * 16 + 16}) {
        canary_buffer<compute> lanes(at(dim * width));
        kernel::dispatch_at<pack_lanes_at>(
            level, moved_lanes<T>{{as_stored(x.data()), layout.token_step, layout.dim_step},
                                  this->first,
                                  tokens,
                                  dim,
                                  width,
                                  lanes.data()});
        EXPECT_TRUE(lanes.intact());
        for (index d = 0; d < dim; ++d)
          for (index i = 0; i < width; ++i) {
            const compute expected = i < tokens ? static_cast<compute>(this->number(i, d)) : compute{0};
            ASSERT_EQ(bits(lanes.data()[d * width + i]), bits(expected)) << "dim " << d << ", lane " << i;
          }
      }
    });
  });
}

TYPED_TEST(lanes_in_memory, go_back_scaled_and_rounded_once_and_touch_nothing_else) {
  using T = TypeParam;
  using compute = compute_type<T>;
  at_each_level([&](isa_level level) {
    for_each_head([&](index tokens, index dim, const head_layout& layout) {
      const index width = kernel::ceil_div(tokens, 16) * 16;
      auto lanes = full_numbers<compute>(at(dim * width), 233);
      auto factor = full_numbers<compute>(at(width), 234);
      factor[0] = 0;  // times something negative: a zero that must be +0
      for (index d = 0; d < dim; ++d) lanes[at(d * width)] = -std::abs(lanes[at(d * width)]);
      canary_buffer<T> x(layout.count(tokens + 2, dim));
      kernel::dispatch_at<unpack_lanes_at>(
          level, moved_lanes<T>{{as_stored(x.data()), layout.token_step, layout.dim_step},
                                this->first,
                                tokens,
                                dim,
                                width,
                                lanes.data(),
                                factor.data()});
      EXPECT_TRUE(x.intact());
      std::vector<T> expected(layout.count(tokens + 2, dim), quiet_nan<T>());
      for (index t = 0; t < tokens; ++t)
        for (index d = 0; d < dim; ++d)
          expected[at((t + this->first) * layout.token_step + d * layout.dim_step)] =
              T(lanes[at(d * width + t)] * factor[at(t)] + compute{0});
      ASSERT_TRUE(same_bits(x.values(), expected));
    });
  });
}

TYPED_TEST(lanes_in_memory, come_back_as_they_were) {
  using T = TypeParam;
  using compute = compute_type<T>;
  at_each_level([&](isa_level level) {
    for_each_head([&](index tokens, index dim, const head_layout& layout) {
      const index width = kernel::ceil_div(tokens, 16) * 16;
      auto x = this->head(tokens, dim, layout);
      std::vector<T> y(x.size(), quiet_nan<T>());
      std::vector<compute> lanes(at(dim * width));
      const std::vector<compute> one(at(width), compute{1});
      moved_lanes<T> move{{as_stored(x.data()), layout.token_step, layout.dim_step},
                          this->first,
                          tokens,
                          dim,
                          width,
                          lanes.data(),
                          one.data()};
      kernel::dispatch_at<pack_lanes_at>(level, move);
      move.x.data = as_stored(y.data());
      kernel::dispatch_at<unpack_lanes_at>(level, move);
      ASSERT_TRUE(same_bits(y, x));
    });
  });
}

TYPED_TEST(lanes_in_memory, or_rows_hold_every_token_widened) {
  using T = TypeParam;
  using compute = compute_type<T>;
  at_each_level([&](isa_level level) {
    for_each_head([&](index tokens, index dim, const head_layout& layout) {
      auto x = this->head(tokens, dim, layout);
      canary_buffer<compute> rows(at(tokens * dim));
      kernel::dispatch_at<pack_rows_at>(
          level, moved_lanes<T>{{as_stored(x.data()) + this->first * layout.token_step, layout.token_step,
                                 layout.dim_step},
                                0,
                                tokens,
                                dim,
                                0,
                                rows.data()});
      EXPECT_TRUE(rows.intact());
      for (index t = 0; t < tokens; ++t)
        for (index d = 0; d < dim; ++d)
          ASSERT_EQ(bits(rows.data()[t * dim + d]), bits(static_cast<compute>(this->number(t, d))));
    });
  });
}

/// A 1x1 convolution over fixed data.
template <class T>
struct projection_case {
  using compute = compute_type<T>;
  index batch, in, out, positions;
  bool with_bias;

  static compute weight(index o, index c) {
    static const auto numbers = full_numbers<compute>(13000, 235);
    return numbers[at(o * 131 + c)];
  }
  static compute bias(index o) { return weight(o + 20, 3); }
  std::vector<T> x = full_numbers<T>(at(batch * in * positions), 236);

  std::size_t outputs() const { return at(batch * out * positions); }
  index units(isa_level level) const {
    kernel::projection_problem<stored<T>> p;
    p.batch = batch;
    p.positions = positions;
    return kernel::projection_units(p, level);
  }

  /// y, with the units in two calls, [0, split) last.
  std::vector<T> run(isa_level level, index split = 0) const {
    std::vector<compute> weights, biases;
    for (index o = 0; o < out; ++o) {
      for (index c = 0; c < in; ++c) weights.push_back(weight(o, c));
      biases.push_back(bias(o));
    }
    canary_buffer<T> y(outputs(), 3);
    const kernel::projection_problem<stored<T>> p{batch,
                                                  in,
                                                  out,
                                                  positions,
                                                  as_stored(x.data()),
                                                  weights.data(),
                                                  with_bias ? biases.data() : nullptr,
                                                  as_stored(y.data())};
    canary_buffer<compute> memory(at(p.memory(kernel::query_lanes_at<compute>(level))));
    kernel::project(p, split, units(level), memory.data(), level);
    kernel::project(p, 0, split, memory.data(), level);
    EXPECT_TRUE(y.intact() && memory.intact());
    return y.values();
  }

  /// Calls visit(element of y, image, row of weight, position).
  template <class Visit>
  void for_each_output(const Visit& visit) const {
    std::size_t element = 0;
    for (index n = 0; n < batch; ++n)
      for (index o = 0; o < out; ++o)
        for (index p = 0; p < positions; ++p) visit(element++, n, o, p);
  }
  T input(index n, index c, index p) const { return x[at((n * in + c) * positions + p)]; }
};

template <class T, class Check>
void for_each_projection(const Check& check) {
  for (const index positions : {1, 2, 11, 12, 13, 47, 48, 49, 196})
    for (const auto& [in, out] :
         {std::pair<index, index>{1, 1}, {5, 3}, {64, 9}, {70, 4}, {130, 6}, {66, 70}})
      for (const bool with_bias : {true, false}) {
        check(projection_case<T>{2, in, out, positions, with_bias});
        if (testing::Test::HasFailure())
          FAIL() << positions << " positions, " << in << " to " << out << (with_bias ? " with bias" : "");
      }
}

template <class T>
struct projections : testing::Test {};
TYPED_TEST_SUITE(projections, scalars, scalar_names);

TYPED_TEST(projections, are_within_their_bound_of_a_plain_loop) {
  using T = TypeParam;
  at_each_level([&](isa_level level) {
    for_each_projection<T>([&](const projection_case<T>& p) {
      const auto y = p.run(level);
      p.for_each_output([&](std::size_t element, index n, index o, index position) {
        real sum = p.with_bias ? static_cast<real>(p.bias(o)) : 0;
        real magnitude = std::abs(sum);
        for (index c = 0; c < p.in; ++c) {
          const real term = static_cast<real>(p.weight(o, c)) * widen(p.input(n, c, position));
          sum += term;
          magnitude += std::abs(term);
        }
        real bound = projection_roundings(p.in) * epsilon<compute_type<T>>() * magnitude;
        if (is_16_bit<T>) bound += ulp<T>(sum) / 2;
        ASSERT_LE(std::abs(widen(y[element]) - sum), bound)
            << "image " << n << ", channel " << o << ", position " << position;
      });
    });
  });
}

TYPED_TEST(projections, are_within_their_bound_where_every_rounding_goes_the_same_way) {
  using compute = compute_type<TypeParam>;
  if constexpr (!is_16_bit<TypeParam>) {
    // One, twice, and then as often as can be a little more than half of what one can tell.
    const compute little = std::numeric_limits<compute>::epsilon() / 2 * compute(1.001);
    at_each_level([&](isa_level level) {
      for (const index in : {8, 16, 32, 64, 128, 256, 1024}) {
        std::vector<compute> weight(at(in), little), x(at(in), 1), y(1);
        weight[0] = weight[1] = 1;
        const kernel::projection_problem<compute> p{1, in, 1, 1, x.data(), weight.data(), nullptr, y.data()};
        canary_buffer<compute> memory(at(p.memory(kernel::query_lanes_at<compute>(level))));
        kernel::project(p, 0, 1, memory.data(), level);
        const real sum = 2 + static_cast<real>(in - 2) * static_cast<real>(little);
        EXPECT_LE(std::abs(static_cast<real>(y[0]) - sum),
                  projection_roundings(in) * epsilon<compute>() * sum)
            << in << " terms";
      }
    });
  }
}

TYPED_TEST(projections, are_the_product_of_a_fixed_order_and_then_the_bias_rounded_once) {
  using T = TypeParam;
  using compute = compute_type<T>;
  at_each_level([&](isa_level level) {
    for_each_projection<T>([&](const projection_case<T>& p) {
      const auto y = p.run(level);
      std::vector<T> expected(y.size());
      p.for_each_output([&](std::size_t element, index n, index o, index position) {
        const compute sum = sum_in_order<compute>(
            p.in,
            [&](index c) {
              return std::pair{p.weight(o, c), static_cast<compute>(p.input(n, c, position))};
            },
            0, 1, false, has_fma(level));
        expected[element] = T(sum + (p.with_bias ? p.bias(o) : compute{0}));
      });
      ASSERT_TRUE(same_bits(y, expected));
    });
  });
}

TYPED_TEST(projections, have_the_same_bits_in_pieces_and_wherever_there_is_fused_multiply_add) {
  using T = TypeParam;
  for_each_projection<T>([&](const projection_case<T>& p) {
    at_each_level([&](isa_level level) {
      const auto y = p.run(level);
      for (index split = 1; split < p.units(level); split += 2)
        ASSERT_TRUE(same_bits(p.run(level, split), y));
    });
    if (kernel::active_isa() == isa_level::avx512) {
      ASSERT_TRUE(same_bits(p.run(isa_level::avx2), p.run(isa_level::avx512)));
    }
  });
}

TYPED_TEST(projections, keep_a_nan_at_its_position) {
  using T = TypeParam;
  at_each_level([&](isa_level level) {
    for (const index position : {0, 11, 47, 48}) {
      projection_case<T> p{2, 5, 3, 49, true};
      const auto clean = p.run(level);
      p.x[at((5 + 2) * 49 + position)] = quiet_nan<T>();
      const auto y = p.run(level);
      p.for_each_output([&](std::size_t element, index n, index, index there) {
        const bool touched = n == 1 && there == position;
        ASSERT_TRUE(touched ? is_nan(y[element]) : bits(y[element]) == bits(clean[element]));
      });
    }
  });
}

}  // namespace
}  // namespace tensornorm_test
