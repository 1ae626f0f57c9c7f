// The kernels of linear layers beside guard pages, in pieces, and on each instruction set.
#include "../support/levels.hpp"
#include "linear.hpp"

namespace tensornorm_test {
namespace {

template <class T>
using stored = tn::detail::stored_t<T>;

template <class T>
stored<T>* raw(T* data) {
  return reinterpret_cast<stored<T>*>(data);
}

/// Runs all units of a kernel, the last piece first, in memory beside a guard page.
template <class Kernel, class P>
void run_in_pieces(const P& p, index_nn units, index_nn numbers, kernel::isa_level level, index_nn piece) {
  guarded_buffer<typename P::compute> memory(at(numbers), guard::after);
  for (index_nn last = units; last > 0; last -= std::min(piece, last))
    kernel::dispatch_at<Kernel>(level, p, std::max<index_nn>(0, last - piece), last, memory.data());
}

/// Forward, dx or the gradients of parameters, each array beside a guard page.
template <class T, class W>
struct linear_memory_calls : testing::Test {
  using A = tn::accumulator_t<T>;

  static constexpr linear_shape shapes[9] = {{1, 1, 1},    {3, 1, 16, false}, {15, 3, 59},
                                             {16, 59, 3},  {17, 16, 64},      {33, 64, 65, false},
                                             {65, 130, 3}, {130, 3, 130},     {2049, 3, 2}};

  struct results {
    std::vector<T> y, dx;
    std::vector<W> weight, bias;
  };
  static void expect_same(const results& a, const results& b) {
    EXPECT_TRUE(same_bits(a.y, b.y));
    EXPECT_TRUE(same_bits(a.dx, b.dx));
    EXPECT_TRUE(same_bits(a.weight, b.weight));
    EXPECT_TRUE(same_bits(a.bias, b.bias));
  }

  static std::vector<A> wide(const std::vector<W>& values) {
    std::vector<A> all;
    for (const W value : values) all.push_back(static_cast<A>(value));
    return all;
  }

  static results run(const linear_case<T, W>& c, guard side, kernel::isa_level level, index_nn piece) {
    const linear_shape& s = c.shape;
    const index_nn lanes = kernel::query_lanes_at<A>(level);
    guarded_buffer<T> x(c.x.size(), side, c.x), dy(c.dy.size(), side, c.dy), y(c.dy.size(), side);
    guarded_buffer<T> dx(c.x.size(), side, c.x);
    guarded_buffer<A> weight(c.weight.size(), side, wide(c.weight)), bias(c.bias.size(), side, wide(c.bias));
    guarded_buffer<W> dweight(c.weight.size(), side, c.weight), dbias(c.bias.size(), side, c.bias);

    kernel::linear_problem<stored<T>, stored<T>> forward;
    forward.tokens = s.tokens;
    forward.in = s.in;
    forward.out = s.out;
    forward.x = {raw(x.data()), s.in};
    forward.weight = {weight.data(), s.in, 1};
    forward.bias = s.bias ? bias.data() : nullptr;
    forward.y = {raw(y.data()), s.out};
    run_in_pieces<kernel::linear_kernel>(forward, kernel::linear_units(forward, level), forward.memory(lanes),
                                         level, piece);

    auto back = forward;
    std::swap(back.in, back.out);
    back.x = {raw(dy.data()), s.out};
    back.weight = {weight.data(), 1, s.in};
    back.bias = nullptr;
    back.y = {raw(dx.data()), s.in};
    back.accumulate = true;
    run_in_pieces<kernel::linear_kernel>(back, kernel::linear_units(back, level), back.memory(lanes), level,
                                         piece);

    kernel::linear_gradient_problem<stored<T>, stored<W>> gradient;
    gradient.tokens = s.tokens;
    gradient.in = s.in;
    gradient.out = s.out;
    gradient.x = {raw(x.data()), s.in};
    gradient.dy = {raw(dy.data()), s.out};
    gradient.weight = {raw(dweight.data()), s.in};
    gradient.bias = s.bias ? raw(dbias.data()) : nullptr;
    run_in_pieces<kernel::linear_gradient_kernel>(gradient, gradient.units(), gradient.memory(), level,
                                                  piece);

    EXPECT_TRUE(same_bits(x.values(), c.x));
    EXPECT_TRUE(same_bits(dy.values(), c.dy));
    return {y.values(), dx.values(), dweight.values(), dbias.values()};
  }
};
template <class L>
struct linear_memory : linear_memory_calls<typename L::scalar, typename L::parameter> {};
TYPED_TEST_SUITE(linear_memory, all_linear_scalars, linear_scalar_names);

TYPED_TEST(linear_memory, beside_the_data_is_neither_read_nor_written) {
  for (const linear_shape& shape : this->shapes) {
    SCOPED_TRACE(testing::Message() << shape);
    const case_of<TypeParam> c(shape);
    at_each_level([&](kernel::isa_level level) {
      const auto above = this->run(c, guard::after, level, shape.tokens);
      EXPECT_TRUE(is_forward(c, above.y));
      EXPECT_TRUE(is_gradient_of_x(c, above.dx, c.x));
      EXPECT_TRUE(is_gradient_of_weight(c, above.weight, c.weight));
      EXPECT_TRUE(is_gradient_of_bias(c, above.bias, c.bias));
      this->expect_same(this->run(c, guard::before, level, shape.tokens), above);
    });
  }
}

TYPED_TEST(linear_memory, units_in_any_pieces_give_the_same_bits) {
  for (const linear_shape& shape : this->shapes) {
    SCOPED_TRACE(testing::Message() << shape);
    const case_of<TypeParam> c(shape);
    at_each_level([&](kernel::isa_level level) {
      const auto whole = this->run(c, guard::after, level, shape.tokens);
      for (const index_nn piece : {1, 2, 5})
        this->expect_same(this->run(c, guard::after, level, piece), whole);
    });
  }
}

TYPED_TEST(linear_memory, instruction_sets_with_fused_multiply_add_give_the_same_bits) {
  if (kernel::active_isa() < kernel::isa_level::avx512) GTEST_SKIP() << "one instruction set at most";
  for (const linear_shape& shape : linear_shapes()) {
    if (shape.tokens > 130 && shape.in > 16) continue;
    SCOPED_TRACE(testing::Message() << shape);
    const case_of<TypeParam> c(shape);
    this->expect_same(this->run(c, guard::after, kernel::isa_level::avx2, shape.tokens),
                      this->run(c, guard::after, kernel::isa_level::avx512, shape.tokens));
  }
}

}  // namespace
}  // namespace tensornorm_test
