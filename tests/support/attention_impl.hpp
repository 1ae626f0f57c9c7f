// The definitions of attention.hpp. A file that instantiates attend_with names sets of modifiers.
#pragma once

#define EIGEN_USE_THREADS
#include "attention.hpp"

namespace tensornorm_test {

/// The arguments of modifiers as maps, which outlive the call.
template <class T>
struct modifier_maps {
  using accumulator = tn::accumulator_t<T>;
  template <class V>
  using plane = Eigen::TensorMap<const Eigen::Tensor<V, 4, Eigen::RowMajor>>;
  template <class V>
  using line = Eigen::TensorMap<const Eigen::Tensor<V, 1>>;

  const modifier_list<accumulator>& list;
  plane<bool> mask = map(list.mask);
  plane<accumulator> bias = map(list.bias);
  line<accumulator> slopes = list.alibi ? map(list.alibi->slopes) : map(sequence<accumulator>());
  line<accumulator> sinks = map(list.sinks.value_or(sequence<accumulator>()));
  line<std::int32_t> lengths = map(list.lengths.value_or(sequence<std::int32_t>()));

  template <unsigned Name>
  auto make() const {
    if constexpr (Name == softcap_) return tn::softcap(static_cast<accumulator>(*list.softcap));
    if constexpr (Name == bias_) return tn::score_bias(bias);
    if constexpr (Name == alibi_) return tn::alibi(slopes, list.alibi->align);
    if constexpr (Name == causal_) return tn::causal(*list.causal);
    if constexpr (Name == window_)
      return tn::window(list.window->left, list.window->right, list.window->align);
    if constexpr (Name == mask_) return tn::keep_mask(mask);
    if constexpr (Name == lengths_) return tn::key_lengths(lengths);
    if constexpr (Name == sinks_) return tn::sinks(sinks);
  }

 private:
  template <class V>
  static plane<V> map(const std::optional<spread<V>>& values) {
    if (!values) return {nullptr, 0, 0, 0, 0};
    return {values->data.get(), values->size[0], values->size[1], values->size[2], values->size[3]};
  }
  template <class V>
  static line<V> map(const sequence<V>& values) {
    return {values.data.get(), values.size};
  }
};

template <class T, modifier... Names>
void attend_with(const attention_call<T>& call) {
  using tensor = Eigen::Tensor<T, 4, Eigen::RowMajor>;
  const attention_shape& s = call.shape;
  const Eigen::TensorMap<const tensor> q(call.q, s.batch, s.heads, s.queries, s.dim);
  const Eigen::TensorMap<const tensor> k(call.k, s.batch, s.heads_of_keys(), s.keys, s.dim);
  const Eigen::TensorMap<const tensor> v(call.v, s.batch, s.heads_of_keys(), s.keys, s.size_of_v());
  Eigen::TensorMap<tensor> o(call.o, s.batch, s.heads, s.queries, s.size_of_v());
  [[maybe_unused]] const modifier_maps<T> maps{call.modifiers};
  const auto assign = [&](const auto& expression) {
    if (call.pool)
      o.device(*call.pool) = expression;
    else
      o = expression;
  };
  Eigen::Tensor<tn::accumulator_t<T>, 3, Eigen::RowMajor> lse;
  if (call.path == attention_path::fused)
    assign(tn::attention(q, k, v, maps.template make<Names>()..., tn::save_lse(lse)));
  else
    assign(tn::attention_unfused(q, k, v, maps.template make<Names>()..., tn::save_lse(lse)));
  if (call.lse) call.lse->assign(lse.data(), lse.data() + lse.size());
}

}  // namespace tensornorm_test
