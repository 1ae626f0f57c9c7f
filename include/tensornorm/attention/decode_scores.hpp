// Scores of a few queries and a block of keys. Keys lie side by side in lanes, which transposition makes of
// their dims; every sum has the order that the tiles of fused_attention give it.
#pragma once

#include "decode_memory.hpp"
#include "tokens_ahead.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Σ of the products of Rows queries and of a vector of keys, key after key in the lanes of L: of the even
/// and of the odd terms in two chains.
template <class Terms, class S, class L, int Rows>
struct sums_of_keys {
  using type = L;
  L sum[chains][Rows];

  TENSORNORM_INLINE void clear() {
    TENSORNORM_UNROLL
    for (int n = 0; n < chains; ++n) TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) sum[n][r] = L::splat(0);
  }
  /// Lane `i` of a packet of each key. query(r) is what a packet of query r is multiplied with.
  template <class Query>
  TENSORNORM_INLINE void add(int i, const L& keys, const Query& query) {
    if constexpr (sizeof(S) == 2 && Terms::in_one == 1) {
      L numbers[chains];
      separate_halves<S>(keys, numbers[0], numbers[1]);
      TENSORNORM_UNROLL
      for (int n = 0; n < chains; ++n) TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) Terms::add(sum[n][r], L::splat(query(r)[chains * i + n]), numbers[n]);
    } else {
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) Terms::add(sum[i % chains][r], L::splat(query(r)[i]), keys);
    }
  }
  TENSORNORM_INLINE type total(int r) const { return sum[0][r] + sum[1][r]; }
  static TENSORNORM_INLINE void store(const type& total, typename L::scalar* scores) { total.store(scores); }
};

/// Two halves lie in each lane of keys. Where the machine widens a register of them at once, both chains are
/// side by side.
template <class Isa, class S>
inline constexpr bool chains_side_by_side = std::is_same_v<S, float16>&& Isa::has_f16c;

template <class Terms, class S, class L, int Rows>
requires chains_side_by_side<typename L::isa, S>
struct sums_of_keys<Terms, S, L, Rows> {
  using T = typename L::scalar;
  using type = vec<typename L::isa, T, 2 * L::size>;
  type sum[Rows];

  TENSORNORM_INLINE void clear() {
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) sum[r] = type::splat(0);
  }
  template <class Query>
  TENSORNORM_INLINE void add(int i, const L& keys, const Query& query) {
    const type numbers = widen_halves<type, S>(keys);
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) Terms::add(sum[r], repeat_pair<type>(query(r) + chains * i), numbers);
  }
  /// Each twice, side by side.
  TENSORNORM_INLINE type total(int r) const { return sum[r] + swap_neighbours(sum[r]); }
  static TENSORNORM_INLINE void store(const type& total, T* scores) {
    T twice[static_cast<std::size_t>(type::size)];
    total.store(twice);
    TENSORNORM_UNROLL
    for (int n = 0; n < L::size; ++n) scores[n] = twice[2 * n];
  }
};

template <class Isa, class P, class Ahead = tokens_ahead>
struct decode_scores {
  using T = typename P::compute;
  using S = typename P::data_type;
  using V = native_vec<Isa, T>;
  using terms = terms_of<Isa, P>;
  using packet = kernel::packet<Isa, T>;

  const P& p;
  const decode_memory<P>& memory;
  Ahead& ahead;

  /// Scores of keys [first, count), at most a block, whose dims lie side by side: one block for each row of
  /// queries. `first` is a multiple of all lanes.
  TENSORNORM_INLINE void of(const head_view<const S>& k, index rows, index first, index count) const {
    const typename terms::arithmetic products;
    for (index row = 0; row < padded_rows(rows); row += decode_rows)
      for (index j = first; j < count; j += lanes::size)
        if constexpr (Ahead::for_one_row)
          score<1>(k, count, row, j);
        else if (rows == 1)
          score<1>(k, count, row, j);
        else
          score<decode_rows>(k, count, row, j);
  }

 private:
  /// Of keys: a register of them, or of what they are widened to.
  using lanes = std::conditional_t<chains_side_by_side<Isa, S>, vec<Isa, T, V::size / 2>, V>;

  static constexpr index in_packet = 16 / static_cast<index>(sizeof(S));
  static constexpr int packets_of_line = 4;
  /// Whether a register holds two packets of each of two keys.
  static constexpr bool takes_two_packets = lanes::size == 4 * packet::size;

