// Registers the gradients of attention by this library, fused and unfused, in float.
#pragma once

#include "add.hpp"

namespace bench {

struct attention_backward {
  static constexpr const char* name = "backward";

  template <class... Args>
  static void differentiate(const Args&... args) {
    tn::attention_backward(args...);
  }
};

struct attention_unfused_backward {
  static constexpr const char* name = "unfused_backward";

  template <class... Args>
  static void differentiate(const Args&... args) {
    tn::attention_unfused_backward(args...);
  }
};

/// What a backward pass works on beside q, k and v.
template <class Scalar>
struct attention_gradient_memory {
  using map = Eigen::TensorMap<Eigen::Tensor<Scalar, 4, Eigen::RowMajor>>;

  template <class... Modifiers>
  explicit attention_gradient_memory(const attention_shape& s, const Modifiers&... modifiers)
      : memory(attention_operands_for<Scalar>(s)),
        q(memory->q.get(), s.batch, s.heads, s.queries, s.dim),
        k(memory->k.get(), s.batch, s.key_heads, s.keys, s.dim),
        v(memory->v.get(), s.batch, s.key_heads, s.keys, s.dim),
        o(memory->o.get(), s.batch, s.heads, s.queries, s.dim),
        dout(noise<Scalar>(s.query_count(), 5)),
        dq(noise<Scalar>(s.query_count(), 6)),
        dk(noise<Scalar>(s.key_count(), 7)),
        dv(noise<Scalar>(s.key_count(), 8)) {
    o = tn::attention(q, k, v, modifiers..., tn::save_lse(lse));
  }

  static map like(const map& other, const std::shared_ptr<Scalar>& data) {
    return map(data.get(), other.dimensions());
  }

  std::shared_ptr<attention_operands<Scalar>> memory;
  map q, k, v, o;
  std::shared_ptr<Scalar> dout, dq, dk, dv;
  Eigen::Tensor<tn::accumulator_t<Scalar>, 3, Eigen::RowMajor> lse;
  tn::workspace workspace;
};

/// Five products of queries and keys: q·k and dout·v once more, and those that make dq, dk and dv.
template <class Contender, class Scalar, class... Modifiers>
void add_attention_gradients(const attention_shape& s, seen which, const Modifiers&... modifiers) {
  amount work = s.work<Scalar>(which);
  work.flops *= 2.5;
  work.bytes *= 2;
  const std::string what = std::string(name(which)) + "/" + Contender::name;
  add_attention_benchmark<Scalar>(s, "heads_first", what, work, [=] {
    using memory = attention_gradient_memory<Scalar>;
    const auto m = std::make_shared<memory>(s, modifiers...);
    return [=] {
      auto dq = memory::like(m->q, m->dq), dk = memory::like(m->k, m->dk), dv = memory::like(m->v, m->dv);
      Contender::differentiate(memory::like(m->o, m->dout), m->q, m->k, m->v, m->o, m->lse, modifiers...,
                               tn::grad_q(dq), tn::grad_k(dk), tn::grad_v(dv),
                               tn::use_workspace(m->workspace));
    };
  });
}

template <class Contender, class Scalar>
void add_attention_backward(sweep wanted) {
  for (const attention_shape& s : measured_attention_shapes<Scalar>(wanted)) {
    if (!has_causal(s) || s.keys > 2048) continue;
    add_attention_gradients<Contender, Scalar>(s, seen::dense);
    add_attention_gradients<Contender, Scalar>(s, seen::causal, tn::causal(tn::align::bottom_right));
  }
}

}  // namespace bench
