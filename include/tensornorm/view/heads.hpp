// What attention sees of its tensors: batch, heads, tokens, dim, and where their elements lie. Knows pointers
// and strides only.
#pragma once

#include "rows.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Sizes of one attention. q: batch x heads x queries x dim; k: batch x key_heads x keys x dim;
/// v: batch x key_heads x keys x value_dim; o: batch x heads x queries x value_dim.
struct heads_shape {
  index batch = 1;
  index heads = 1;
  index key_heads = 1;
  index queries = 0;
  index keys = 0;
  index dim = 1;
  index value_dim = 1;

  /// How many query heads share a key head.
  constexpr index group() const { return heads / key_heads; }
};

/// Steps, in elements, from one batch element, head, token or dim to the next.
struct heads_strides {
  index batch = 0;
  index head = 0;
  index token = 0;
  index dim = 1;
};

/// One head of a tensor: element (token, dim) at data[token * token_step + dim * dim_step].
template <class T>
struct head_view {
  T* data;
  index token_step;
  index dim_step;
};

/// The same head from token `first` on.
template <class T>
constexpr head_view<T> tokens_from(const head_view<T>& x, index first) {
  return {x.data + first * x.token_step, x.token_step, x.dim_step};
}

template <class T>
constexpr head_view<T> head_of(T* data, const heads_strides& s, index batch, index head) {
  return {data + batch * s.batch + head * s.head, s.token, s.dim};
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
