// Lines of keys or values, asked for while others are worked on.
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
  /// Of lines that are asked for again. (Where the distance is one of whole pages, fewer requests are heard.)
  static constexpr int times = 4;
  static constexpr index lines_between = 72;
  static constexpr index line = 64;

  /// Of the tokens of x that begin `tokens` behind its first, of `dim` numbers each, in the order of memory.
  template <class S>
  static TENSORNORM_INLINE lines_ahead in_order(const head_view<const S>& x, index tokens, index dim) {
    const char* const at = first(x, tokens);
    const index step = bytes<S>(x.token_step);
    const index lines = lines_of<S>(dim);
    if (step == lines * line) return two_series(at, {line, pairs * line}, {at_a_time * line, endless, 0});
    // Several short tokens at a time, or a part of a long one.
    if (lines == 1) return two_series(at, {step, pairs * step}, {0, 1, at_a_time * step});
    if (lines == 2) return two_series(at, {step, line}, {0, 1, pairs * step});
    if (lines <= pairs) return two_series(at, {line, step}, {0, 1, 2 * step});
    const index groups = ceil_div(lines, at_a_time);
    return two_series(at, {line, pairs * line}, {at_a_time * line, groups, step - groups * at_a_time * line});
  }

  /// The same, each line `times` times, the last time about `lines_between` lines before it is read.
  template <class S>
  static TENSORNORM_INLINE lines_ahead in_order_again(const head_view<const S>& x, index dim) {
    const index tokens = tokens_between<S>(dim);
    lines_ahead ahead = in_order(x, times * tokens, dim);
    ahead.again_ = tokens * bytes<S>(x.token_step);
    return ahead;
  }
  /// While the block is read that begins with the first token of x, lines that are asked for again come to
  /// pages of memory whose places have to be looked up, and what asks waits for that. So all of these pages
  /// are asked for together: their places are looked up side by side. (Where each token has a page of its
  /// own, these are too many to gain by it.)
  template <class S>
  static TENSORNORM_INLINE void ask_for_pages(const head_view<const S>& x, index dim) {
    const index step = bytes<S>(x.token_step);
    if (step < 0 || step >= page) return;
    const char* const at = first(x, key_block + times * tokens_between<S>(dim));
    for (index n = 0; n < key_block * step; n += page) prefetch<cache_level::second>(at + n);
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
                      lines};
    ahead.in_two_turns_ = eighths;
    return ahead;
  }

  template <class S>
  static constexpr index lines_of(index numbers) {
    return ceil_div(bytes<S>(numbers), line);
  }

  /// A line of each series. Number 0, 1, 2 and 3 in turn.
  TENSORNORM_INLINE void ask(int number) {
    ask_at(a_.next + number * a_.place);
    ask_at(b_.next + number * b_.place);
    if (number + 1 < pairs) return;
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

  TENSORNORM_INLINE lines_ahead(const series& a, const series& b, index group_step, index groups)
      : a_(a), b_(b), group_step_(group_step), groups_(groups) {}

  static TENSORNORM_INLINE lines_ahead two_series(const char* at, const places& place, const steps& next) {
    return {{at, place.between_lines, next.wrap},
            {at + place.between_series, place.between_lines, next.wrap},
            next.group,
            next.groups};
  }

  template <class S>
  static constexpr index bytes(index numbers) {
    return numbers * static_cast<index>(sizeof(S));
  }
  /// As many as have `lines_between` lines.
  template <class S>
  static constexpr index tokens_between(index dim) {
    return ceil_div(lines_between, lines_of<S>(dim));
  }
  template <class S>
  static TENSORNORM_INLINE const char* first(const head_view<const S>& x, index token) {
    return reinterpret_cast<const char*>(x.data + token * x.token_step);
  }
  static constexpr index larger_of(index a, index b) { return a > b ? a : b; }

  TENSORNORM_INLINE void ask_at(const char* at) const {
    prefetch<cache_level::second>(at);
    if (again_ == 0) return;
    TENSORNORM_UNROLL
    for (int n = 1; n < times; ++n) prefetch<cache_level::second>(at - n * again_);
  }

  series a_;
  series b_;
  index group_step_;
  index groups_;
  index again_ = 0;  // bytes back to what is asked for once more
  index group_ = 0;
  index due_ = 0;
  bool in_two_turns_ = false;  // the parts from number `pairs` on have a turn of their own
  bool second_turn_ = false;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
