// Decoding gives the same bits however many heads are worked on at once, wherever their tokens lie, and
// however its units are shared out.
#include <gtest/gtest.h>

#include <tensornorm/attention/attention.hpp>
#include <tensornorm/eigen/scalar.hpp>
#include <vector>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/levels.hpp"
#include "../support/memory.hpp"
#include "../support/scalar.hpp"

namespace tensornorm_test {
namespace {

using kernel::index;

struct decode_together {
  template <class Isa, class P, class T>
  static TENSORNORM_INLINE void run(const P& p, index heads, index first, index last, T* memory, T* shared) {
    const kernel::decode_memory<P> parts(p, heads, memory, kernel::decode_tiles<Isa, P>::memory_for(p));
    kernel::decode_attention::attend<Isa>(p, parts, kernel::chunk_states<P>(p, shared), first, last);
  }
};

template <class T>
class heads_together : public testing::Test {
 protected:
  using stored = tensornorm::detail::stored_t<T>;
  using problem = kernel::attention_problem<stored>;
  using compute = typename problem::compute;

  // Those of bfloat16 fill tiles.
  static constexpr kernel::heads_shape shape{.batch = 2,
                                             .heads = 10,
                                             .key_heads = 5,
                                             .queries = 3,
                                             .keys = 2100,
                                             .dim = is_16_bit<T> ? 64 : 20,
                                             .value_dim = is_16_bit<T> ? 41 : 9};
  static constexpr std::size_t rows = 2 * 10 * 3, key_rows = 2 * 5 * 2100;
  static constexpr auto dim = static_cast<std::size_t>(shape.dim);
  static constexpr auto value_dim = static_cast<std::size_t>(shape.value_dim);

  const std::vector<T> q = normal<T>(rows * dim, 1301), k = normal<T>(key_rows * dim, 1302),
                       v = normal<T>(key_rows * value_dim, 1303);
  const std::vector<index> lengths{2100, 1030};

  /// Of the same numbers, wherever they lie: heads before tokens, or tokens before heads.
  problem of(bool tokens_first, std::vector<T>& keys, std::vector<T>& values, std::vector<T>& o) const {
    problem p;
    p.shape = shape;
    const auto steps = [&](index heads, index tokens, index size) {
      return tokens_first ? kernel::heads_strides{heads * tokens * size, size, heads * size, 1}
                          : kernel::heads_strides{heads * tokens * size, tokens * size, size, 1};
    };
    p.q_strides = {10 * 3 * shape.dim, 3 * shape.dim, shape.dim, 1};
    p.o_strides = {10 * 3 * shape.value_dim, 3 * shape.value_dim, shape.value_dim, 1};
    p.k_strides = steps(5, 2100, shape.dim);
    p.v_strides = steps(5, 2100, shape.value_dim);
    keys = placed(k, shape.dim, p.k_strides);
    values = placed(v, shape.value_dim, p.v_strides);
    o.assign(rows * value_dim, unwritten<T>());
    p.q = reinterpret_cast<const stored*>(q.data());
    p.k = reinterpret_cast<const stored*>(keys.data());
    p.v = reinterpret_cast<const stored*>(values.data());
    p.o = reinterpret_cast<stored*>(o.data());
    p.key_lengths.wide = lengths.data();
    return p;
  }

  /// x is batch x heads x tokens x dim.
  static std::vector<T> placed(const std::vector<T>& x, index dim, const kernel::heads_strides& to) {
    std::vector<T> y(x.size());
    auto from = x.begin();
    for (index b = 0; b < shape.batch; ++b)
      for (index h = 0; h < shape.key_heads; ++h)
        for (index t = 0; t < shape.keys; ++t)
          for (index d = 0; d < dim; ++d)
            y[static_cast<std::size_t>(b * to.batch + h * to.head + t * to.token + d)] = *from++;
    return y;
  }

  /// The result when so many heads are worked on at once and units are shared out in ranges of `step`.
  /// enter(arguments...) enters the kernel.
  template <class Enter>
  std::vector<T> result(const kernel::memory_of_tiles& tiles, index heads, bool tokens_first, index step,
                        const Enter& enter) const {
    std::vector<T> keys, values, o;
    const problem p = of(tokens_first, keys, values, o);
    const kernel::chunk_states<problem> states(p, nullptr);
    const index units = shape.batch * shape.key_heads * states.chunks;
    canary_buffer<compute> memory(
        static_cast<std::size_t>(kernel::decode_memory<problem>::size(p, heads, tiles)));
    canary_buffer<compute> shared(static_cast<std::size_t>(states.size(shape)));
    for (index first = 0; first < units; first += step)
      enter(p, heads, first, std::min(first + step, units), memory.data(), shared.data());
    kernel::write_decoded(p, 0, shape.batch * shape.key_heads, shared.data());
    EXPECT_TRUE(memory.intact() && shared.intact());
    return o;
  }

  template <class Enter>
  void expect_the_bits_of_one_after_the_other(const kernel::memory_of_tiles& tiles,
                                              const Enter& enter) const {
    const auto one_by_one = result(tiles, 1, false, 30, enter);
    for (const index heads : {1, 2, 5, 16})
      for (const index step : {1, 2, 7, 30})
        for (const bool tokens_first : {false, true})
          EXPECT_TRUE(same_bits(result(tiles, heads, tokens_first, step, enter), one_by_one))
              << heads << " heads, ranges of " << step << ", tokens first: " << tokens_first;
  }
};
using scalars = testing::Types<float, double, Eigen::bfloat16>;
TYPED_TEST_SUITE(heads_together, scalars);

TYPED_TEST(heads_together, give_the_bits_of_one_after_the_other) {
  at_each_level([&](kernel::isa_level level) {
    this->expect_the_bits_of_one_after_the_other(
        {}, [&](const auto&... arguments) { kernel::dispatch_at<decode_together>(level, arguments...); });
  });
}

#if TENSORNORM_AMX
using heads_in_tiles = heads_together<Eigen::bfloat16>;

TEST_F(heads_in_tiles, give_the_bits_of_one_after_the_other) {
  if (!kernel::has_amx(kernel::active_isa())) GTEST_SKIP() << "no tiles of bfloat16";
  problem of_this_shape;
  of_this_shape.shape = shape;
  expect_the_bits_of_one_after_the_other(
      kernel::decode_tiles<kernel::avx512_amx, problem>::memory_for(of_this_shape),
      [](const auto&... arguments) { kernel::enter<decode_together>(kernel::avx512_amx(), arguments...); });
}
#endif

}  // namespace
}  // namespace tensornorm_test
