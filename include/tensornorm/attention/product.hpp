// Products of matrices in tiles of registers: C[row][lane] = Σ A[row][depth] · B[depth][lane]. The
// elements of A are broadcast one by one, from wherever they lie; those of B and C are lanes side by side.
// Queries are the lanes of attention, so that keys and values are read as they are, and softmax needs no
// sums across lanes.
#pragma once

#include <type_traits>

#include "../simd/exp.hpp"
#include "../view/rows.hpp"
#include "rows_ahead.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Sums over depth start anew after this many terms; the parts add up in order.
inline constexpr index depth_block = 64;

/// How the weight of an absent key is written where a value may be NaN or infinite: weights are never
/// negative, so that the product can tell such a key from one whose weight has underflown.
template <class T>
inline constexpr T absent_weight = -1;

/// What the numbers of A and B stand for, and how their products add up: as what they are. (pair_terms of
/// bfloat16_pairs.hpp has two bfloat16 in the place of each.)
struct single_terms {
  static constexpr index in_one = 1;
  static constexpr index depth = depth_block;

  template <class V>
  static TENSORNORM_INLINE void add(V& sum, const V& a, const V& b) {
    sum = fma(a, b, sum);
  }
  /// The same where `mark` is not negative.
  template <class V>
  static TENSORNORM_INLINE void add_marked(V& sum, const V& a, const V& b, const V& mark) {
    sum = select(mark < V::splat(0), sum, fma(a, b, sum));
  }

  /// Makes of the weights of neighbouring keys what multiplies their values.
  template <class V, class T>
  static TENSORNORM_INLINE void make_weights(T*, index) {}

  /// The same of those of some lines, of which the first is line j. They are stored instead of the lines.
  template <class V, int Lines, class T>
  static TENSORNORM_INLINE void store_weights(const V (&weights)[Lines], T* lines, index line_step, index j) {
    TENSORNORM_UNROLL
    for (int n = 0; n < Lines; ++n) weights[n].store(lines + (j + n) * line_step);
  }

  /// Lives as long as products are computed, of what is in memory.
  struct arithmetic {
    TENSORNORM_INLINE arithmetic() {}
    /// These sums were computed meanwhile.
    template <class Sums>
    TENSORNORM_INLINE void holds(Sums&) const {}
  };
};

/// A: element (row, depth) is at data[row * row_step + depth * depth_step].
template <class T>
struct broadcast_matrix {
  const T* data;
  index row_step;
  index depth_step;
};

/// How a product meets what C holds.
enum class meet { overwrite, add, rescale };  // rescale: C * factor[lane] + product

/// Vectors of lanes that a tile is wide at most on every machine.
inline constexpr int tile_vectors = 3;

/// Every sum over depth has two chains, of the even and of the odd terms: half as many roundings one after
/// another.
inline constexpr int chains = 2;

/// Vectors that a tile can be wide where there are 32 registers for it.
template <class Isa>
inline constexpr int most_vectors = Isa::bytes == 64 ? 4 : tile_vectors;

/// Rows of a tile: they, and what multiplies them, just fill the registers.
template <class Isa, int Vectors>
inline constexpr int tile_rows = Isa::bytes != 64          ? 4
                                 : Vectors <= tile_vectors ? 8
                                                           : 6;

/// Rows of C that stay near while all of depth is added to them.
inline constexpr index row_block = 64;

