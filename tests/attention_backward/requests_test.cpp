// What may be asked of a backward pass of attention: which gradients, where to, and added to what.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tensor = row_major_tensor<float, 4>;
using lines = row_major_tensor<float, 3>;
using numbers = Eigen::Tensor<float, 1>;

template <class A, class B>
testing::AssertionResult same(const A& a, const B& b) {
  return same_bits(elements_of(a), elements_of(b));
}

struct backward_requests : testing::TestWithParam<attention_path> {
  tensor q = normal_tensor<tensor>({2, 4, 67, 8}, 951), k = normal_tensor<tensor>({2, 2, 70, 8}, 952),
         v = normal_tensor<tensor>({2, 2, 70, 5}, 953),
         dout = normal_tensor<tensor>({2, 4, 67, 5}, 954, 0.25);
  lines bias = normal_tensor<lines>({4, 1, 70}, 955);
  numbers sinks = normal_tensor<numbers>({4}, 956);
  lines lse;
  tensor o;
  tensor dq{2, 4, 67, 8}, dk{2, 2, 70, 8}, dv{2, 2, 70, 5};
  lines dbias{4, 1, 70};
  numbers dsinks{4};

  backward_requests() {
    o = tn::attention(q, k, v, tn::causal(tn::align::bottom_right), tn::score_bias(bias), tn::sinks(sinks),
                      tn::save_lse(lse));
    fill(quiet_nan<float>());
  }
  void fill(float value) {
    for (tensor* t : {&dq, &dk, &dv}) t->setConstant(value);
    dbias.setConstant(value);
    dsinks.setConstant(value);
  }

  /// The function under test on these numbers.
  template <class... More>
  auto backward(const More&... more) const {
    const auto causal = tn::causal(tn::align::bottom_right);
    if (GetParam() == attention_path::fused)
      return tn::attention_backward(dout, q, k, v, o, lse, causal, tn::score_bias(bias), tn::sinks(sinks),
                                    more...);
    else
      return tn::attention_unfused_backward(dout, q, k, v, o, lse, causal, tn::score_bias(bias),
                                            tn::sinks(sinks), more...);
  }
  void ask_for_everything(tn::update mode = tn::overwrite) {
    backward(tn::grad_q(dq, mode), tn::grad_k(dk, mode), tn::grad_v(dv, mode),
             tn::grad_score_bias(dbias, mode), tn::grad_sinks(dsinks, mode));
  }

  attention_gradients<float> results() const {
    return {elements_of(dq), elements_of(dk), elements_of(dv), elements_of(dbias), elements_of(dsinks)};
  }
  /// The answer of the oracle.
  attention_backward_reference expected() const {
    modifier_list<float> m;
    m.causal = tn::align::bottom_right;
    m.bias =
        make_spread<float>({1, 4, 1, 70}, [&](const score_index& at) { return bias(at.head, 0, at.key); });
    m.sinks = elements_of(sinks);
    const attention_shape shape{
        .batch = 2, .heads = 4, .queries = 67, .keys = 70, .dim = 8, .key_heads = 2, .dim_v = 5};
    return expected_gradients<float>({{shape, elements_of(q), elements_of(k), elements_of(v)},
                                      elements_of(dout),
                                      elements_of(o),
                                      elements_of(lse)},
                                     m);
  }
};

INSTANTIATE_TEST_SUITE_P(paths, backward_requests, testing::ValuesIn(both_paths),
                         [](const auto& path) { return name_of_backward(path.param); });

TEST_P(backward_requests, that_name_every_destination_are_all_served) {
  ask_for_everything();
  EXPECT_TRUE(within_bounds(results(), expected()));
}

TEST_P(backward_requests, that_name_no_destination_return_the_gradients_of_q_k_and_v) {
  ask_for_everything();
  const auto returned = backward();
  EXPECT_TRUE(same(returned.q, dq) && same(returned.k, dk) && same(returned.v, dv));
  Eigen::ThreadPool pool(2);
  const Eigen::ThreadPoolDevice device(&pool, 2);
  tn::workspace memory;
  const auto on_threads = backward(tn::use_workspace(memory), tn::on(device));
  EXPECT_TRUE(same(on_threads.q, dq) && same(on_threads.k, dk) && same(on_threads.v, dv));
}

