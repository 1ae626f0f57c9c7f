// Functions of each element.
#pragma once

#include "../simd/activation.hpp"
#include "../view/rows.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Functions of a register, as types.
struct silu_function {
  template <class V>
  TENSORNORM_INLINE V operator()(const V& y) const {
    return silu(y);
  }
};
struct gelu_function {
  template <class V>
  TENSORNORM_INLINE V operator()(const V& y) const {
    return gelu(y);
  }
};
struct gelu_tanh_function {
  template <class V>
  TENSORNORM_INLINE V operator()(const V& y) const {
    return gelu_tanh(y);
  }
};
/// tanh(factor · y).
template <class T>
struct tanh_function {
  T factor;
  template <class V>
  TENSORNORM_INLINE V operator()(const V& y) const {
    return tanh(times(y, V::splat(factor)));
  }
};

/// Replaces `count` neighbours by f of them, computed in compute_t and rounded once.
struct map_elements {
  template <class Isa, class F, class T>
  static TENSORNORM_INLINE void run(const F& f, T* const& data, const index& count) {
    using V = native_vec<Isa, compute_t<T>>;
    index i = 0;
    for (; i + V::size <= count; i += V::size) store(f(load<V>(data + i)), data + i);
    const int rest = static_cast<int>(count - i);
    if (rest > 0) store_first(f(load_first<V>(data + i, rest)), data + i, rest);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
