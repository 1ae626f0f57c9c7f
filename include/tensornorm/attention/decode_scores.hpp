// Scores of a few queries and a block of keys. Keys lie side by side in lanes, which transposition makes of
// their dims; every sum has the order that the tiles of fused_attention give it.
#pragma once

#include "decode_memory.hpp"
#include "tokens_ahead.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

template <class Isa, class P>
struct decode_scores {
  using T = typename P::compute;
  using V = native_vec<Isa, T>;
  using terms = terms_of<Isa, P>;
  using few = vec<Isa, T, (V::size / 2 > packet<Isa, T>::size ? V::size / 2 : packet<Isa, T>::size)>;

  const P& p;
  const decode_memory<P>& memory;
  tokens_ahead& ahead;

  /// Scores of `count` keys, at most a block, whose dims lie side by side: one block for each row of queries.
  TENSORNORM_INLINE void of(const head_view<const T>& k, index rows, index count) const {
    const typename terms::arithmetic products;
    for (index row = 0; row < padded_rows(rows); row += decode_rows)
      if (rows == 1)
        for (index j = 0; j < count; j += few::size) score<1, few>(k, count, row, j);
      else
        for (index j = 0; j < count; j += V::size) score<decode_rows, V>(k, count, row, j);
  }

 private:
  static constexpr index numbers_of_line = 64 / static_cast<index>(sizeof(T)) *
                                           static_cast<index>(sizeof(T) / sizeof(typename P::data_type)) /
                                           terms::in_one;

  static constexpr int steps_of_line = static_cast<int>(numbers_of_line) / packet<Isa, T>::size;

  /// Of a key and of a query.
  index numbers() const { return ceil_div(p.shape.dim, terms::in_one); }

  /// Scores of Rows rows and of `count` keys, at most a vector of them, beginning with key j of the block.
  template <int Rows, class L>
  TENSORNORM_INLINE void score(const head_view<const T>& k, index count, index row, index j) const {
    using packet = kernel::packet<Isa, T>;
    const T* keys[static_cast<std::size_t>(L::size)];
    for (int n = 0; n < L::size; ++n)
      keys[n] = k.data + (j + (n < count - j ? n : count - j - 1)) * k.token_step;
    L all[Rows];
    L sum[chains][Rows];
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) all[r] = L::splat(0);
    const auto add_packet = [&](index e) TENSORNORM_INLINE_LAMBDA {
      add_dims_of_keys<Rows>(
          row, e, [&](int n) TENSORNORM_INLINE_LAMBDA { return packet::load(keys[n] + e); }, sum);
    };
    for (index d = 0; d < numbers(); d += terms::depth) {
      const index last = d + terms::depth < numbers() ? d + terms::depth : numbers();
      TENSORNORM_UNROLL
      for (int n = 0; n < chains; ++n) TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) sum[n][r] = L::splat(0);
      index e = d;
      for (; e + numbers_of_line <= last; e += numbers_of_line) {
        TENSORNORM_UNROLL
        for (int step = 0; step < steps_of_line; ++step) {
          if (row == 0) ahead.while_keys<L::size>(j, step);
          add_packet(e + step * packet::size);
        }
      }
      for (; e + packet::size <= last; e += packet::size) add_packet(e);
      if (e < last)
        add_dims_of_keys<Rows>(
            row, e,
            [&](int n) TENSORNORM_INLINE_LAMBDA {
              return load_first<packet>(keys[n] + e, static_cast<int>(last - e));
            },
            sum);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) all[r] = all[r] + (sum[0][r] + sum[1][r]);
    }
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) all[r].store(memory.scores + (row + r) * key_block + j);
  }

  /// Adds the products of a packet of dims, which begin at e, to the sums of a vector of keys: load(n) reads
  /// those of key n, and transposition makes lanes of keys of them.
  template <int Rows, class L, class Load>
  TENSORNORM_INLINE void add_dims_of_keys(index row, index e, const Load& load,
                                          L (&sum)[chains][Rows]) const {
    using packet = kernel::packet<Isa, T>;
    constexpr int parts = L::size / packet::size;
    L lanes[static_cast<std::size_t>(packet::size)];
    TENSORNORM_UNROLL
    for (int i = 0; i < packet::size; ++i) {
      packet part[static_cast<std::size_t>(parts)];
      TENSORNORM_UNROLL
      for (int n = 0; n < parts; ++n) part[n] = load(n * packet::size + i);
      lanes[i] = join_packets<L>(part);
    }
    transpose(lanes);
    TENSORNORM_UNROLL
    for (int i = 0; i < packet::size; ++i) TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r)
      terms::add(sum[i % chains][r], L::splat(memory.queries[(row + r) * padded_dim(p.shape.dim) + e + i]),
                 lanes[i]);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
