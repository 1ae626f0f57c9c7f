// The kernel for rows that lie across memory.
#pragma once

#include "column_scan.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Rows to a unit of work.
inline constexpr index column_tile = 64;

/// The rows that are written together, if there are as many side by side: long runs of memory at a
/// time, since short ones far apart use up the places that a cache has for their addresses.
inline constexpr index column_panel = 16 * column_tile;

/// Whether elements of y go past the cache, in whole registers of rows side by side: each begins as far from
/// a boundary as the first.
template <class Isa, class P>
bool streams_columns(const P& p) {
  constexpr index width = vec_size<Isa, typename P::compute>;
  const auto aligned = [](index step) { return step % width == 0; };
  return p.y_strides.inner == 1 && streams(p) && aligned(p.y_strides.element) &&
         (p.rows.blocks == 1 || aligned(p.y_strides.block));
}

/// Rows [column, end) of slice `outer`, K registers side by side at a time.
template <class Formula, class Isa, int K, bool Rescaled, class P>
struct column_rows {
  using T = typename P::data_type;
  using scan_type = column_scan<Isa, T, K, Rescaled>;
  using rows = typename scan_type::rows;
  using V = typename scan_type::V;

  const P& p;
  index outer;
  index column;
  index end;
  bool past_cache;  // y is aligned to a register

  static constexpr index width = rows::size;
  index tiles() const { return ceil_div(end - column, width); }
  index first(index tile) const { return column + tile * width; }
  index count(index tile) const { return end - first(tile) < width ? end - first(tile) : width; }

  TENSORNORM_INLINE scan_type scan(index tile) const {
    return {p.x + outer * p.x_strides.outer + first(tile) * p.x_strides.inner,
            {p.rows, p.x_strides},
            static_cast<int>(count(tile)),
            rows::splat(1)};
  }

  template <class Constants>
  TENSORNORM_INLINE void save_constants(const scan_type& s, index tile, const Constants& c) const {
    if (!p.rstd) return;
    for (int lane = 0; lane < s.count; ++lane)
      save(p, outer * p.rows.inner + first(tile) + lane, c, s.scale, lane);
  }

  /// Writes element i of the rows that s reads. Parameters are those of i.
  template <class Affine>
  TENSORNORM_INLINE void write(const scan_type& s, index tile, index i, const row_constants<rows>& c,
                               const Affine& parameters) const {
    const element_offset offset{p.rows, p.y_strides};
    const index stride = p.y_strides.inner;
    auto* const y = p.y + outer * p.y_strides.outer + first(tile) * stride + offset(i);
    const rows value = parameters.apply(Formula::apply(s.read(i), c), parameters.template at<rows>(i));
    if (K == 1 && stride != 1) return scatter(value.part[0], y, stride, s.count);
    if (K == 1 && s.count < width) return store_first(value.part[0], y, s.count);
    if (past_cache) {
      TENSORNORM_UNROLL
      for (int k = 0; k < K; ++k) stream(value.part[k], y + k * V::size);
    } else {
      TENSORNORM_UNROLL
      for (int k = 0; k < K; ++k) store(value.part[k], y + k * V::size);
    }
  }

  /// The parameters of element i: its own, or those of its block.
  TENSORNORM_INLINE auto parameters(index i) const {
    if (!p.parameters.per_block) return shared_parameters(p, i);
    return shared_parameters(p, p.parameters.group(outer) * p.rows.blocks + i / p.rows.run);
  }

 private:
  /// The first `count` lanes, one by one.
  static TENSORNORM_INLINE void scatter(const V& value, typename P::result_type* y, index stride, int count) {
    typename P::result_type buffer[V::size];
    store(value, buffer);
    for (int c = 0; c < count; ++c) y[c * stride] = buffer[c];
  }
};