/// One chain of a product: terms first, first + chains, ... below depth.
template <class Terms, int Rows, int Vectors, bool RowsSideBySide, class V, class T>
TENSORNORM_INLINE void sum_chain(const broadcast_matrix<T>& a, const T* b, index b_step, index first,
                                 index depth, rows_ahead::series ahead, V (&sum)[Rows][Vectors]) {
  TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
  for (int v = 0; v < Vectors; ++v) sum[r][v] = V::splat(0);
  // Every fourth row has a pointer: the others are found from it by registers that all pointers share.
  constexpr int near = 4;
  const T* from[(Rows + near - 1) / near];
  TENSORNORM_UNROLL
  for (int r = 0; r < Rows; r += near) from[r / near] = a.data + first * a.depth_step + r * a.row_step;
  b += first * b_step;
  for (index d = first; d < depth; d += chains) {
    if constexpr (Rows > 1) ahead.ask();
    V lanes[Vectors];
    TENSORNORM_UNROLL
    for (int v = 0; v < Vectors; ++v) lanes[v] = V::load(b + v * V::size);
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const T* const row = RowsSideBySide ? from[0] + r : from[r / near] + r % near * a.row_step;
      const V x = V::splat(*row);
      TENSORNORM_UNROLL
      for (int v = 0; v < Vectors; ++v) Terms::add(sum[r][v], x, lanes[v]);
    }
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; r += near) from[r / near] += chains * a.depth_step;
    b += chains * b_step;
  }
}

/// Both chains, and their sum.
template <class Terms, int Rows, int Vectors, bool RowsSideBySide, class V, class T>
TENSORNORM_INLINE void product_tile(const broadcast_matrix<T>& a, const T* b, index b_step, index depth,
                                    rows_ahead& ahead, V (&sum)[Rows][Vectors]) {
  static_assert(chains == 2);
  const auto sum_chain_of = [&](index first, V(&chain)[Rows][Vectors]) TENSORNORM_INLINE_LAMBDA {
    const auto asked = Rows > 1 ? ahead.take(depth / chains) : rows_ahead::series{};
    sum_chain<Terms, Rows, Vectors, RowsSideBySide>(a, b, b_step, first, depth, asked, chain);
  };
  V odd[Rows][Vectors];
  sum_chain_of(0, sum);
  sum_chain_of(1, odd);
  TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
  for (int v = 0; v < Vectors; ++v) sum[r][v] = sum[r][v] + odd[r][v];
}

template <int Rows, int Vectors, class V, class T>
TENSORNORM_INLINE void store_tile(const V (&sum)[Rows][Vectors], T* c, index c_step, meet how,
                                  const T* factor) {
  TENSORNORM_UNROLL
  for (int v = 0; v < Vectors; ++v) {
    const V f = how == meet::rescale ? V::load(factor + v * V::size) : V::splat(1);
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) {
      T* const place = c + r * c_step + v * V::size;
      if (how == meet::overwrite)
        sum[r][v].store(place);
      else
        fma(V::load(place), f, sum[r][v]).store(place);
    }
  }
}

template <class Terms, int Rows, int Vectors, bool RowsSideBySide, class V, class T>
TENSORNORM_INLINE void multiply_rows(broadcast_matrix<T> a, index rows, const T* b, index b_step, index depth,
                                     T* c, index c_step, meet how, const T* factor, rows_ahead& ahead) {
  index r = 0;
  for (; r + Rows <= rows; r += Rows, a.data += Rows * a.row_step) {
    V sum[Rows][Vectors];
    product_tile<Terms, Rows, Vectors, RowsSideBySide>(a, b, b_step, depth, ahead, sum);
    store_tile(sum, c + r * c_step, c_step, how, factor);
  }
  if constexpr (Rows > 1)
    multiply_rows<Terms, (Rows > 4 ? 4 : 1), Vectors, RowsSideBySide, V>(
        a, rows - r, b, b_step, depth, c + r * c_step, c_step, how, factor, ahead);
}

/// One product, as a kernel takes it.
template <class T>
struct product_problem {
  broadcast_matrix<T> a;
  index rows;  // of A and C
  const T* b;
  index b_step;  // from one depth to the next
  index depth;
  T* c;
  index c_step;  // from one row to the next
  int vectors;   // of lanes, at most most_vectors
  meet how = meet::overwrite;
  const T* factor = nullptr;  // one for each lane, for meet::rescale
  rows_ahead ahead = {};      // asked for meanwhile
};

