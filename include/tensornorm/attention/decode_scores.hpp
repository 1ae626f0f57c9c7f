// Scores of a few queries and a block of keys. Keys lie side by side in lanes, which transposition makes of
// their dims; every sum has the order that the tiles of fused_attention give it.
#pragma once

#include "key_sums.hpp"
#include "tokens_ahead.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

template <class Isa, class P, class Ahead = tokens_ahead>
struct decode_scores {
  using T = typename P::compute;
  using S = typename P::data_type;
  using V = native_vec<Isa, T>;
  using terms = terms_of<Isa, P>;

  const P& p;
  const decode_memory<P>& memory;
  Ahead& ahead;

  /// Scores of keys [first, count), at most a block, whose dims lie side by side: one block for each row of
  /// queries. `first` is a multiple of all lanes.
  TENSORNORM_INLINE void of(const head_view<const S>& k, index rows, index first, index count) const {
    const typename terms::arithmetic products;
    for (index row = 0; row < padded_rows(rows); row += decode_rows)
      for (index j = first; j < count; j += V::size)
        if constexpr (Ahead::for_one_row)
          score<1>(k, count, row, j);
        else if (rows == 1)
          score<1>(k, count, row, j);
        else
          score<decode_rows>(k, count, row, j);
  }

 private:
  static constexpr index in_packet = 16 / static_cast<index>(sizeof(S));
  static constexpr int packets_of_line = 4;

  /// Scores of Rows rows and of `count` keys, at most a vector of them, beginning with key j of the block.
  template <int Rows>
  TENSORNORM_INLINE void score(const head_view<const S>& k, index count, index row, index j) const {
    const S* keys[static_cast<std::size_t>(V::size)];
    for (int n = 0; n < V::size; ++n)
      keys[n] = k.data + (j + (n < count - j ? n : count - j - 1)) * k.token_step;
    const bool asks = ahead.template asks<V::size>(row / decode_rows, j);
    V all[Rows];
    key_sums<terms, S, V, Rows> sum;
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) all[r] = V::splat(0);
    constexpr index depth = terms::depth * terms::in_one, line = packets_of_line * in_packet;
    const index dim = p.shape.dim;
    for (index d = 0; d < dim; d += depth) {
      const index last = d + depth < dim ? d + depth : dim;
      sum.clear();
      index e = d;
      for (; e + line <= last; e += line) {
        TENSORNORM_UNROLL
        for (int n = 0; n < packets_of_line; n += 2) {
          if (asks) ahead.template while_packets<V::size>(n);
          add_two_packets(keys, row, e + n * in_packet, sum);
        }
      }
      for (; e + in_packet <= last; e += in_packet) add_packet(keys, row, e, in_packet, sum);
      if (e < last) add_packet(keys, row, e, last - e, sum);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) all[r] = all[r] + sum.total(r);
    }
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) all[r].store(memory.scores + (row + r) * key_block + j);
  }

  /// As many bytes of numbers as L has, whatever they are.
  template <class L>
  static TENSORNORM_INLINE L load_bytes(const S* numbers) {
    L bytes;
    std::memcpy(&bytes, numbers, sizeof(bytes));
    return bytes;
  }
  /// The first `count` of those of a packet, and zeros.
  template <class Packet>
  static TENSORNORM_INLINE Packet load_packet(const S* numbers, index count) {
    if (count == in_packet) return load_bytes<Packet>(numbers);
    S part[static_cast<std::size_t>(in_packet)] = {};
    for (index n = 0; n < count; ++n) part[n] = numbers[n];
    return load_bytes<Packet>(part);
  }

  /// Adds the products of `count` dims, at most a packet, which begin at e: a packet of each key is read, and
  /// transposition brings together what is of the same dims.
  template <class Sums>
  TENSORNORM_INLINE void add_packet(const S* const* keys, index row, index e, index count, Sums& sum) const {
    using L = typename Sums::keys;
    using packet = kernel::packet<Isa, typename L::scalar>;
    constexpr int side = Sums::pairs_of_packet, parts = L::size / packet::size;
    L turned[side][Sums::registers];
    TENSORNORM_UNROLL
    for (int number = 0; number < Sums::registers; ++number) {
      L rows[static_cast<std::size_t>(side)];
      TENSORNORM_UNROLL
      for (int i = 0; i < side; ++i) {
        packet part[static_cast<std::size_t>(parts)];
        TENSORNORM_UNROLL
        for (int n = 0; n < parts; ++n)
          part[n] = load_packet<packet>(keys[(number * parts + n) * side + i] + e, count);
        rows[i] = join_packets<L>(part);
      }
      transpose(rows);
      TENSORNORM_UNROLL
      for (int i = 0; i < side; ++i) turned[i][number] = rows[i];
    }
    TENSORNORM_UNROLL
    for (int i = 0; i < side; ++i) sum.add(i, turned[i], query_from(row, e));
  }

  /// The same for two packets of dims. Where a register holds two of each of two keys: half of the loads.
  template <class Sums>
  TENSORNORM_INLINE void add_two_packets(const S* const* keys, index row, index e, Sums& sum) const {
    using L = typename Sums::keys;
    using two_packets = vec<Isa, typename L::scalar, 32 / static_cast<int>(sizeof(typename L::scalar))>;
    if constexpr (L::size != 2 * two_packets::size) {
      add_packet(keys, row, e, in_packet, sum);
      add_packet(keys, row, e + in_packet, in_packet, sum);
    } else {
      constexpr int side = Sums::pairs_of_packet, block = two_packets::size / 2;
      L turned[2 * side][Sums::registers];
      TENSORNORM_UNROLL
      for (int number = 0; number < Sums::registers; ++number) {
        L half[2][static_cast<std::size_t>(side)];
        TENSORNORM_UNROLL
        for (int h = 0; h < 2; ++h) {
          TENSORNORM_UNROLL
          for (int i = 0; i < side; ++i) {
            const S* const* const key = keys + (4 * number + 2 * h) * side + i;
            half[h][i] = join(load_bytes<two_packets>(key[0] + e), load_bytes<two_packets>(key[side] + e));
          }
          transpose(half[h]);
        }
        TENSORNORM_UNROLL
        for (int i = 0; i < side; ++i) {
          turned[i][number] = every_second<block, 0>(half[0][i], half[1][i]);
          turned[side + i][number] = every_second<block, 1>(half[0][i], half[1][i]);
        }
      }
      TENSORNORM_UNROLL
      for (int i = 0; i < 2 * side; ++i) sum.add(i, turned[i], query_from(row, e));
    }
  }

  /// What dims from e on of the queries from `row` on are packed to.
  TENSORNORM_INLINE auto query_from(index row, index e) const {
    return [=, this](int r) TENSORNORM_INLINE_LAMBDA {
      return memory.queries + (row + r) * padded_dim(p.shape.dim) + e / terms::in_one;
    };
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
