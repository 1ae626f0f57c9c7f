// The definitions of attention_backward.hpp. A file that instantiates differentiate_with names sets of
// modifiers.
#pragma once

#define EIGEN_USE_THREADS
#include "attention_backward.hpp"
#include "attention_impl.hpp"

namespace tensornorm_test {

template <class T, modifier... Names>
void differentiate_with(const attention_backward_call<T>& call) {
  using A = tn::accumulator_t<T>;
  using tensor = Eigen::Tensor<T, 4, Eigen::RowMajor>;
  using plane = Eigen::Tensor<A, 4, Eigen::RowMajor>;
  const attention_shape& s = call.shape;
  const auto of_q = [&](auto* data) {
    return Eigen::TensorMap<
        std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(data)>>, const tensor, tensor>>(
        data, s.batch, s.heads, s.queries, s.dim);
  };
  const auto of_keys = [&](auto* data, std::ptrdiff_t size) {
    return Eigen::TensorMap<
        std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(data)>>, const tensor, tensor>>(
        data, s.batch, s.heads_of_keys(), s.keys, size);
  };
  const auto q = of_q(call.q);
  const auto k = of_keys(call.k, s.dim), v = of_keys(call.v, s.size_of_v());
  const Eigen::TensorMap<const tensor> dout(call.dout, s.batch, s.heads, s.queries, s.size_of_v()),
      o(call.o, s.batch, s.heads, s.queries, s.size_of_v());
  const Eigen::TensorMap<const Eigen::Tensor<A, 3, Eigen::RowMajor>> lse(call.lse, s.batch, s.heads,
                                                                         s.queries);
  auto dq = of_q(call.dq);
  auto dk = of_keys(call.dk, s.dim), dv = of_keys(call.dv, s.size_of_v());
  [[maybe_unused]] const modifier_maps<T> maps{call.modifiers};

  const auto run = [&](const auto&... requests) {
    const auto on_a_path = [&](const auto&... all) {
      if (call.path == attention_path::fused)
        tn::attention_backward(dout, q, k, v, o, lse, maps.template make<Names>()..., all...);
      else
        tn::attention_unfused_backward(dout, q, k, v, o, lse, maps.template make<Names>()..., all...);
    };
    if (call.pool)
      on_a_path(tn::grad_q(dq, call.mode), tn::grad_k(dk, call.mode), tn::grad_v(dv, call.mode), requests...,
                tn::on(*call.pool));
    else
      on_a_path(tn::grad_q(dq, call.mode), tn::grad_k(dk, call.mode), tn::grad_v(dv, call.mode), requests...);
  };
  constexpr unsigned names = (0u | ... | Names);
  const auto& bias = maps.bias;
  Eigen::TensorMap<plane> dbias(call.dbias, bias.dimension(0), bias.dimension(1), bias.dimension(2),
                                bias.dimension(3));
  Eigen::TensorMap<Eigen::Tensor<A, 1>> dsinks(call.dsinks, maps.sinks.size());
  if constexpr ((names & bias_) && (names & sinks_))
    run(tn::grad_score_bias(dbias, call.mode), tn::grad_sinks(dsinks, call.mode));
  else if constexpr (names & bias_)
    run(tn::grad_score_bias(dbias, call.mode));
  else if constexpr (names & sinks_)
    run(tn::grad_sinks(dsinks, call.mode));
  else
    run();
}

}  // namespace tensornorm_test
