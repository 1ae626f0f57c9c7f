// The gradients of attention on plain memory in logical order, beside the oracle's answer to the same call.
// Each set of modifiers is compiled once, in attention_backward_*.cpp, as those of attention.hpp are.
#pragma once

#include "attention.hpp"
#include "attention_backward_oracle.hpp"

namespace tensornorm_test {

inline const char* name_of_backward(attention_path path) {
  return path == attention_path::fused ? "attention_backward" : "attention_unfused_backward";
}

/// What a backward pass reads: o and lse are those of q, k and v under the modifiers of the call.
template <class T>
struct attention_backward_inputs : attention_inputs<T> {
  std::vector<T> dout, o;
  std::vector<tn::accumulator_t<T>> lse;
};

/// Gradients in logical order. bias and sinks have elements only where the call has such a modifier.
template <class T>
struct attention_gradients {
  std::vector<T> q, k, v;
  std::vector<tn::accumulator_t<T>> bias, sinks;
};

/// One backward pass on memory in logical order. dbias has the shape of the bias, if there is one, and dsinks
/// as many elements as there are sinks; the others may not be null.
template <class T>
struct attention_backward_call {
  using accumulator = tn::accumulator_t<T>;

  attention_path path;
  attention_shape shape;
  const T* dout;
  const T* q;
  const T* k;
  const T* v;
  const T* o;
  const accumulator* lse;
  T* dq;
  T* dk;
  T* dv;
  accumulator* dbias = nullptr;
  accumulator* dsinks = nullptr;
  modifier_list<accumulator> modifiers = {};
  const Eigen::ThreadPoolDevice* pool = nullptr;
  tn::update mode = tn::overwrite;
};

/// Calls the public function with the modifiers named, and asks for every gradient. Compiled in
/// attention_backward_*.cpp.
template <class T, modifier... Names>
void differentiate_with(const attention_backward_call<T>& call);

/// Calls the public function with the modifiers that the list has. Throws std::logic_error for a set of
/// modifiers that was not compiled.
template <class T>
void differentiate(const attention_backward_call<T>& call);

/// The numbers rounded to T.
template <class T>
std::vector<T> narrowed(const std::vector<real>& values) {
  std::vector<T> result;
  result.reserve(values.size());
  for (const real value : values) result.push_back(narrow<T>(static_cast<double>(value)));
  return result;
}

/// o and lse of the inputs, by the oracle.
template <class T>
attention_backward_inputs<T> with_forward(const attention_inputs<T>& in, std::vector<T> dout,
                                          const modifier_list<tn::accumulator_t<T>>& modifiers = {}) {
  const attention_reference forward = expected_attention(in, modifiers);
  return {in, std::move(dout), narrowed<T>(forward.o), narrowed<tn::accumulator_t<T>>(forward.lse)};
}

template <class T>
attention_backward_inputs<T> make_backward_inputs(const attention_shape& shape, std::uint32_t seed,
                                                  const modifier_list<tn::accumulator_t<T>>& modifiers = {},
                                                  double q_deviation = 1, double k_deviation = 1) {
  return with_forward(make_inputs<T>(shape, seed, q_deviation, k_deviation),
                      normal<T>(shape.o_count(), seed + 3, 0.25), modifiers);
}

/// As many elements as each gradient of the call has, all of this value.
template <class T>
attention_gradients<T> filled_gradients(const attention_shape& shape,
                                        const modifier_list<tn::accumulator_t<T>>& modifiers, double value) {
  using A = tn::accumulator_t<T>;
  return {std::vector<T>(shape.q_count(), narrow<T>(value)),
          std::vector<T>(shape.k_count(), narrow<T>(value)),
          std::vector<T>(shape.v_count(), narrow<T>(value)),
          std::vector<A>(modifiers.bias ? modifiers.bias->count() : 0, narrow<A>(value)),
          std::vector<A>(modifiers.sinks ? static_cast<std::size_t>(modifiers.sinks->size) : 0,
                         narrow<A>(value))};
}

/// differentiate into, or on top of, what `to` holds.
template <class T>
void differentiate_into(attention_gradients<T>& to, attention_path path,
                        const attention_backward_inputs<T>& in,
                        const modifier_list<tn::accumulator_t<T>>& modifiers, tn::update mode,
                        const Eigen::ThreadPoolDevice* pool = nullptr) {
  differentiate<T>({path, in.shape, in.dout.data(), in.q.data(), in.k.data(), in.v.data(), in.o.data(),
                    in.lse.data(), to.q.data(), to.k.data(), to.v.data(), to.bias.data(), to.sinks.data(),
                    modifiers, pool, mode});
}

/// differentiate into new vectors, which were full of NaN before.
template <class T>
attention_gradients<T> differentiated(attention_path path, const attention_backward_inputs<T>& in,
                                      const modifier_list<tn::accumulator_t<T>>& modifiers = {},
                                      const Eigen::ThreadPoolDevice* pool = nullptr) {
  auto result = filled_gradients<T>(in.shape, modifiers, std::numeric_limits<double>::quiet_NaN());
  differentiate_into(result, path, in, modifiers, tn::overwrite, pool);
  return result;
}

/// The answer of the oracle to the same call.
template <class T>
attention_backward_reference expected_gradients(const attention_backward_inputs<T>& in,
                                                const modifier_list<tn::accumulator_t<T>>& modifiers = {}) {
  const auto dout = widen(in.dout), o = widen(in.o), lse = widen(in.lse);
  return reference_attention_backward(in.shape, widen(in.q), widen(in.k), widen(in.v),
                                      policy_of(modifiers, in.shape), {dout, o, lse},
                                      modifiers.bias ? modifiers.bias->size : bias_sizes{0, 0, 0, 0});
}

}  // namespace tensornorm_test