  /// Scores of Rows rows and of `count` keys, at most a vector of them, beginning with key j of the block.
  template <int Rows>
  TENSORNORM_INLINE void score(const head_view<const S>& k, index count, index row, index j) const {
    const S* keys[static_cast<std::size_t>(lanes::size)];
    for (int n = 0; n < lanes::size; ++n)
      keys[n] = k.data + (j + (n < count - j ? n : count - j - 1)) * k.token_step;
    const bool asks = ahead.template asks<lanes::size>(row / decode_rows, j);
    using sums = sums_of_keys<terms, S, lanes, Rows>;
    typename sums::type all[Rows];
    sums sum;
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) all[r] = sums::type::splat(0);
    const auto add_packet = [&](index e) TENSORNORM_INLINE_LAMBDA {
      add_dims_of_keys(
          row, e, [&](int n) TENSORNORM_INLINE_LAMBDA { return load_bytes<packet>(keys[n] + e); }, sum);
    };
    const auto add_two_packets = [&](index e) TENSORNORM_INLINE_LAMBDA {
      if constexpr (takes_two_packets) {
        add_twice_the_dims(keys, row, e, sum);
      } else {
        add_packet(e);
        add_packet(e + in_packet);
      }
    };
    constexpr index depth = terms::depth * terms::in_one, line = packets_of_line * in_packet;
    const index dim = p.shape.dim;
    for (index d = 0; d < dim; d += depth) {
      const index last = d + depth < dim ? d + depth : dim;
      sum.clear();
      index e = d;
      for (; e + line <= last; e += line) {
        TENSORNORM_UNROLL
        for (int n = 0; n < packets_of_line; n += 2) {
          if (asks) {
            ahead.template while_keys<lanes::size>(n);
            ahead.template while_keys<lanes::size>(n + 1);
          }
          add_two_packets(e + n * in_packet);
        }
      }
      for (; e + in_packet <= last; e += in_packet) add_packet(e);
      if (e < last)
        add_dims_of_keys(
            row, e, [&](int n) TENSORNORM_INLINE_LAMBDA { return load_part(keys[n] + e, last - e); }, sum);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) all[r] = all[r] + sum.total(r);
    }
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) sums::store(all[r], memory.scores + (row + r) * key_block + j);
  }

  /// As many bytes of numbers as L has, whatever they are.
  template <class L>
  static TENSORNORM_INLINE L load_bytes(const S* numbers) {
    if constexpr (std::is_same_v<S, T>) {
      return L::load(numbers);
    } else {
      L bytes;
      std::memcpy(&bytes, numbers, sizeof(bytes));
      return bytes;
    }
  }
  /// The first `count` of them, and zeros.
  static TENSORNORM_INLINE packet load_part(const S* numbers, index count) {
    if constexpr (std::is_same_v<S, T>) {
      return load_first<packet>(numbers, static_cast<int>(count));
    } else {
      S part[static_cast<std::size_t>(in_packet)] = {};
      for (index n = 0; n < count; ++n) part[n] = numbers[n];
      return load_bytes<packet>(part);
    }
  }

  /// Adds the products of a packet of dims, which begin at e, to the sums of a vector of keys: load(n) reads
  /// those of key n, and transposition makes lanes of keys of them.
  template <class Load, class Sums>
  TENSORNORM_INLINE void add_dims_of_keys(index row, index e, const Load& load, Sums& sum) const {
    constexpr int parts = lanes::size / packet::size;
    lanes turned[static_cast<std::size_t>(packet::size)];
    TENSORNORM_UNROLL
    for (int i = 0; i < packet::size; ++i) {
      packet part[static_cast<std::size_t>(parts)];
      TENSORNORM_UNROLL
      for (int n = 0; n < parts; ++n) part[n] = load(n * packet::size + i);
      turned[i] = join_packets<lanes>(part);
    }
    transpose(turned);
    TENSORNORM_UNROLL
    for (int i = 0; i < packet::size; ++i) sum.add(i, turned[i], query_from(row, e));
  }

  /// The same for two packets of dims: a fifth fewer instructions, half of the loads.
  template <class Sums>
  TENSORNORM_INLINE void add_twice_the_dims(const S* const* keys, index row, index e, Sums& sum) const {
    constexpr int side = packet::size;
    using two_packets = vec<Isa, T, 2 * side>;
    lanes half[2][static_cast<std::size_t>(side)];
    TENSORNORM_UNROLL
    for (int h = 0; h < 2; ++h) {
      TENSORNORM_UNROLL
      for (int i = 0; i < side; ++i) {
        const S* const* const key = keys + 2 * side * h + i;
        half[h][i] = join(load_bytes<two_packets>(key[0] + e), load_bytes<two_packets>(key[side] + e));
      }
      transpose(half[h]);
    }
    TENSORNORM_UNROLL
    for (int i = 0; i < side; ++i)
      sum.add(i, every_second_block<0>(half[0][i], half[1][i]), query_from(row, e));
    TENSORNORM_UNROLL
    for (int i = 0; i < side; ++i)
      sum.add(side + i, every_second_block<1>(half[0][i], half[1][i]), query_from(row, e));
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
