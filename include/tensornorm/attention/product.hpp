// Products of matrices in tiles of registers: C[row][lane] = Σ A[row][depth] · B[depth][lane]. The
// elements of A are broadcast one by one, from wherever they lie; those of B and C are lanes side by side.
// Queries are the lanes of attention, so that keys and values are read as they are, and softmax needs no
// sums across lanes.
#pragma once

#include "../simd/exp.hpp"
#include "../view/rows.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// What the numbers of A and B stand for, and how their products add up: as what they are. (pair_terms of
/// bfloat16_pairs.hpp has two bfloat16 in the place of each.)
struct single_terms {
  static constexpr index in_one = 1;

  template <class V>
  static TENSORNORM_INLINE void add(V& sum, const V& a, const V& b) {
    sum = fma(a, b, sum);
  }
  /// The same where `mark` is not negative.
  template <class V>
  static TENSORNORM_INLINE void add_marked(V& sum, const V& a, const V& b, const V& mark) {
    sum = select(mark < V::splat(0), sum, fma(a, b, sum));
  }
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

/// Vectors of lanes that a tile is wide at most.
inline constexpr int tile_vectors = 3;

/// Every sum over depth has two chains, of the even and of the odd terms: half as many roundings one after
/// another.
inline constexpr int chains = 2;

/// Where there are 32 registers the chains run side by side, elsewhere one after the other.
template <class Isa>
inline constexpr int chains_at_once = Isa::bytes == 64 ? 2 : 1;

/// Rows of a tile: with three vectors of lanes they, and what multiplies them, just fill the registers.
inline constexpr int tile_rows = 4;

/// Sums over depth start anew after this many terms; the parts add up in order.
inline constexpr index depth_block = 64;

/// Adds terms first, first + stride, ... of a product to sums, Chains of them in turn.
template <class Terms, int Chains, int Rows, int Vectors, bool RowsSideBySide, class V, class T>
TENSORNORM_INLINE void sum_chains(const broadcast_matrix<T>& a, const T* b, index b_step, index first,
                                  index depth, V (&sum)[Chains][Rows][Vectors]) {
  constexpr index stride = chains / Chains;
  TENSORNORM_UNROLL
  for (int n = 0; n < Chains; ++n) TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
  for (int v = 0; v < Vectors; ++v) sum[n][r][v] = V::splat(0);
  const T* from = a.data + first * a.depth_step;
  b += first * b_step;
  const auto add = [&](int n) TENSORNORM_INLINE_LAMBDA {
    V lanes[Vectors];
    TENSORNORM_UNROLL
    for (int v = 0; v < Vectors; ++v) lanes[v] = V::load(b + v * V::size);
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const V x = V::splat(from[RowsSideBySide ? r : r * a.row_step]);
      TENSORNORM_UNROLL
      for (int v = 0; v < Vectors; ++v) Terms::add(sum[n][r][v], x, lanes[v]);
    }
    from += stride * a.depth_step;
    b += stride * b_step;
  };
  index d = first;
  for (; d + (Chains - 1) < depth; d += chains) TENSORNORM_UNROLL
  for (int n = 0; n < Chains; ++n) add(n);
  if (Chains > 1 && d < depth) add(0);
}

template <class Terms, int Rows, int Vectors, bool RowsSideBySide, class V, class T>
TENSORNORM_INLINE void product_tile(const broadcast_matrix<T>& a, const T* b, index b_step, index depth,
                                    V (&sum)[Rows][Vectors]) {
  constexpr int at_once = chains_at_once<typename V::isa>;
  V part[chains / at_once][at_once][Rows][Vectors];
  TENSORNORM_UNROLL
  for (int n = 0; n < chains / at_once; ++n)
    sum_chains<Terms, at_once, Rows, Vectors, RowsSideBySide>(a, b, b_step, n, depth, part[n]);
  TENSORNORM_UNROLL
  for (int r = 0; r < Rows; ++r) TENSORNORM_UNROLL
  for (int v = 0; v < Vectors; ++v)
    sum[r][v] = part[0][0][r][v] + part[at_once == 1 ? 1 : 0][at_once == 1 ? 0 : 1][r][v];
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
                                     T* c, index c_step, meet how, const T* factor) {
  index r = 0;
  for (; r + Rows <= rows; r += Rows, a.data += Rows * a.row_step) {
    V sum[Rows][Vectors];
    product_tile<Terms, Rows, Vectors, RowsSideBySide>(a, b, b_step, depth, sum);
    store_tile(sum, c + r * c_step, c_step, how, factor);
  }
  if constexpr (Rows > 1)
    multiply_rows<Terms, 1, Vectors, RowsSideBySide, V>(a, rows - r, b, b_step, depth, c + r * c_step, c_step,
                                                        how, factor);
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
  int vectors;   // of lanes, at most tile_vectors
  meet how = meet::overwrite;
  const T* factor = nullptr;  // one for each lane, for meet::rescale
};

template <class Terms>
struct product_kernel {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const product_problem<T>& p) {
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
    using V = native_vec<Isa, T>;
    for (index d = 0; d < p.depth; d += depth_block) {
      const broadcast_matrix<T> a{p.a.data + d * p.a.depth_step, p.a.row_step, p.a.depth_step};
      const index depth = p.depth - d < depth_block ? p.depth - d : depth_block;
      const meet how = d == 0 ? p.how : meet::add;
      if (a.row_step == 1)
        multiply_rows<Terms, tile_rows, Vectors, true, V>(a, p.rows, p.b + d * p.b_step, p.b_step, depth, p.c,
                                                          p.c_step, how, p.factor);
      else
        multiply_rows<Terms, tile_rows, Vectors, false, V>(a, p.rows, p.b + d * p.b_step, p.b_step, depth,
                                                           p.c, p.c_step, how, p.factor);
    }
  }
};

/// C meets A · B, in the same order of sums on every machine. A call of its own: compiled once for each
/// instruction set.
template <class Isa, class Terms = single_terms, class T>
void multiply(const product_problem<T>& p) {
  enter<product_kernel<Terms>>(Isa(), p);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
