// What decoding reads next, asked for while it works. Every instruction spent on it counts, although memory
// is waited for: what is asked for later arrives later. So places in memory are worked out by additions only,
// and machines differ in nothing but the numbers that are added.
#pragma once

#include "lines_ahead.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

enum class asking {
  in_order,      // as it lies in memory
  again,         // the same, each line four times
  side_by_side,  // in several places of the next block
  late           // as it lies in memory, shortly before it is read
};

/// How to ask for keys and values of so many bytes in all. between_heads: the next block to be worked on is
/// that of another head.
///
/// Measured: Zen 4 forgets requests while it is busy with others, and what it forgot is waited for. Asked
/// four times, it decodes a third to a half faster from memory (one query, 4096 keys, 32 heads of 128),
/// up to a third slower from the cache. Keys and values are those of one layer: more than this of them, and
/// those of a model will not stay in the cache until the next token.
inline asking how_to_ask(index bytes, bool between_heads) {
  constexpr index most_in_cache = index{4} << 20;
  if (between_heads) return asking::late;
  if (reads_streams_side_by_side()) return asking::side_by_side;
  return forgets_requests() && bytes > most_in_cache ? asking::again : asking::in_order;
}

/// Where a block of keys and their values are worked on: what to ask for meanwhile.
class tokens_ahead {
 public:
  static constexpr bool for_one_row = false;

  /// The block begins at k and v, whose tokens have `dim` and `value_dim` numbers, and is read for each of so
  /// many groups of queries.
  template <class S>
  TENSORNORM_INLINE tokens_ahead(asking how, const head_view<const S>& k, index dim,
                                 const head_view<const S>& v, index value_dim, index groups)
      : tokens_ahead(how == asking::side_by_side ? next_block(k, dim, v, value_dim, groups)
                     : how == asking::again      ? next_tokens_again(k, dim, v, value_dim)
                     : how == asking::late       ? next_tokens(k, 12, dim, v, 12, value_dim)
                                                 : next_tokens(k, key_block, dim, v, 16, value_dim)) {}

  /// The same for one group of queries. What is asked for is spread over all of the work, which costs `cost`
  /// and tells while_working() of its parts.
  template <class S>
  static TENSORNORM_INLINE tokens_ahead by_cost(asking how, const head_view<const S>& k, index dim,
                                                const head_view<const S>& v, index value_dim, index cost) {
    tokens_ahead ahead(how, k, dim, v, value_dim, 1);
    if (!ahead.evenly_) return ahead;
    ahead.cost_ = cost;
    ahead.lines_of_block_ = key_block * (lines_ahead::lines_of<S>(dim) + lines_ahead::lines_of<S>(value_dim));
    return ahead;
  }

  /// Whether to ask while a group reads `Keys` keys, which begin with key j of the block.
  template <int Keys>
  TENSORNORM_INLINE bool asks(index group, index j) const {
    constexpr int at_a_time = int{lines_ahead::at_a_time};
    if (Keys < at_a_time && j % at_a_time != 0) return false;
    return j / (Keys < at_a_time ? at_a_time : Keys) % groups_ == group;
  }
  /// Packets number `packet` and `packet` + 1 of a line of each of them are read.
  template <int Keys>
  TENSORNORM_INLINE void while_packets(int packet) {
    while_keys<Keys>(packet);
    while_keys<Keys>(packet + 1);
  }
  /// A line of each of them is read, in so many steps of which this is number `step`, and no fewer than four.
  template <int Keys>
  TENSORNORM_INLINE void while_keys(int step) {
    constexpr int at_a_time = int{lines_ahead::at_a_time};
    constexpr int pairs_of_step = Keys > at_a_time ? Keys / at_a_time : 1;
    if (step >= lines_ahead::pairs) return;
    TENSORNORM_UNROLL
    for (int n = 0; n < pairs_of_step; ++n) keys_.ask((step * pairs_of_step + n) % lines_ahead::pairs);
  }
  /// A group reads so many bytes of the value of a token, beginning with dim d.
  template <index Bytes>
  TENSORNORM_INLINE void while_value(index group, index d) {
    if (evenly_)
      values_.ask_for(lines_of_value_ * Bytes, bytes_of_value_ * groups_);
    else if (group + d == 0)
      values_.ask_for(lines_of_value_, 1);
  }

  /// Work of this cost is about to be done. False where the cost is not what counts.
  TENSORNORM_INLINE bool while_working(index cost) {
    if (cost_ == 0) return false;
    const index of_group = lines_ahead::at_a_time * cost_;
    for (due_ += cost * lines_of_block_; due_ >= of_group; due_ -= of_group) {
      lines_ahead& half = 2 * asked_ < lines_of_block_ ? keys_ : values_;
      asked_ += lines_ahead::at_a_time;
      TENSORNORM_UNROLL
      for (int number = 0; number < lines_ahead::pairs; ++number) half.ask(number);
    }
    return true;
  }

