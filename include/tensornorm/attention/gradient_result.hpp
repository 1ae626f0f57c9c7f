// From sums in lanes and rows to the gradients of q, k and v.
#pragma once

#include "gradient_problem.hpp"
#include "pack.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// dq = scale · sums, which lie in lanes, dim x width.
template <class Isa, class P, class T>
TENSORNORM_INLINE void write_queries(const P& p, const query_block& at, T* sums, index width) {
  using V = native_vec<Isa, T>;
  const auto to = head_of(p.dq.data, p.dq.strides, at.batch, at.head);
  const index count = at.last - at.first;
  const V scale = V::splat(static_cast<T>(p.scale()));
  T factor[static_cast<std::size_t>(gradient_lanes<T>)];
  std::fill_n(factor, width, p.dq.accumulate ? T{1} : static_cast<T>(p.scale()));
  if (p.dq.accumulate)
    for (index d = 0; d < p.shape.dim; ++d) {
      T old[static_cast<std::size_t>(gradient_lanes<T>)] = {};
      for (index i = 0; i < count; ++i)
        old[i] = widen<T>(to.data[(at.first + i) * to.token_step + d * to.dim_step]);
      for (index lane = 0; lane < width; lane += V::size)
        fma(V::load(sums + d * width + lane), scale, V::load(old + lane)).store(sums + d * width + lane);
    }
  unpack_lanes<Isa>(static_cast<const T*>(sums), width, static_cast<const T*>(factor), to, at.first, count,
                    p.shape.dim);
}

/// to(token, d) = factor · sums[token * step + d], or that added to it.
template <class Isa, class T, class S>
TENSORNORM_INLINE void write_rows(const T* sums, index step, T factor, const head_view<S>& to, index tokens,
                                  index dim, bool accumulate) {
  using V = native_vec<Isa, T>;
  const auto value = [&]<class L>(const T* from, S* place) TENSORNORM_INLINE_LAMBDA {
    return fma(L::load(from), L::splat(factor), accumulate ? load<L>(place) : L::splat(0));
  };
  for (index t = 0; t < tokens; ++t) {
    const T* const from = sums + t * step;
    S* const row = to.data + t * to.token_step;
    index d = 0;
    if (to.dim_step == 1)
      for (; d + V::size <= dim; d += V::size)
        store(value.template operator()<V>(from + d, row + d), row + d);
    using one = vec<Isa, T, 1>;
    for (; d < dim; ++d) {
      S* const place = row + d * to.dim_step;
      store(value.template operator()<one>(from + d, place), place);
    }
  }
}

/// dk and dv of a key head from their sums, rows of padded_dim(): dk first, if wanted, then dv.
template <class Isa, class P, class T>
TENSORNORM_INLINE void write_keys(const P& p, index batch, index key_head, const T* sums) {
  const heads_shape& s = p.shape;
  if (p.dk) {
    write_rows<Isa>(sums, padded_dim<T>(s.dim), static_cast<T>(p.scale()),
                    head_of(p.dk.data, p.dk.strides, batch, key_head), s.keys, s.dim, p.dk.accumulate);
    sums += s.keys * padded_dim<T>(s.dim);
  }
  if (p.dv)
    write_rows<Isa>(sums, padded_dim<T>(s.value_dim), T{1}, head_of(p.dv.data, p.dv.strides, batch, key_head),
                    s.keys, s.value_dim, p.dv.accumulate);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
