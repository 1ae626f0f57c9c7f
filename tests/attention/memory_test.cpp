// Nothing is read or written beside q, k, v, o and the arguments of modifiers, and all of o is written.
#include "../support/memory.hpp"

#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

std::vector<attention_shape> shapes() {
  std::vector<attention_shape> all;
  std::uint32_t next = 0;
  for (std::ptrdiff_t dim = 1; dim <= 70; ++dim)
    all.push_back({.heads = 2,
                   .queries = 1 + next % 9,
                   .keys = 1 + next * 11 % 75,
                   .dim = dim,
                   .key_heads = 1,
                   .dim_v = 1 + next++ * 7 % 71});
  for (const std::ptrdiff_t keys : {1, 15, 63, 64, 65, 127, 130, 1023, 1025, 2050})
    for (const std::ptrdiff_t queries : {1, 2, 7, 8, 65})
      all.push_back({.heads = 2, .queries = queries, .keys = keys, .dim = 16, .key_heads = 2, .dim_v = 20});
  // Queries that share keys fill rows of tiles, where the machine has them.
  for (const std::ptrdiff_t keys : {1, 15, 16, 31, 33, 130})
    all.push_back({.heads = 12, .queries = 1, .keys = keys, .dim = 32, .key_heads = 2, .dim_v = 40});
  all.push_back({.batch = 2, .queries = 129, .keys = 129, .dim = 64});
  all.push_back({.batch = 2, .queries = 70, .keys = 70, .dim = 128, .dim_v = 256});
  return all;
}

/// The values of an argument of a modifier, beside a page that may not be touched.
template <class V>
std::shared_ptr<const V[]> guarded(const std::shared_ptr<const V[]>& values, std::size_t count, guard side) {
  const auto keeper = std::make_shared<guarded_buffer<V>>(count, side);
  std::copy_n(values.get(), count, keeper->data());
  return {keeper, keeper->data()};
}

template <class T>
class attention_memory : public testing::Test {
 protected:
  using A = tn::accumulator_t<T>;

  /// Every modifier, its arguments beside a guard page.
  static modifier_list<A> guarded_modifiers(const attention_shape& s, guard side) {
    const auto keys = static_cast<std::int32_t>(s.keys);
    modifier_list<A> m;
    m.softcap = 4;
    m.bias = make_spread<A>({1, s.heads, s.queries, s.keys},
                            [](const score_index& at) { return A(0.125) * static_cast<A>(at.key % 5); });
    m.alibi = {std::vector<A>(static_cast<std::size_t>(s.heads), A(0.0625)), align::bottom_right};
    m.causal = align::bottom_right;
    m.window = {1500, 2};
    m.mask = make_spread<bool>({s.batch, 1, s.queries, s.keys},
                               [](const score_index& at) { return at.key % 7 != 3; });
    m.lengths = std::vector<std::int32_t>(static_cast<std::size_t>(s.batch), keys - keys / 5);
    m.sinks = std::vector<A>(static_cast<std::size_t>(s.heads), A(0.5));
    m.bias->data = guarded(m.bias->data, m.bias->count(), side);
    m.mask->data = guarded(m.mask->data, m.mask->count(), side);
    for (auto* line : {&m.alibi->slopes, &*m.sinks})
      line->data = guarded(line->data, static_cast<std::size_t>(line->size), side);
    m.lengths->data = guarded(m.lengths->data, static_cast<std::size_t>(m.lengths->size), side);
    return m;
  }
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention_memory, scalars, scalar_names);

TYPED_TEST(attention_memory, beside_the_data_is_neither_read_nor_written) {
  using T = TypeParam;
  for (const guard side : {guard::after, guard::before})
    for (const attention_shape& shape : shapes()) {
      const auto in = make_inputs<T>(shape, 391);
      const auto m = this->guarded_modifiers(shape, side);
      guarded_buffer<T> q(in.q.size(), side, in.q), k(in.k.size(), side, in.k), v(in.v.size(), side, in.v);
      for (const attention_path path : both_paths) {
        SCOPED_TRACE(testing::Message() << name_of(path) << ", " << shape);
        guarded_buffer<T> plain(shape.o_count(), side), modified(shape.o_count(), side);
        attend<T>({path, shape, q.data(), k.data(), v.data(), plain.data()});
        attend<T>({path, shape, q.data(), k.data(), v.data(), modified.data(), nullptr, m});
        EXPECT_TRUE(same_bits(plain.values(), attended(path, in).o));
        EXPECT_TRUE(same_bits(modified.values(), attended(path, in, m).o));
      }
      EXPECT_TRUE(same_bits(q.values(), in.q));
      EXPECT_TRUE(same_bits(k.values(), in.k));
      EXPECT_TRUE(same_bits(v.values(), in.v));
    }
}

TYPED_TEST(attention_memory, canaries_beside_o_survive_and_every_nan_in_o_is_written_over) {
  using T = TypeParam;
  for (const attention_shape& shape : shapes()) {
    const auto in = make_inputs<T>(shape, 392);
    const auto m = this->guarded_modifiers(shape, guard::after);
    for (const attention_path path : both_paths)
      for (const std::size_t offset : {0u, 1u, 3u})
        for (const bool modified : {false, true}) {
          canary_buffer<T> o(shape.o_count(), offset);
          attend<T>({path, shape, in.q.data(), in.k.data(), in.v.data(), o.data(), nullptr,
                     modified ? m : modifier_list<tn::accumulator_t<T>>()});
          ASSERT_TRUE(o.intact()) << name_of(path) << ", " << shape;
          for (const T value : o.values()) ASSERT_FALSE(is_nan(value)) << name_of(path) << ", " << shape;
        }
  }
}

}  // namespace
}  // namespace tensornorm_test
