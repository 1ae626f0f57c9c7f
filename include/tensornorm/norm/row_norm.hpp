// The kernel for rows whose elements lie side by side.
#pragma once

#include "rescale.hpp"
#include "row_write.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The parts that the kernels for contiguous rows share.
template <class Formula, class Isa>
struct contiguous_rows {
  template <bool Rescaled, class P>
  static TENSORNORM_INLINE auto scan(const P& p, index row, int count) {
    using type = row_scan<Isa, typename P::data_type, Rescaled>;
    type s{{}, count, type::rows::splat(1)};
    for (int r = 0; r < count; ++r) s.x[r] = p.x + row_offset(p.rows, p.x_strides, row + r);
    return s;
  }

  /// Saves the constants of the rows from `row` on.
  template <class Scan, class P, class Constants>
  static TENSORNORM_INLINE void save_constants(const Scan& s, const P& p, index row, const Constants& c) {
    if (!p.rstd) return;
    for (int r = 0; r < s.count; ++r) save(p, row + r, c, s.scale, r);
  }

  /// Has the rows from `row` on written: put(writer, begin, end, affine) for each, or for each run of
  /// elements that share their parameters.
  template <class Scan, class P, class Constants, class Put>
  static TENSORNORM_INLINE void write(const Scan& s, const P& p, index row, const Constants& c,
                                      const Put& put) {
    if (!p.y) return;
    if (p.parameters.per_block) {
      if constexpr (Formula::has_bias)
        each_row(s, p, row, c, [&](const auto& writer, int r) TENSORNORM_INLINE_LAMBDA {
          const index first = p.parameters.group((row + r) / p.rows.inner) * p.rows.blocks;
          for (index block = 0; block < p.rows.blocks; ++block)
            put(writer, block * p.rows.run, (block + 1) * p.rows.run, shared_parameters(p, first + block));
        });
    } else {
      with_affine<Formula, Scan::is_rescaled>(p, [&](const auto& affine) TENSORNORM_INLINE_LAMBDA {
        each_row(s, p, row, c, [&](const auto& writer, int) TENSORNORM_INLINE_LAMBDA {
          put(writer, 0, p.rows.size(), affine);
        });
      });
    }
  }

 private:
  /// run(writer, r) for each row r of the scan.
  template <class Scan, class P, class Constants, class F>
  static TENSORNORM_INLINE void each_row(const Scan& s, const P& p, index row, const Constants& c,
                                         const F& run) {
    typename Scan::compute constants[4][Scan::rows::size];
    c.mean.store(constants[0]);
    c.residual.store(constants[1]);
    c.variance.store(constants[2]);
    c.rstd.store(constants[3]);
    for (int r = 0; r < s.count; ++r) {
      auto* const y = p.y + row_offset(p.rows, p.y_strides, row + r);
      run(
          row_writer<Formula, Scan, typename P::result_type>{
              s, r, y, {{constants[0][r]}, {constants[1][r]}, {constants[2][r]}, {constants[3][r]}}},
          r);
    }
  }
};

/// Writes through the cache.
struct through_cache {
  template <class Writer, class Affine>
  TENSORNORM_INLINE void operator()(const Writer& writer, index begin, index end,
                                    const Affine& affine) const {
    writer.write(begin, end, affine);
  }
};

/// Normalizes `count` rows from `row` on at the scale that each needs.
template <class Formula>
struct row_norm_rescaled {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& count) {
    using rows = contiguous_rows<Formula, Isa>;
    constexpr index most = row_scan<Isa, typename P::data_type, true>::rows::size;
    for (index done = 0; done < count; done += most) {
      const index left = count - done;
      auto scan = rows::template scan<true>(p, first + done, static_cast<int>(left < most ? left : most));
      rescaled<Formula>(scan, p, [&](const auto& constants) TENSORNORM_INLINE_LAMBDA {
        rows::save_constants(scan, p, first + done, constants);
        rows::write(scan, p, first + done, constants, through_cache());
      });
    }
  }
};

/// Normalizes rows [first, last), as many at a time as take `bytes`: several hide the latency of sums,
/// division and root. write(scan, row, constants) writes them; rows that need another scale are not
/// its business.
template <class Formula, class Isa, class P, class Write>
TENSORNORM_INLINE void normalize_rows(const P& p, index first, index last, index bytes, const Write& write) {
  using compute = typename P::compute;
  using rows = contiguous_rows<Formula, Isa>;
  constexpr index most = row_scan<Isa, typename P::data_type, false>::rows::size;
  const index fit = bytes / (p.rows.size() * static_cast<index>(sizeof(*p.x)));
  const index step = fit < 1 ? 1 : fit < most ? fit : most;
  for (index row = first; row < last; row += step) {
    const index count = last - row < step ? last - row : step;
    const auto scan = rows::template scan<false>(p, row, static_cast<int>(count));
    const auto constants = constants_of<Formula>(scan, p);
    if (any_outside(constants.variance, safe_variance<compute>::low, safe_variance<compute>::high)) {
      enter<row_norm_rescaled<Formula>>(typename Isa::cold(), p, row, count);
    } else {
      rows::save_constants(scan, p, row, constants);
      write(scan, row, constants);
    }
  }
}

/// Normalizes rows [first, last) of a problem whose rows are contiguous.
template <class Formula>
struct row_norm {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last) {
    // These rows, as much of y and some parameters stay in the first-level cache.
    constexpr index bytes = 12 << 10;
    normalize_rows<Formula, Isa>(
        p, first, last, bytes,
        [&](const auto& scan, index row, const auto& constants) TENSORNORM_INLINE_LAMBDA {
          contiguous_rows<Formula, Isa>::write(scan, p, row, constants, through_cache());
        });
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
