// Decoding gives the same bits however many heads are worked on at once, wherever their tokens lie, and
// however its units are shared out.
#include <gtest/gtest.h>

#include <tensornorm/attention/attention.hpp>
#include <vector>

#include "../support/bounds.hpp"
#include "../support/data.hpp"
#include "../support/levels.hpp"
#include "../support/memory.hpp"

namespace tensornorm_test {
namespace {

using kernel::index;

struct decode_together {
  template <class Isa, class P, class T>
  static TENSORNORM_INLINE void run(const P& p, index heads, index first, index last, T* memory, T* shared) {
    kernel::decode_attention::attend<Isa>(p, kernel::decode_memory<P>(p, heads, memory),
                                          kernel::chunk_states<P>(p, shared), first, last);
  }
};

template <class T>
class heads_together : public testing::Test {
 protected:
  using problem = kernel::attention_problem<T>;

  static constexpr kernel::heads_shape shape{
      .batch = 2, .heads = 10, .key_heads = 5, .queries = 3, .keys = 2100, .dim = 20, .value_dim = 9};

  const std::vector<T> q = normal<T>(2 * 10 * 3 * 20, 1301), k = normal<T>(2 * 5 * 2100 * 20, 1302),
                       v = normal<T>(2 * 5 * 2100 * 9, 1303);
  const std::vector<index> lengths{2100, 1030};

  /// Of the same numbers, wherever they lie: heads before tokens, or tokens before heads.
  problem of(bool tokens_first, std::vector<T>& keys, std::vector<T>& values, std::vector<T>& o) const {
    problem p;
    p.shape = shape;
    const auto steps = [&](index heads, index tokens, index dim) {
      return tokens_first ? kernel::heads_strides{heads * tokens * dim, dim, heads * dim, 1}
                          : kernel::heads_strides{heads * tokens * dim, tokens * dim, dim, 1};
    };
    p.q_strides = {10 * 3 * 20, 3 * 20, 20, 1};
    p.o_strides = {10 * 3 * 9, 3 * 9, 9, 1};
    p.k_strides = steps(5, 2100, 20);
    p.v_strides = steps(5, 2100, 9);
    keys = placed(k, 20, p.k_strides);
    values = placed(v, 9, p.v_strides);
    o.assign(2 * 10 * 3 * 9, unwritten<T>());
    p.q = q.data();
    p.k = keys.data();
    p.v = values.data();
    p.o = o.data();
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
  std::vector<T> result(kernel::isa_level level, index heads, bool tokens_first, index step) const {
    std::vector<T> keys, values, o;
    const problem p = of(tokens_first, keys, values, o);
    const kernel::chunk_states<problem> states(p, nullptr);
    const index units = shape.batch * shape.key_heads * states.chunks;
    canary_buffer<T> memory(static_cast<std::size_t>(kernel::decode_memory<problem>::size(p, heads)));
    canary_buffer<T> shared(static_cast<std::size_t>(states.size(shape)));
    for (index first = 0; first < units; first += step)
      kernel::dispatch_at<decode_together>(level, p, heads, first, std::min(first + step, units),
                                           memory.data(), shared.data());
    kernel::write_decoded(p, 0, shape.batch * shape.key_heads, shared.data(), level);
    EXPECT_TRUE(memory.intact() && shared.intact());
    return o;
  }
};
using scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(heads_together, scalars);

TYPED_TEST(heads_together, give_the_bits_of_one_after_the_other) {
  at_each_level([&](kernel::isa_level level) {
    const auto one_by_one = this->result(level, 1, false, 30);
    for (const index heads : {1, 2, 5, 16})
      for (const index step : {1, 2, 7, 30})
        for (const bool tokens_first : {false, true})
          EXPECT_TRUE(same_bits(this->result(level, heads, tokens_first, step), one_by_one))
              << heads << " heads, ranges of " << step << ", tokens first: " << tokens_first;
  });
}

}  // namespace
}  // namespace tensornorm_test
