// Rotary position embedding: pairs of dims of queries and keys turn by an angle that grows with their
// position.
#pragma once

#include "../simd/memory.hpp"
#include "../view/heads.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Which dims make a pair.
enum class rotary_pairs { none, interleaved, halves };

/// x of batch x tokens x heads x dim without gaps; the first `turned` dims, an even number, are pairs: dims
/// 2i and 2i + 1, or i and i + turned / 2. The table has for each token cos and sin of turned / 2 angles.
template <class S>
struct rotary_problem {
  using compute = compute_t<S>;

  S* x = nullptr;
  index tokens = 0;  // of a batch element
  index heads = 0;
  index dim = 0;
  index turned = 0;
  rotary_pairs pairs = rotary_pairs::none;
  const compute* table = nullptr;
  bool back = false;  // turns back, which is what gradients do
};

/// Turns tokens [first, last), counted through the batch.
struct rotary_kernel {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last) {
    using T = typename P::compute;
    for (index t = first; t < last; ++t) {
      const T* const table = p.table + t % p.tokens * p.turned;
      for (index h = 0; h < p.heads; ++h) turn<Isa>(p, table, p.x + (t * p.heads + h) * p.dim);
    }
  }

 private:
  template <class Isa, class P, class T, class S>
  static TENSORNORM_INLINE void turn(const P& p, const T* table, S* x) {
    using V = native_vec<Isa, T>;
    using one = vec<Isa, T, 1>;
    const index half = p.turned / 2;
    const T sign = p.back ? T{-1} : T{1};
    const bool interleaved = p.pairs == rotary_pairs::interleaved;
    index i = 0;
    if (!interleaved)
      for (; i + V::size <= half; i += V::size)
        pair<V>(table + i, table + half + i, sign, x + i, x + half + i);
    for (; i < half; ++i)
      pair<one>(table + i, table + half + i, sign, x + (interleaved ? 2 * i : i),
                x + (interleaved ? 2 * i + 1 : half + i));
  }

  /// (a, b) becomes (a cos - b sin, a sin + b cos).
  template <class V, class T, class S>
  static TENSORNORM_INLINE void pair(const T* cosine, const T* sine, T sign, S* a, S* b) {
    const V c = V::load(cosine);
    const V s = times(V::load(sine), V::splat(sign));
    const V x = load<V>(a);
    const V y = load<V>(b);
    store(fma(x, c, V::splat(0) - times(y, s)), a);
    store(fma(x, s, times(y, c)), b);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