 private:
  struct of_values {
    index lines;  // of a token
    index bytes;

    template <class S>
    static of_values of(index dim) {
      return {lines_ahead::lines_of<S>(dim), dim * index{sizeof(S)}};
    }
  };

  /// evenly: while all of the block is read, for each of the groups. Else as it is read for the first time.
  TENSORNORM_INLINE tokens_ahead(const lines_ahead& keys, const lines_ahead& values, const of_values& of,
                                 index groups, bool evenly)
      : keys_(keys),
        values_(values),
        lines_of_value_(of.lines),
        bytes_of_value_(of.bytes),
        groups_(groups),
        evenly_(evenly) {}

  /// All of the next block of keys and its values, half of each while keys are read.
  template <class S>
  static TENSORNORM_INLINE tokens_ahead next_block(const head_view<const S>& k, index dim,
                                                   const head_view<const S>& v, index value_dim,
                                                   index groups) {
    return {lines_ahead::of_parts(k, dim, v, value_dim, 0),
            lines_ahead::of_parts(k, dim, v, value_dim, key_block / 8), of_values::of<S>(value_dim), groups,
            true};
  }
  /// In the order of memory, so many tokens ahead. Of the next block only the first tokens are asked for
  /// where those are few: they keep while other heads are worked on.
  template <class S>
  static TENSORNORM_INLINE tokens_ahead next_tokens(const head_view<const S>& k, index keys_ahead, index dim,
                                                    const head_view<const S>& v, index values_ahead,
                                                    index value_dim) {
    return {lines_ahead::in_order(k, keys_ahead, dim), lines_ahead::in_order(v, values_ahead, value_dim),
            of_values::of<S>(value_dim), 1, false};
  }
  template <class S>
  static TENSORNORM_INLINE tokens_ahead next_tokens_again(const head_view<const S>& k, index dim,
                                                          const head_view<const S>& v, index value_dim) {
    return {lines_ahead::in_order_again(k, dim), lines_ahead::in_order_again(v, value_dim),
            of_values::of<S>(value_dim), 1, false};
  }

  lines_ahead keys_;
  lines_ahead values_;
  index lines_of_value_;
  index bytes_of_value_;
  index groups_;
  bool evenly_;
  index cost_ = 0;
  index lines_of_block_ = 0;
  index asked_ = 0;
  index due_ = 0;
};

/// The same for one row of queries, where line follows line in memory, each asked for several times: a branch
/// or a sum more for a line would be heard in the speed. Keys and values are asked for side by side,
/// whichever of them is read: memory is the faster for it.
class tokens_again {
 public:
  static constexpr bool for_one_row = true;

  template <class S>
  TENSORNORM_INLINE tokens_again(const head_view<const S>& k, const head_view<const S>& v)
      : keys_(reinterpret_cast<const char*>(k.data) + key_block / 2 * k.token_step * index{sizeof(S)}),
        values_(reinterpret_cast<const char*>(v.data)) {}

  template <class S>
  static bool can_read(const head_view<const S>& k, index dim, const head_view<const S>& v, index value_dim) {
    constexpr index in_line = lines_ahead::line / index{sizeof(S)};
    return dim == value_dim && dim % in_line == 0 && k.token_step == dim && v.token_step == dim;
  }

  template <int Keys>
  TENSORNORM_INLINE bool asks(index, index) const {
    return true;
  }
  template <int Keys>
  TENSORNORM_INLINE void while_packets(int) {
    ask<Keys * 32>();
  }
  template <index Bytes>
  TENSORNORM_INLINE void while_value(index, index) {
    ask<Bytes>();
  }

 private:
  /// For what comes so many bytes after what was asked for before: half of it keys, half of it values.
  template <index Bytes>
  TENSORNORM_INLINE void ask() {
    constexpr index each = Bytes / 2;
    TENSORNORM_UNROLL
    for (index at = 0; at < each; at += lines_ahead::line) TENSORNORM_UNROLL
    for (index t = lines_ahead::times; t > 0; --t) {
      prefetch<cache_level::second>(keys_ + at + t * lines_ahead::lines_between * lines_ahead::line);
      prefetch<cache_level::second>(values_ + at + t * lines_ahead::lines_between * lines_ahead::line);
    }
    keys_ += each;
    values_ += each;
  }

  const char* keys_;
  const char* values_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