TEST_P(backward_requests, for_one_gradient_alone_compute_that_one) {
  ask_for_everything();
  const auto all = results();
  fill(quiet_nan<float>());
  const auto only_nan = results();
  const auto expect = [&](const auto& request, const char* name,
                          std::vector<float> attention_gradients<float>::*which) {
    fill(quiet_nan<float>());
    static_assert(std::is_void_v<decltype(this->backward(request))>);
    backward(request);
    auto wanted = only_nan;
    wanted.*which = all.*which;
    EXPECT_TRUE(same_bits(results(), wanted)) << name << " alone";
  };
  expect(tn::grad_q(dq), "dq", &attention_gradients<float>::q);
  expect(tn::grad_k(dk), "dk", &attention_gradients<float>::k);
  expect(tn::grad_v(dv), "dv", &attention_gradients<float>::v);
  expect(tn::grad_score_bias(dbias), "dbias", &attention_gradients<float>::bias);
  expect(tn::grad_sinks(dsinks), "dsinks", &attention_gradients<float>::sinks);
}

TEST_P(backward_requests, for_two_gradients_compute_those_two) {
  ask_for_everything();
  const auto all = results();
  fill(quiet_nan<float>());
  backward(tn::grad_v(dv), tn::grad_q(dq));
  backward(tn::grad_sinks(dsinks), tn::grad_k(dk));
  tn::workspace memory;
  backward(tn::use_workspace(memory), tn::grad_score_bias(dbias));
  EXPECT_TRUE(same_bits(results(), all));
}

TEST_P(backward_requests, that_accumulate_add_to_what_is_there) {
  fill(3);
  const auto before = results();
  ask_for_everything(tn::accumulate);
  EXPECT_TRUE(within_bounds(results(), expected(), before));
}

TEST_P(backward_requests, that_accumulate_on_zeros_overwrite_to_the_bit) {
  ask_for_everything();
  const auto all = results();
  fill(0);
  ask_for_everything(tn::accumulate);
  EXPECT_TRUE(same_bits(results(), all));
}

TEST_P(backward_requests, may_accumulate_some_and_overwrite_others) {
  ask_for_everything();
  const auto all = results();
  fill(0.5f);
  const auto before = results();
  backward(tn::grad_k(dk, tn::accumulate), tn::grad_q(dq), tn::grad_v(dv, tn::overwrite),
           tn::grad_sinks(dsinks, tn::accumulate), tn::grad_score_bias(dbias));
  EXPECT_TRUE(same_bits(elements_of(dq), all.q) && same_bits(elements_of(dv), all.v));
  EXPECT_TRUE(same_bits(elements_of(dbias), all.bias));
  const auto wanted = expected();
  EXPECT_TRUE(gradient_within_bounds<float>(elements_of(dk), wanted.k, before.k));
  EXPECT_TRUE(gradient_within_bounds<float>(elements_of(dsinks), wanted.sinks, before.sinks));
}

TEST_P(backward_requests, may_take_maps_by_value) {
  ask_for_everything();
  const auto all = results();
  std::vector<float> memory(static_cast<std::size_t>(dq.size()));
  backward(tn::grad_q(Eigen::TensorMap<tensor>(memory.data(), 2, 4, 67, 8)));
  EXPECT_TRUE(same_bits(memory, all.q));
  Eigen::VectorXf sink_vector(4);
  backward(tn::grad_sinks(sink_vector));
  EXPECT_TRUE(same_bits(std::vector<float>(sink_vector.data(), sink_vector.data() + 4), all.sinks));
}

/// In each scalar, and with gradients of 16-bit biases in 16 bits and in float.
template <class T>
class backward_accumulation : public testing::Test {};
using scalars = testing::Types<float, double, Eigen::half, Eigen::bfloat16>;
TYPED_TEST_SUITE(backward_accumulation, scalars, scalar_names);

