// However decoding asks for the memory that it reads next, it gives the same bits.
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

using kernel::asking;
using kernel::index;

struct decode_asking {
  template <class Isa, class P, class T>
  static TENSORNORM_INLINE void run(const P& p, asking how, index units, T* memory, T* shared) {
    kernel::decode_memory<P> parts(p, 1, memory, kernel::decode_tiles<Isa, P>::memory_for(p));
    parts.how = how;
    kernel::decode_attention::attend<Isa>(p, parts, kernel::chunk_states<P>(p, shared), 0, units);
  }
};

template <class T>
class how_decoding_asks : public testing::Test {
 protected:
  using stored = tensornorm::detail::stored_t<T>;
  using problem = kernel::attention_problem<stored>;
  using compute = typename problem::compute;

  static std::vector<T> result(kernel::isa_level level, const kernel::heads_shape& s, asking how) {
    const auto count = [](index n) { return static_cast<std::size_t>(n); };
    const auto q = normal<T>(count(s.batch * s.heads * s.queries * s.dim), 1401);
    const auto k = normal<T>(count(s.batch * s.key_heads * s.keys * s.dim), 1402);
    const auto v = normal<T>(count(s.batch * s.key_heads * s.keys * s.value_dim), 1403);
    std::vector<T> o(count(s.batch * s.heads * s.queries * s.value_dim), unwritten<T>());
    const std::vector<index> lengths{s.keys, 77};
    const auto steps = [](index heads, index tokens, index dim) {
      return kernel::heads_strides{heads * tokens * dim, tokens * dim, dim, 1};
    };
    problem p;
    p.shape = s;
    p.q_strides = steps(s.heads, s.queries, s.dim);
    p.k_strides = steps(s.key_heads, s.keys, s.dim);
    p.v_strides = steps(s.key_heads, s.keys, s.value_dim);
    p.o_strides = steps(s.heads, s.queries, s.value_dim);
    p.q = reinterpret_cast<const stored*>(q.data());
    p.k = reinterpret_cast<const stored*>(k.data());
    p.v = reinterpret_cast<const stored*>(v.data());
    p.o = reinterpret_cast<stored*>(o.data());
    p.key_lengths.wide = lengths.data();

    const kernel::chunk_states<problem> states(p, nullptr);
    canary_buffer<compute> memory(count(kernel::decode_memory<problem>::size(p, 1)));
    canary_buffer<compute> shared(count(states.size(s)));
    kernel::dispatch_at<decode_asking>(level, p, how, s.batch * s.key_heads * states.chunks, memory.data(),
                                       shared.data());
    kernel::write_decoded(p, 0, s.batch * s.key_heads, shared.data());
    EXPECT_TRUE(memory.intact() && shared.intact());
    return o;
  }

  static void changes_no_bit(const kernel::heads_shape& shape) {
    at_each_level([&](kernel::isa_level level) {
      const auto in_order = result(level, shape, asking::in_order);
      for (const asking how : {asking::again, asking::side_by_side, asking::late})
        EXPECT_TRUE(same_bits(result(level, shape, how), in_order)) << static_cast<int>(how);
    });
  }
};
using scalars = testing::Types<float, Eigen::bfloat16>;
TYPED_TEST_SUITE(how_decoding_asks, scalars);

TYPED_TEST(how_decoding_asks, changes_no_bit_of_one_query_of_tokens_without_gaps) {
  this->changes_no_bit(
      {.batch = 2, .heads = 3, .key_heads = 3, .queries = 1, .keys = 1100, .dim = 128, .value_dim = 64});
}

TYPED_TEST(how_decoding_asks, changes_no_bit_of_one_query_of_tokens_with_gaps) {
  this->changes_no_bit(
      {.batch = 2, .heads = 3, .key_heads = 3, .queries = 1, .keys = 1100, .dim = 41, .value_dim = 9});
}

TYPED_TEST(how_decoding_asks, changes_no_bit_of_queries_that_share_a_head) {
  this->changes_no_bit(
      {.batch = 2, .heads = 6, .key_heads = 2, .queries = 2, .keys = 1100, .dim = 128, .value_dim = 64});
}

}  // namespace
}  // namespace tensornorm_test
