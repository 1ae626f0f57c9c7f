// What decoding reads next, asked for while it works. Every instruction spent on it counts, although memory
// is waited for: what is asked for later arrives later. So places in memory are worked out by additions only,
// and machines differ in nothing but the numbers that are added.
#pragma once

#include <limits>

#include "../simd/isa.hpp"
#include "../simd/memory.hpp"
#include "../view/heads.hpp"
#include "score_tile.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Lines of tokens, asked for eight at a time: four of each of two series.
class lines_ahead {
 public:
  static constexpr index at_a_time = 8;
  static constexpr int pairs = 4;

  /// Of the tokens of x that begin `tokens` behind its first, of `dim` numbers each, in the order of memory.
  /// Of every eighth group also one line `far` tokens ahead, if that is not 0.
  template <class S>
  static TENSORNORM_INLINE lines_ahead in_order(const head_view<const S>& x, index tokens, index dim,
                                                index far) {
    const char* const at = first(x, tokens);
    const index step = bytes<S>(x.token_step);
    const index lines = lines_of<S>(dim);
    if (step == lines * line)
      return two_series(at, {line, pairs * line}, {at_a_time * line, endless, 0}, far * step);
    // Several short tokens at a time, or a part of a long one.
    if (lines == 1) return two_series(at, {step, pairs * step}, {0, 1, at_a_time * step}, far * step);
    if (lines == 2) return two_series(at, {step, line}, {0, 1, pairs * step}, far * step);
    if (lines <= pairs) return two_series(at, {line, step}, {0, 1, 2 * step}, far * step);
    const index groups = ceil_div(lines, at_a_time);
    return two_series(at, {line, pairs * line}, {at_a_time * line, groups, step - groups * at_a_time * line},
                      far * step);
  }

  /// Of the next block of keys and of its values: of each quarter, or where that is longer than a page of
  /// memory of each eighth, the same line. Begins with that of token `token` of a quarter.
  template <class S>
  static TENSORNORM_INLINE lines_ahead of_parts(const head_view<const S>& k, index dim,
                                                const head_view<const S>& v, index value_dim, index token) {
    const index lines = larger_of(lines_of<S>(dim), lines_of<S>(value_dim));
    const bool eighths = key_block / pairs * lines * line > page;
    const index part = key_block / (eighths ? 2 * pairs : pairs);
    if (eighths) token /= 2;
    const index k_step = bytes<S>(k.token_step);
    const index v_step = bytes<S>(v.token_step);
    lines_ahead ahead{{first(k, key_block + token), part * k_step, k_step - lines * line},
                      {first(v, key_block + token), part * v_step, v_step - lines * line},
                      line,
                      lines,
                      0};
    ahead.in_two_turns_ = eighths;
    return ahead;
  }

  template <class S>
  static constexpr index lines_of(index numbers) {
    return ceil_div(bytes<S>(numbers), line);
  }

  /// A line of each series. Number 0, 1, 2 and 3 in turn.
  TENSORNORM_INLINE void ask(int number) {
    prefetch<cache_level::second>(a_.next + number * a_.place);
    prefetch<cache_level::second>(b_.next + number * b_.place);
    if (number + 1 < pairs) return;
    if (far_ != 0 && asked_++ % 8 == 0) prefetch<cache_level::second>(a_.next + far_);
    if (in_two_turns_) {
      a_.next += second_turn_ ? -pairs * a_.place : pairs * a_.place;
      b_.next += second_turn_ ? -pairs * b_.place : pairs * b_.place;
      second_turn_ = !second_turn_;
      if (second_turn_) return;
    }
    a_.next += group_step_;
    b_.next += group_step_;
    if (++group_ < groups_) return;
    group_ = 0;
    a_.next += a_.wrap;
    b_.next += b_.wrap;
  }

  /// `count` lines, each `parts` times; fewer than a group wait for the next call.
  TENSORNORM_INLINE void ask_for(index count, index parts) {
    for (due_ += count; due_ >= at_a_time * parts; due_ -= at_a_time * parts) {
      TENSORNORM_UNROLL
      for (int number = 0; number < pairs; ++number) ask(number);
    }
  }

 private:
  static constexpr index line = 64;
  static constexpr index page = 4096;
  static constexpr index endless = std::numeric_limits<index>::max();

  struct series {
    const char* next;
    index place;  // bytes from one of its four lines to the next
    index wrap;   // bytes to go when the groups of a token are all asked for
  };
  struct places {
    index between_lines;
    index between_series;
  };
  struct steps {
    index group;
    index groups;  // of a token
    index wrap;
  };

  TENSORNORM_INLINE lines_ahead(const series& a, const series& b, index group_step, index groups, index far)
      : a_(a), b_(b), group_step_(group_step), groups_(groups), far_(far) {}