/// C = A · B where a row of B and of C is `lanes` numbers, and nothing between the rows.
template <class Isa, class T>
constexpr product_problem<T> product_in_lanes(const broadcast_matrix<T>& a, index rows,
                                              const std::type_identity_t<T>* b, index depth, T* c,
                                              index lanes) {
  return {a, rows, b, lanes, depth, c, lanes, static_cast<int>(lanes / vec_size<Isa, T>)};
}

template <class Terms>
struct product_kernel {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const product_problem<T>& p) {
    if constexpr (most_vectors<Isa> == 4)
      if (p.vectors == 4) return run<Isa, 4>(p);
    if (p.vectors == 3)
      run<Isa, 3>(p);
    else if (p.vectors == 2)
      run<Isa, 2>(p);
    else
      run<Isa, 1>(p);
  }

 private:
  template <class Isa, int Vectors, class T>
  static TENSORNORM_INLINE void run(const product_problem<T>& p) {
    for (index r = 0; r < p.rows; r += row_block)
      for (index d = 0; d < p.depth; d += depth_block) run<Isa, Vectors>(p, r, d);
  }

  /// The block of A that begins there. Meanwhile the next comes.
  template <class Isa, int Vectors, class T>
  static TENSORNORM_INLINE void run(const product_problem<T>& p, index r, index d) {
    using V = native_vec<Isa, T>;
    const index rows = block(p.rows - r, row_block);
    const index depth = block(p.depth - d, depth_block);
    const broadcast_matrix<T> a = from(p.a, r, d);
    rows_ahead ahead = d + depth < p.depth ? block_ahead(p, r, d + depth)
                       : r + rows < p.rows ? block_ahead(p, r + rows, 0)
                                           : p.ahead;
    ahead.idle_at(p.b);
    const T* const b = p.b + d * p.b_step;
    T* const c = p.c + r * p.c_step;
    const meet how = d == 0 ? p.how : meet::add;
    if (a.row_step == 1)
      multiply_rows<Terms, tile_rows<Isa, Vectors>, Vectors, true, V>(a, rows, b, p.b_step, depth, c,
                                                                      p.c_step, how, p.factor, ahead);
    else
      multiply_rows<Terms, tile_rows<Isa, Vectors>, Vectors, false, V>(a, rows, b, p.b_step, depth, c,
                                                                       p.c_step, how, p.factor, ahead);
  }

  static constexpr index block(index left, index most) { return left < most ? left : most; }
  template <class T>
  static constexpr broadcast_matrix<T> from(const broadcast_matrix<T>& a, index r, index d) {
    return {a.data + r * a.row_step + d * a.depth_step, a.row_step, a.depth_step};
  }
  template <class T>
  static TENSORNORM_INLINE rows_ahead block_ahead(const product_problem<T>& p, index r, index d) {
    const broadcast_matrix<T> a = from(p.a, r, d);
    return rows_ahead::of(a.data, a.row_step, block(p.rows - r, row_block), a.depth_step,
                          block(p.depth - d, depth_block));
  }
};

/// C meets A · B, in the same order of sums on every machine. A call of its own: compiled once for each
/// instruction set.
template <class Isa, class Terms = single_terms, class T>
void multiply(const product_problem<T>& p) {
  enter<product_kernel<Terms>>(Isa(), p);
}

/// The same with as many columns as there are, lanes of queries or dims of rows: overwriting or adding.
template <class Isa, class T>
TENSORNORM_INLINE void multiply_wide(product_problem<T> p, index columns) {
  constexpr index size = vec_size<Isa, T>;
  for (index left = ceil_div(columns, size); left > 0; left -= p.vectors) {
    const index groups = ceil_div(left, index{most_vectors<Isa>});
    p.vectors = static_cast<int>(ceil_div(left, groups));
    multiply<Isa>(p);
    p.ahead = {};
    p.b += p.vectors * size;
    p.c += p.vectors * size;
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
