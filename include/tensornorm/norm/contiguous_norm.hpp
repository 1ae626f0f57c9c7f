// The kernel for contiguous rows.
#pragma once

#include "contiguous.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The parts that the kernels for contiguous rows share.
template <class Formula, class Isa>
struct contiguous_rows {
  template <int R, bool Rescaled, class P>
  static TENSORNORM_INLINE auto scan(const P& p, index row) {
    using T = typename P::data_type;
    contiguous_scan<Isa, T, R, Rescaled> s{{}, vec<Isa, compute_t<T>, R>::splat(1), 0, {}};
    TENSORNORM_UNROLL
    for (int r = 0; r < R; ++r) s.x[r] = p.x + offset(p.rows, p.x_strides, row + r);
    return s;
  }

  /// Saves the constants of the rows from `row` on, and writes them.
  template <class Scan, class P, class Constants>
  static TENSORNORM_INLINE void write(const Scan& s, const P& p, index row, const Constants& constants,
                                      bool past_cache) {
    constexpr int R = Scan::rows::size;
    contiguous_writer<Formula, Scan, typename P::data_type> writer{s, past_cache, {}, constants};
    TENSORNORM_UNROLL
    for (int r = 0; r < R; ++r) {
      writer.y[r] = p.y + offset(p.rows, p.y_strides, row + r);
      save(p, row + r, constants, s.scale, r);
    }
    with_affine<Formula>(p, [&](const auto& affine) TENSORNORM_INLINE_LAMBDA {
      const index first = p.parameters.per_block ? row / p.rows.inner % p.parameters.groups * p.rows.blocks : 0;
      if (!Formula::has_bias || !p.parameters.per_block || p.rows.run == 1)
        writer.write(affine.from(first), 0, p.rows.size());
      else if constexpr (Formula::has_bias && R == 1)
        for (index block = 0; block < p.rows.blocks; ++block)
          writer.write_shared(affine, block * p.rows.run, (block + 1) * p.rows.run, first + block);
    });
  }

 private:
  static TENSORNORM_INLINE index offset(const rows_shape& rows, const rows_strides& strides, index row) {
    const index outer = rows.inner == 1 ? row : row / rows.inner;
    return outer * strides.outer + (row - outer * rows.inner) * strides.inner;
  }
};

/// Normalizes `count` rows from `row` on at the scale that each needs.
template <class Formula>
struct contiguous_norm_rescaled {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& count) {
    using rows = contiguous_rows<Formula, Isa>;
    for (index row = first; row < first + count; ++row) {
      auto scan = rows::template scan<1, true>(p, row);
      auto constants = constants_of<Formula>(scan, p);
      for (const auto scale = scales_of(scan, constants.variance, p); scan.scale[0] != scale[0];) {
        scan.scale = scale;
        constants = constants_of<Formula>(scan, p);
      }
      rows::write(scan, p, row, constants, false);
    }
  }
};

/// Normalizes rows [first, last) of a problem whose rows are contiguous.
template <class Formula>
struct contiguous_norm {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last) {
    constexpr int together = Isa::bytes >= 64 ? 2 : 1;
    const bool past_cache = streams(p);
    index row = first;
    if (together > 1 && !p.parameters.per_block && !past_cache)
      for (; row + together <= last; row += together) rows_from<Isa, together>(p, row, false);
    for (; row < last; ++row) rows_from<Isa, 1>(p, row, past_cache);
    if (past_cache) stream_fence();
  }

 private:
  /// A result larger than the last-level cache goes past it, unless it takes the place of x.
  template <class P>
  static bool streams(const P& p) {
    return has_stream && p.x != p.y &&
           static_cast<std::size_t>(p.rows.rows() * p.rows.size()) * sizeof(*p.y) > last_level_cache_bytes();
  }

  template <class Isa, int R, class P>
  static TENSORNORM_INLINE void rows_from(const P& p, index row, bool past_cache) {
    using compute = typename P::compute;
    using rows = contiguous_rows<Formula, Isa>;
    auto scan = rows::template scan<R, false>(p, row);
    if (past_cache) {
      scan.ahead.next = reinterpret_cast<const char*>(scan.x[0] + p.rows.size());
      scan.lines_per_block = static_cast<int>(sizeof(*p.x)) / 2;
    }
    const auto constants = constants_of<Formula>(scan, p);
    if (any_outside(constants.variance, safe_variance<compute>::low, safe_variance<compute>::high))
      return enter<contiguous_norm_rescaled<Formula>>(typename Isa::cold(), p, row, index{R});
    rows::write(scan, p, row, constants, past_cache);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
