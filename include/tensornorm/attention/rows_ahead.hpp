// What is going to be needed from memory, asked for while matrices are multiplied.
#pragma once

#include "../simd/memory.hpp"
#include "../view/heads.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Rows that something later is going to read or write. A product takes a few of their lines with each of its
/// tiles and asks for one with every step of a tile: memory then has its turn where it is idle, and no tile
/// waits for more than it can hide. Which is asked for when does not matter, and nothing is read.
class rows_ahead {
 public:
  rows_ahead() = default;

  /// `rows` rows of `numbers` numbers; element (row, n) is at first[row * row_step + n * step]. Nothing is
  /// asked for where neither axis lies side by side.
  template <class T>
  static TENSORNORM_INLINE rows_ahead of(const T* first, index row_step, index rows, index step,
                                         index numbers) {
    if (rows <= 0 || numbers <= 0) return {};
    if (step == 1) return {first, row_step, rows, numbers};
    if (row_step == 1) return {first, step, numbers, rows};
    return {};
  }
  template <class T>
  static TENSORNORM_INLINE rows_ahead of(const head_view<T>& x, index first, index tokens, index dim) {
    return of(x.data + first * x.token_step, x.token_step, tokens, x.dim_step, dim);
  }

  /// These, and then the first of `others`.
  TENSORNORM_INLINE rows_ahead then(const rows_ahead& others) const {
    rows_ahead both = *this;
    both.then_ = others.now_;
    return both;
  }
  /// Where there is nothing to come, `idle` is asked for, which is in the cache.
  TENSORNORM_INLINE void idle_at(const void* idle) { idle_ = static_cast<const char*>(idle); }

  /// Addresses, one a step.
  struct series {
    const char* next;
    index step;

    TENSORNORM_INLINE void ask() {
      prefetch<cache_level::second>(next);
      next += step;
    }
  };
  /// The next `count` of them: down the rows, line after line of these. What is more than the rows that are
  /// left is dropped.
  TENSORNORM_INLINE series take(index count) {
    if (line_ >= now_.lines) {
      now_ = then_;
      then_ = {};
      row_ = line_ = 0;
    }
    if (now_.lines == 0) return {idle_, 0};
    const series s{now_.first + line_ * line + row_ * now_.step, now_.step};
    row_ += count;
    if (row_ >= now_.rows) {
      row_ = 0;
      ++line_;
    }
    return s;
  }

 private:
  static constexpr index line = 64;

  struct region {
    const char* first = nullptr;
    index step = 0;  // bytes from one row to the next
    index rows = 0;
    index lines = 0;  // of a row
  };

  template <class T>
  TENSORNORM_INLINE rows_ahead(const T* first, index row_step, index rows, index numbers) {
    const char* const at = reinterpret_cast<const char*>(first);
    const index step = row_step * static_cast<index>(sizeof(T));
    const index lines = ceil_div(numbers * static_cast<index>(sizeof(T)), line);
    // Without gaps between the rows: in the order of memory.
    now_ = step == lines * line ? region{at, line, rows * lines, 1} : region{at, step, rows, lines};
  }

  region now_;
  region then_;
  const char* idle_ = nullptr;
  index row_ = 0;
  index line_ = 0;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