  static TENSORNORM_INLINE lines_ahead two_series(const char* at, const places& place, const steps& next,
                                                  index far) {
    return {{at, place.between_lines, next.wrap},
            {at + place.between_series, place.between_lines, next.wrap},
            next.group,
            next.groups,
            far};
  }

  template <class S>
  static constexpr index bytes(index numbers) {
    return numbers * static_cast<index>(sizeof(S));
  }
  template <class S>
  static TENSORNORM_INLINE const char* first(const head_view<const S>& x, index token) {
    return reinterpret_cast<const char*>(x.data + token * x.token_step);
  }
  static constexpr index larger_of(index a, index b) { return a > b ? a : b; }

  series a_;
  series b_;
  index group_step_;
  index groups_;
  index far_;
  index group_ = 0;
  index asked_ = 0;
  index due_ = 0;
  bool in_two_turns_ = false;  // the parts from number `pairs` on have a turn of their own
  bool second_turn_ = false;
};

/// Where a block of keys and their values are worked on: what to ask for meanwhile.
class tokens_ahead {
 public:
  /// The block begins at k and v, whose tokens have `dim` and `value_dim` numbers, and is read for each of so
  /// many groups of queries. between_heads: the next block to be worked on is that of another head.
  template <class S>
  TENSORNORM_INLINE tokens_ahead(const head_view<const S>& k, index dim, const head_view<const S>& v,
                                 index value_dim, index groups, bool between_heads)
      : tokens_ahead(between_heads                  ? few_tokens(k, dim, v, value_dim)
                     : reads_streams_side_by_side() ? next_block(k, dim, v, value_dim, groups)
                                                    : next_tokens(k, dim, v, value_dim)) {}

  /// The same for one group of queries. What is asked for is spread over all of the work, which costs `cost`
  /// and tells while_working() of its parts.
  template <class S>
  static TENSORNORM_INLINE tokens_ahead by_cost(const head_view<const S>& k, index dim,
                                                const head_view<const S>& v, index value_dim,
                                                bool between_heads, index cost) {
    tokens_ahead ahead(k, dim, v, value_dim, 1, between_heads);
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
  /// A line of each of them is read, in so many steps of which this is number `step`, and no fewer than four.
  template <int Keys>
  TENSORNORM_INLINE void while_keys(int step) {
    constexpr int at_a_time = int{lines_ahead::at_a_time};
    constexpr int pairs_of_step = Keys > at_a_time ? Keys / at_a_time : 1;
    if (step >= lines_ahead::pairs) return;
    TENSORNORM_UNROLL
    for (int n = 0; n < pairs_of_step; ++n) keys_.ask((step * pairs_of_step + n) % lines_ahead::pairs);
  }
  /// A group reads so many dims of the value of a token, the first of which is d.
  TENSORNORM_INLINE void while_value(index group, index d, index dims) {
    if (evenly_)
      values_.ask_for(lines_of_value_ * dims, value_dim_ * groups_);
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
    index dim;

    template <class S>
    static of_values of(index dim) {
      return {lines_ahead::lines_of<S>(dim), dim};
    }
  };

  /// evenly: while all of the block is read, for each of the groups. Else as it is read for the first time.
  TENSORNORM_INLINE tokens_ahead(const lines_ahead& keys, const lines_ahead& values, const of_values& of,
                                 index groups, bool evenly)
      : keys_(keys),
        values_(values),
        lines_of_value_(of.lines),
        value_dim_(of.dim),
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
  /// In the order of memory, and pages far ahead, since finding a page takes longer than reading it.
  template <class S>
  static TENSORNORM_INLINE tokens_ahead next_tokens(const head_view<const S>& k, index dim,
                                                    const head_view<const S>& v, index value_dim) {
    constexpr index values_ahead = 16;
    constexpr index far = 256;
    return {lines_ahead::in_order(k, key_block, dim, far),
            lines_ahead::in_order(v, values_ahead, value_dim, far), of_values::of<S>(value_dim), 1, false};
  }
  /// In the order of memory, as late as can be: of the next block only the first tokens are asked for, and
  /// keep while those of other heads are read.
  template <class S>
  static TENSORNORM_INLINE tokens_ahead few_tokens(const head_view<const S>& k, index dim,
                                                   const head_view<const S>& v, index value_dim) {
    constexpr index ahead = 12;
    return {lines_ahead::in_order(k, ahead, dim, 0), lines_ahead::in_order(v, ahead, value_dim, 0),
            of_values::of<S>(value_dim), 1, false};
  }

  lines_ahead keys_;
  lines_ahead values_;
  index lines_of_value_;
  index value_dim_;
  index groups_;
  bool evenly_;
  index cost_ = 0;
  index lines_of_block_ = 0;
  index asked_ = 0;
  index due_ = 0;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
