// Writes normalized rows whose elements lie side by side.
#pragma once

#include <cstdint>

#include "parameters.hpp"
#include "row_scan.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

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
    index i = begin + unaligned(begin, width);
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

  /// Elements [begin, end) past the cache, in whole aligned registers. The rest goes through the cache
  /// and touches no line twice: a line on its way past the cache would have to come back.
  template <class Affine>
  TENSORNORM_INLINE void write_past_cache(index begin, index end, const Affine& affine) const {
    const index to_aligned = unaligned(begin, V::size);
    const index first = end - begin < to_aligned ? end : begin + to_aligned;
    write_singly(begin, first, affine);
    const row_constants<V> c = splat<V>();
    index i = first;
    for (; i + lane_count <= end; i += lane_count) {
      scan.ahead.tile();
      TENSORNORM_UNROLL
      for (int k = 0; k < lane_count; k += V::size) stream(make(read<V>(i + k), c, i + k, affine), y + i + k);
    }
    for (; i + V::size <= end; i += V::size) stream(make(read<V>(i), c, i, affine), y + i);
    write_singly(i, end, affine);
  }

 private:
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

  /// How many elements from `begin` on come before the first that is aligned to `width` of them.
  TENSORNORM_INLINE index unaligned(index begin, index width) const {
    const auto bytes = static_cast<std::uintptr_t>(width) * sizeof(T);
    return static_cast<index>((0 - reinterpret_cast<std::uintptr_t>(y + begin)) % bytes / sizeof(T));
  }

  template <class Affine>
  TENSORNORM_INLINE void write_singly(index begin, index end, const Affine& affine) const {
    for (index i = begin; i < end; ++i) put(read<one>(i), constants, i, affine);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
