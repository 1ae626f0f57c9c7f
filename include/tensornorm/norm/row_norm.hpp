// The kernel for rows whose elements lie side by side.
#pragma once

#include "rescale.hpp"
#include "row_write.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The parts that the kernels for contiguous rows share.
template <class Formula, class Isa>
struct contiguous_rows {
  template <int R, bool Rescaled, class P>
  static TENSORNORM_INLINE auto scan(const P& p, index row) {
    using T = typename P::data_type;
    row_scan<Isa, T, R, Rescaled> s{{}, vec<Isa, compute_t<T>, R>::splat(1), {}, 0};
    TENSORNORM_UNROLL
    for (int r = 0; r < R; ++r) s.x[r] = p.x + offset(p.rows, p.x_strides, row + r);
    return s;
  }

  /// Saves the constants of the rows from `row` on, and writes them.
  template <class Scan, class P, class Constants>
  static TENSORNORM_INLINE void write(const Scan& s, const P& p, index row, const Constants& c, bool past_cache) {
    constexpr int R = Scan::rows::size;
    row_writer<Formula, Scan, typename P::data_type> writer{s, c, {}};
    TENSORNORM_UNROLL
    for (int r = 0; r < R; ++r) {
      writer.y[r] = p.y + offset(p.rows, p.y_strides, row + r);
      save(p, row + r, c, s.scale, r);
    }
    const auto put = [&](index begin, index end, const auto& finish) TENSORNORM_INLINE_LAMBDA {
      if constexpr (R == 1 && !Scan::is_rescaled)
        if (past_cache) return writer.write_past_cache(begin, end, finish);
      writer.write(begin, end, finish);
    };
    with_affine<Formula>(p, [&](const auto& affine) TENSORNORM_INLINE_LAMBDA {
      if (!p.parameters.per_block)
        return put(0, p.rows.size(),
                   [affine](const auto& v, index i) TENSORNORM_INLINE_LAMBDA { return affine(v, i); });
      if constexpr (R == 1 && Formula::has_bias) {
        const index first = row / p.rows.inner % p.parameters.groups * p.rows.blocks;
        for (index block = 0; block < p.rows.blocks; ++block)
          put(block * p.rows.run, (block + 1) * p.rows.run,
              [shared = affine.shared(first + block)](const auto& v, index)
                  TENSORNORM_INLINE_LAMBDA { return shared(v); });
      }
    });
  }

 private:
  static TENSORNORM_INLINE index offset(const rows_shape& rows, const rows_strides& strides, index row) {
    if (rows.inner == 1) return row * strides.outer;
    return row / rows.inner * strides.outer + row % rows.inner * strides.inner;
  }
};

/// Normalizes `count` rows from `row` on at the scale that each needs.
template <class Formula>
struct row_norm_rescaled {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& count) {
    using rows = contiguous_rows<Formula, Isa>;
    for (index row = first; row < first + count; ++row) {
      auto scan = rows::template scan<1, true>(p, row);
      rescaled<Formula>(scan, p, [&](const auto& constants) TENSORNORM_INLINE_LAMBDA {
        rows::write(scan, p, row, constants, false);
      });
    }
  }
};

/// Normalizes rows [first, last) of a problem whose rows are contiguous.
template <class Formula>
struct row_norm {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last) {
    const bool past_cache = streams(p);
    index row = first;
    if (takes_four(p) && !past_cache)
      for (; row + 4 <= last; row += 4) rows_from<Isa, 4>(p, row, false);
    for (; row < last; ++row) rows_from<Isa, 1>(p, row, past_cache);
    if (past_cache) stream_fence();
  }

 private:
  /// A large result goes past the cache, unless it takes the place of x.
  template <class P>
  static bool streams(const P& p) {
    return has_stream && p.x != p.y &&
           static_cast<std::size_t>(p.rows.rows() * p.rows.size()) * sizeof(*p.y) > past_cache_bytes;
  }

  /// Four rows at a time hide the latency of sums, division and root. Not where they would push each
  /// other out of the first-level cache: rows of more than 4 KiB, or 4 KiB apart.
  template <class P>
  static bool takes_four(const P& p) {
    const index bytes = p.rows.size() * static_cast<index>(sizeof(*p.x));
    const index apart = p.x_strides.outer * static_cast<index>(sizeof(*p.x));
    return !p.parameters.per_block && bytes <= 4096 && (apart % 2048 != 0 || bytes < 1024);
  }

  template <class Isa, int R, class P>
  static TENSORNORM_INLINE void rows_from(const P& p, index row, bool past_cache) {
    using compute = typename P::compute;
    using rows = contiguous_rows<Formula, Isa>;
    auto scan = rows::template scan<R, false>(p, row);
    // Half of the next rows' lines come in each of the passes but the first of three.
    scan.ahead = {reinterpret_cast<const char*>(scan.x[R - 1] + p.rows.size()), !past_cache};
    scan.lines_per_row = static_cast<int>(sizeof(*p.x)) / 2;
    const auto constants = constants_of<Formula>(scan, p);
    if (any_outside(constants.variance, safe_variance<compute>::low, safe_variance<compute>::high))
      return enter<row_norm_rescaled<Formula>>(typename Isa::cold(), p, row, index{R});
    rows::write(scan, p, row, constants, past_cache);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