TYPED_TEST(backward_accumulation, adds_to_what_is_there_and_rounds_once) {
  using T = TypeParam;
  using A = tn::accumulator_t<T>;
  for (const attention_shape& shape :
       {attention_shape{
            .batch = 2, .heads = 4, .queries = 70, .keys = 67, .dim = 16, .key_heads = 2, .dim_v = 9},
        attention_shape{.heads = 4, .queries = 3, .keys = 130, .dim = 33}}) {
    modifier_list<A> m;
    m.bias =
        make_spread<A>({1, 4, 1, shape.keys}, [](const score_index& at) { return A(0.125) * A(at.key % 3); });
    m.mask = make_spread<bool>({1, 1, 1, 1}, [](const score_index&) { return true; });
    m.lengths = std::vector<std::int32_t>(static_cast<std::size_t>(shape.batch),
                                          static_cast<std::int32_t>(shape.keys - 2));
    const auto in = make_backward_inputs<T>(shape, 961, m);
    const auto expected = expected_gradients(in, m);
    const attention_gradients<T> before{normal<T>(in.q.size(), 962),
                                        normal<T>(in.k.size(), 963, 0, 4),
                                        normal<T>(in.v.size(), 964, 1),
                                        normal<A>(m.bias->count(), 965),
                                        {}};
    for (const attention_path path : both_paths) {
      auto result = before;
      differentiate_into(result, path, in, m, tn::accumulate);
      EXPECT_TRUE(within_bounds(result, expected, before)) << name_of_backward(path) << ", " << shape;
      auto from_zero = filled_gradients<T>(shape, m, 0);
      differentiate_into(from_zero, path, in, m, tn::accumulate);
      EXPECT_TRUE(same_bits(from_zero, differentiated(path, in, m)))
          << name_of_backward(path) << ", " << shape;
    }
  }
}

TEST(the_gradient_of_a_bias_of_halves, may_be_halves_or_float_and_is_rounded_once) {
  using halves = row_major_tensor<Eigen::half, 4>;
  const attention_shape shape{.batch = 2, .heads = 2, .queries = 70, .keys = 9, .dim = 8};
  const auto values = normal<Eigen::half>(18, 971);
  modifier_list<float> m;
  m.bias = make_spread<float>({1, 2, 1, 9}, [&](const score_index& at) {
    return static_cast<float>(values[static_cast<std::size_t>(at.head * 9 + at.key)]);
  });
  const auto in = make_backward_inputs<Eigen::half>(shape, 972, m);
  const auto expected = expected_gradients(in, m);
  const auto of_q = [&](const std::vector<Eigen::half>& numbers_of) {
    return tensor_of<halves>({2, 2, 70, 8}, numbers_of);
  };
  const auto of_k = [&](const std::vector<Eigen::half>& numbers_of) {
    return tensor_of<halves>({2, 2, 9, 8}, numbers_of);
  };
  const halves q = of_q(in.q), k = of_k(in.k), v = of_k(in.v), dout = of_q(in.dout), o = of_q(in.o),
               bias = tensor_of<halves>({1, 2, 1, 9}, values);
  const auto lse = tensor_of<lines>({2, 2, 70}, in.lse);
  halves narrow_dbias(1, 2, 1, 9);
  tensor wide_dbias(1, 2, 1, 9);
  const auto check = [&](const auto& backward) {
    backward(tn::grad_score_bias(narrow_dbias));
    backward(tn::grad_score_bias(wide_dbias));
    EXPECT_TRUE(gradient_within_bounds<Eigen::half>(elements_of(wide_dbias), expected.bias));
    EXPECT_TRUE(gradient_within_bounds<Eigen::half>(elements_of(narrow_dbias), expected.bias));
    EXPECT_TRUE(same(narrow_dbias, halves(wide_dbias.cast<Eigen::half>())));
  };
  check([&](const auto& more) { tn::attention_backward(dout, q, k, v, o, lse, tn::score_bias(bias), more); });
  check([&](const auto& more) {
    tn::attention_unfused_backward(dout, q, k, v, o, lse, tn::score_bias(bias), more);
  });
}

}  // namespace
}  // namespace tensornorm_test
