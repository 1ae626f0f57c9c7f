// Registers what is fused with a norm: fused, step by step, and by Eigen alone.
#pragma once

#include <memory>

#include "add.hpp"
#include "fused.hpp"

namespace bench {

template <class Sequence, class Scalar>
void add_sequence(const place& at) {
  constexpr double bytes =
      (Sequence::reads + Sequence::writes) * sizeof(Scalar) + (Sequence::quantizes ? 1 : 0);
  const auto add_contender = [&](const char* contender, auto run) {
    const auto make = [=](const operands<Scalar>& memory) {
      constexpr bool two = Sequence::reads == 2;
      const auto all = std::make_shared<fused_memory<Scalar>>(
          memory.x_at(0), two ? memory.more("skip") : nullptr, two ? memory.more("sum") : nullptr,
          memory.y_at(0), at.shape, memory.weight, memory.bias);
      if (Sequence::quantizes) all->add_quantized();
      return [=] { run(*all); };
    };
    add<Scalar>(at, std::string(Sequence::name) + "/" + contender, make, bytes);
  };
  add_contender("fused", [](fused_memory<Scalar>& m) { Sequence::fused(m); });
  add_contender("unfused", [](fused_memory<Scalar>& m) { Sequence::unfused(m); });
  add_contender("eigen", [](fused_memory<Scalar>& m) { Sequence::eigen(m); });
}

struct rms_norm_fused {
  template <class Scalar>
  static void add_all(const place& at) {
    add_sequence<residual_rms_norm, Scalar>(at);
    add_sequence<rms_norm_quantize, Scalar>(at);
  }
};

struct layer_norm_fused {
  template <class Scalar>
  static void add_all(const place& at) {
    add_sequence<layer_norm_then<gelu_function>, Scalar>(at);
    add_sequence<layer_norm_then<silu_function>, Scalar>(at);
  }
};

template <class Norm, class Scalar>
void add_norm_fused(sweep wanted) {
  for (const row_shape& s : row_shapes)
    if (has_fusion(s, wanted)) Norm::template add_all<Scalar>(rows_of(s));
}

}  // namespace bench
