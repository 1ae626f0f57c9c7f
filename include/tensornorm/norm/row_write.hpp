// Writes normalized rows whose elements lie side by side.
#pragma once

#include "parameters.hpp"
#include "row_scan.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Brings memory closer while other work goes on, some lines at a time.
struct read_ahead {
  const char* next;

  TENSORNORM_INLINE void lines(index count) {
    for (index n = 0; n < count; ++n) prefetch<cache_level::second>(next + n * 64);
    next += count * 64;
  }
  /// The line where `count` bytes begin, at most a line.
  TENSORNORM_INLINE void bytes(std::size_t count) {
    prefetch<cache_level::second>(next);
    next += count;
  }
};

/// Writes one of the rows that a scan reads.
template <class Formula, class Scan, class T>
struct row_writer {
  using compute = typename Scan::compute;
  using isa = typename Scan::V::isa;
  using V = typename Scan::V;
  // 32 bytes to a store through the cache: wider ones were slower on Zen 4, never faster.
  static constexpr int store_size = 32 / static_cast<int>(sizeof(T));
  using store_vec = vec<isa, compute, (V::size < store_size ? V::size : store_size)>;
  using one = vec<isa, compute, 1>;

  const Scan& scan;
  int row;
  T* y;
  row_constants<one> constants;

  /// Elements [begin, end) through the cache, `affine` being what follows the normalization. Stores
  /// are aligned as far as they can be; the first and the last reach over their neighbours and write
  /// some elements twice. What they need is read before anything is written, since y may be x.
  template <class Affine>
  TENSORNORM_INLINE void write(index begin, index end, const Affine& affine) const {
    constexpr index width = store_vec::size;
    if (end - begin < width) return write_singly(begin, end, affine);
    const row_constants<store_vec> c = splat<store_vec>();
    const store_vec head = read<store_vec>(begin);
    const store_vec last = read<store_vec>(end - width);
    index i = begin + elements_to_aligned(y + begin, width);
    const bool starts_aligned = i == begin;
    constexpr index unroll = 4 * width;
    for (; i + unroll <= end; i += unroll) {
      TENSORNORM_UNROLL
      for (index k = 0; k < unroll; k += width) put(read<store_vec>(i + k), c, i + k, affine);
    }
    for (; i + width <= end; i += width) put(read<store_vec>(i), c, i, affine);
    if (!starts_aligned) put(head, c, begin, affine);
    if (i < end) put(last, c, end - width, affine);
  }

  /// Elements [begin, end) past the cache, in whole aligned registers; before and after them in pieces
  /// of 16 bytes, as far as they are aligned. No byte is written twice, and if y and its rows are
  /// aligned to 16 bytes, none through the cache: a line that goes both ways has to be fetched first.
  /// As many lines come closer as are written.
  template <class Affine>
  TENSORNORM_INLINE void write_past_cache(index begin, index end, const Affine& affine,
                                          read_ahead& ahead) const {
    const index to_aligned = elements_to_aligned(y + begin, V::size);
    const index first = end - begin < to_aligned ? end : begin + to_aligned;
    write_in_pieces(begin, first, affine);
    const row_constants<V> c = splat<V>();
    constexpr index lines = lane_count * static_cast<index>(sizeof(T)) / 64;
    index i = first;
    for (; i + lane_count <= end; i += lane_count) {
      ahead.lines(lines);
      TENSORNORM_UNROLL
      for (int k = 0; k < lane_count; k += V::size) stream(make(read<V>(i + k), c, i + k, affine), y + i + k);
    }
    ahead.lines((end - begin) * static_cast<index>(sizeof(T)) / 64 - (i - first) / lane_count * lines);
    for (; i + V::size <= end; i += V::size) stream(make(read<V>(i), c, i, affine), y + i);
    write_in_pieces(i, end, affine);
  }

 private:
  template <class Affine>
  TENSORNORM_INLINE void write_in_pieces(index begin, index end, const Affine& affine) const {
    using piece = vec<isa, compute, 16 / static_cast<int>(sizeof(T))>;
    const index to_aligned = elements_to_aligned(y + begin, piece::size);
    index i = end - begin < to_aligned ? end : begin + to_aligned;
    write_singly(begin, i, affine);
    const row_constants<piece> c = splat<piece>();
    for (; i + piece::size <= end; i += piece::size) stream(make(read<piece>(i), c, i, affine), y + i);
    write_singly(i, end, affine);
  }

  template <class L>
  TENSORNORM_INLINE L read(index i) const {
    return scan.template read<L>(row, scan.x[row] + i);
  }

  template <class L, class Affine>
  static TENSORNORM_INLINE L make(const L& x, const row_constants<L>& c, index i, const Affine& affine) {
    return affine.apply(Formula::apply(x, c), affine.template at<L>(i));
  }

  template <class L, class Affine>
  TENSORNORM_INLINE void put(const L& x, const row_constants<L>& c, index i, const Affine& affine) const {
    store(make(x, c, i, affine), y + i);
  }

  template <class L>
  TENSORNORM_INLINE row_constants<L> splat() const {
    return {L::splat(constants.mean[0]), L::splat(constants.residual[0]), L::splat(constants.variance[0]),
            L::splat(constants.rstd[0])};
  }

  template <class Affine>
  TENSORNORM_INLINE void write_singly(index begin, index end, const Affine& affine) const {
    for (index i = begin; i < end; ++i) put(read<one>(i), constants, i, affine);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
