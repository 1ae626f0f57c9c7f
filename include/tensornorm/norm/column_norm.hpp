// The kernel for rows that lie across memory.
#pragma once

#include "column_scan.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Rows to a unit of work.
inline constexpr index column_tile = 64;

/// Normalizes `count` rows from (outer, column) on, at the scale that each needs.
template <class Formula>
struct column_norm_rescaled {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& outer, const index& column, const index& count) {
    using tiles = column_tiles<Formula, Isa>;
    constexpr index width = vec_size<Isa, typename P::compute>;
    for (index done = 0; done < count; done += width) {
      const int lanes = static_cast<int>(count - done < width ? count - done : width);
      auto scan = tiles::template scan<1, true>(p, outer, column + done, lanes);
      rescaled<Formula>(scan, p, [&](const auto& constants) TENSORNORM_INLINE_LAMBDA {
        tiles::write(scan, p, outer, column + done, constants);
      });
    }
  }
};

/// Normalizes units [first, last), tiles of rows side by side.
template <class Formula>
struct column_norm {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last) {
    constexpr index width = vec_size<Isa, typename P::compute>;
    const index tiles = ceil_div(p.rows.inner, column_tile);
    const bool dense = p.x_strides.inner == 1 && p.y_strides.inner == 1;
    for (index unit = first; unit < last; ++unit) {
      const index outer = unit / tiles;
      index column = unit % tiles * column_tile;
      const index end = column + column_tile < p.rows.inner ? column + column_tile : p.rows.inner;
      if (dense)
        for (; column + 4 * width <= end; column += 4 * width) rows_at<Isa, 4>(p, outer, column, 4 * width);
      for (; column < end; column += width)
        rows_at<Isa, 1>(p, outer, column, end - column < width ? end - column : width);
    }
  }

 private:
  template <class Isa, int K, class P>
  static TENSORNORM_INLINE void rows_at(const P& p, index outer, index column, index count) {
    using compute = typename P::compute;
    using tiles = column_tiles<Formula, Isa>;
    auto scan = tiles::template scan<K, false>(p, outer, column, static_cast<int>(count));
    scan.read_ahead = K > 1;
    const auto constants = constants_of<Formula>(scan, p);
    if (any_outside(constants.variance, safe_variance<compute>::low, safe_variance<compute>::high))
      return enter<column_norm_rescaled<Formula>>(typename Isa::cold(), p, outer, column, count);
    tiles::write(scan, p, outer, column, constants);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
