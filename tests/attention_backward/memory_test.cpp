// Nothing is read or written beside the arguments of a backward pass and its results, and all results are
// written.
#include "../support/memory.hpp"

#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

std::vector<attention_shape> shapes() {
  std::vector<attention_shape> all;
  std::uint32_t next = 0;
  for (std::ptrdiff_t dim = 1; dim <= 70; dim += dim < 20 ? 1 : 5)
    all.push_back({.heads = 2,
                   .queries = 1 + next % 19,
                   .keys = 1 + next * 11 % 75,
                   .dim = dim,
                   .key_heads = 1,
                   .dim_v = 1 + next++ * 7 % 71});
  for (const std::ptrdiff_t keys : {1, 15, 63, 64, 65, 130})
    for (const std::ptrdiff_t queries : {1, 2, 7, 8, 64, 65})
      all.push_back({.heads = 2, .queries = queries, .keys = keys, .dim = 16, .key_heads = 2, .dim_v = 20});
  all.push_back({.queries = 2, .keys = 1030, .dim = 16});
  all.push_back({.queries = 1030, .keys = 2, .dim = 16});
  all.push_back({.batch = 2, .queries = 129, .keys = 129, .dim = 64});
  all.push_back({.batch = 2, .queries = 33, .keys = 33, .dim = 128, .dim_v = 256});
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
class attention_backward_memory : public testing::Test {
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

  /// Everything of a call beside guard pages.
  struct guarded_call {
    guarded_buffer<T> dout, q, k, v, o, dq, dk, dv;
    guarded_buffer<A> lse, dbias, dsinks;

    guarded_call(const attention_backward_inputs<T>& in, const modifier_list<A>& m, guard side)
        : dout(in.dout.size(), side, in.dout),
          q(in.q.size(), side, in.q),
          k(in.k.size(), side, in.k),
          v(in.v.size(), side, in.v),
          o(in.o.size(), side, in.o),
          dq(in.q.size(), side),
          dk(in.k.size(), side),
          dv(in.v.size(), side),
          lse(in.lse.size(), side, in.lse),
          dbias(m.bias ? m.bias->count() : 0, side),
          dsinks(m.sinks ? static_cast<std::size_t>(m.sinks->size) : 0, side) {}

    attention_gradients<T> run(attention_path path, const attention_shape& shape, const modifier_list<A>& m) {
      differentiate<T>({path, shape, dout.data(), q.data(), k.data(), v.data(), o.data(), lse.data(),
                        dq.data(), dk.data(), dv.data(), dbias.data(), dsinks.data(), m});
      return {dq.values(), dk.values(), dv.values(), dbias.values(), dsinks.values()};
    }
    bool inputs_are_those_of(const attention_backward_inputs<T>& in) const {
      return same_bits(dout.values(), in.dout) && same_bits(q.values(), in.q) &&
             same_bits(k.values(), in.k) && same_bits(v.values(), in.v) && same_bits(o.values(), in.o) &&
             same_bits(lse.values(), in.lse);
    }
  };
};

using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(attention_backward_memory, scalars, scalar_names);

TYPED_TEST(attention_backward_memory, beside_the_data_is_neither_read_nor_written) {
  using T = TypeParam;
  for (const guard side : {guard::after, guard::before})
    for (const attention_shape& shape : shapes())
      for (const bool modified : {false, true}) {
        const auto m =
            modified ? this->guarded_modifiers(shape, side) : modifier_list<tn::accumulator_t<T>>();
        const auto in = make_backward_inputs<T>(shape, 921, m);
        for (const attention_path path : both_paths) {
          SCOPED_TRACE(testing::Message()
                       << name_of_backward(path) << ", " << shape << ", modified " << modified);
          typename TestFixture::guarded_call call(in, m, side);
          EXPECT_TRUE(same_bits(call.run(path, shape, m), differentiated(path, in, m)));
          EXPECT_TRUE(call.inputs_are_those_of(in));
        }
      }
}

TYPED_TEST(attention_backward_memory,
           canaries_beside_results_survive_and_every_nan_in_results_is_written_over) {
  using T = TypeParam;
  for (const attention_shape& shape : shapes()) {
    const auto m = this->guarded_modifiers(shape, guard::after);
    const auto in = make_backward_inputs<T>(shape, 922, m);
    for (const attention_path path : both_paths)
      for (const std::size_t offset : {0u, 1u, 3u}) {
        canary_buffer<T> dq(in.q.size(), offset), dk(in.k.size(), offset), dv(in.v.size(), offset);
        canary_buffer<tn::accumulator_t<T>> dbias(m.bias->count(), offset),
            dsinks(static_cast<std::size_t>(shape.heads), offset);
        differentiate<T>({path, shape, in.dout.data(), in.q.data(), in.k.data(), in.v.data(), in.o.data(),
                          in.lse.data(), dq.data(), dk.data(), dv.data(), dbias.data(), dsinks.data(), m});
        SCOPED_TRACE(testing::Message() << name_of_backward(path) << ", " << shape);
        ASSERT_TRUE(dq.intact() && dk.intact() && dv.intact() && dbias.intact() && dsinks.intact());
        for (auto* gradient : {&dq, &dk, &dv})
          for (const T value : gradient->values()) ASSERT_FALSE(is_nan(value));
        for (const auto value : dbias.values()) ASSERT_FALSE(is_nan(value));
        for (const auto value : dsinks.values()) ASSERT_FALSE(is_nan(value));
      }
  }
}

}  // namespace
}  // namespace tensornorm_test