/// Normalizes rows [column, end) of slice `outer`, at the scale that each needs.
template <class Formula>
struct column_norm_rescaled {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& outer, const index& column, const index& end) {
    const column_rows<Formula, Isa, 1, true, P> columns{p, outer, column, end, false};
    for (index tile = 0; tile < columns.tiles(); ++tile) {
      auto scan = columns.scan(tile);
      rescaled<Formula>(scan, p, [&](const auto& constants) TENSORNORM_INLINE_LAMBDA {
        columns.save_constants(scan, tile, constants);
        if (!p.y) return;
        for (index i = 0; i < p.rows.size(); ++i)
          columns.write(scan, tile, i, constants, columns.parameters(i));
      });
    }
  }
};

/// Normalizes units [first, last), tiles of rows side by side.
template <class Formula>
struct column_norm {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last) {
    const index units = ceil_div(p.rows.inner, column_tile);
    const bool dense = p.x_strides.inner == 1 && p.y_strides.inner == 1;
    const bool past_cache = dense && streams_columns<Isa>(p);
    for (index unit = first; unit < last;) {
      const index outer = unit / units;
      const index column = unit % units * column_tile;
      index end = column + (last - unit) * column_tile;
      end = end < column + column_panel ? end : column + column_panel;
      end = end < p.rows.inner ? end : p.rows.inner;
      // Four registers side by side as far as they are full, and aligned where that matters.
      constexpr int width = vec_size<Isa, typename P::compute>;
      const index to_aligned =
          past_cache ? elements_to_aligned(p.y + outer * p.y_strides.outer + column, width) : 0;
      const index first_full = end - column < to_aligned ? end : column + to_aligned;
      const index last_full = dense ? first_full + (end - first_full) / (4 * width) * (4 * width) : column;
      // (In a loop, so that panel<1> is compiled once.)
      const index bounds[] = {column, first_full, last_full, end};
      for (int part = 0; part < 3; ++part) {
        if (bounds[part] == bounds[part + 1]) continue;
        if (part == 1)
          panel<Isa, 4>(p, outer, bounds[1], bounds[2], past_cache);
        else
          panel<Isa, 1>(p, outer, bounds[part], bounds[part + 1], false);
      }
      unit += ceil_div(end - column, column_tile);
    }
    if (past_cache) stream_fence();
  }

 private:
  template <class Isa, int K, class P>
  static TENSORNORM_INLINE void panel(const P& p, index outer, index column, index end, bool past_cache) {
    using compute = typename P::compute;
    const column_rows<Formula, Isa, K, false, P> columns{p, outer, column, end, past_cache};
    using rows = typename column_scan<Isa, typename P::data_type, K, false>::rows;
    row_constants<rows> constants[column_panel / rows::size];
    bool written[column_panel / rows::size];
    for (index tile = 0; tile < columns.tiles(); ++tile) {
      const auto scan = columns.scan(tile);
      constants[tile] = constants_of<Formula>(scan, p);
      const rows variance = lanes_from(scan.count, rows::splat(1), constants[tile].variance);
      written[tile] = any_outside(variance, safe_variance<compute>::low, safe_variance<compute>::high);
      if (written[tile])
        enter<column_norm_rescaled<Formula>>(typename Isa::cold(), p, outer, columns.first(tile),
                                             columns.first(tile) + columns.count(tile));
      else
        columns.save_constants(scan, tile, constants[tile]);
    }
    if (!p.y) return;
    // Some elements at a time, so that the constants of a tile are loaded for all of them.
    constexpr int together = 4;
    using parameters = decltype(columns.parameters(0));
    for (index i = 0; i < p.rows.size(); i += together) {
      const int count = static_cast<int>(p.rows.size() - i < together ? p.rows.size() - i : together);
      parameters shared[together];
      for (int n = 0; n < count; ++n) shared[n] = columns.parameters(i + n);
      for (index tile = 0; tile < columns.tiles(); ++tile) {
        if (written[tile]) continue;
        const auto scan = columns.scan(tile);
        const auto c = constants[tile];
        for (int n = 0; n < count; ++n) columns.write(scan, tile, i + n, c, shared[n]);
      }
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
