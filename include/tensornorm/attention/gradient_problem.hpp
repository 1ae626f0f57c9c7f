// The gradients of one attention over one set of tensors, as the kernels take them.
#pragma once

#include "modifier_gradients.hpp"
#include "problem.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The memory of a gradient. Absent: null.
template <class T>
struct gradient_array {
  T* data = nullptr;
  heads_strides strides;
  bool accumulate = false;

  explicit operator bool() const { return data != nullptr; }
};

/// Gradients of  o = softmax(scale · q · kᵀ, modified) · v  for dout, the gradient of o. `lse` is that of the
/// forward pass, and `result` its o. Nothing that is written overlaps anything else.
template <class T>
struct attention_gradient_problem : attention_problem<T> {
  using compute = compute_t<T>;

  const T* dout = nullptr;
  const T* result = nullptr;
  heads_strides dout_strides;
  heads_strides result_strides;
  modifier_gradients<compute> derivatives;

  gradient_array<T> dq;
  gradient_array<T> dk;
  gradient_array<T> dv;

  bool wants_keys() const { return dk || dv; }
};

/// Sums over queries and over keys are chains of this many blocks, and sums of these.
inline constexpr index gradient_chain = 32;

/// Queries of a block: as many as the widest kernel takes side by side, on every machine, since gradients of
/// keys and values are sums over them.
template <class T>
inline constexpr index gradient_lanes = tile_vectors * 64 / static_cast<index>(sizeof(T));

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
