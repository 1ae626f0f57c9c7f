// Writes normalized rows whose elements lie side by side.
#pragma once

#include <cstdint>

#include "parameters.hpp"
#include "row_scan.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Writes the rows that a scan reads. Registers that reach over the end of a run of elements start
/// earlier instead, and write some elements twice; they are read before anything is written, since
/// y may be x.
template <class Formula, class Scan, class T>
struct row_writer {
  using compute = typename Scan::compute;
  using isa = typename Scan::V::isa;
  using V = typename Scan::V;
  // 32 bytes to a store through the cache: wider ones were slower on Zen 4, never faster.
  using store_vec = vec<isa, compute, (isa::bytes < 32 ? isa::bytes : 32) / static_cast<int>(sizeof(compute))>;
  static constexpr int R = Scan::rows::size;

  const Scan& scan;
  row_constants<typename Scan::rows> constants;
  T* y[R];

  /// Elements [begin, end) through the cache. finish(v, i) makes the results for elements i, ... of
  /// the normalized v.
  template <class Finish>
  TENSORNORM_INLINE void write(index begin, index end, const Finish& finish) const {
    if (end - begin < store_vec::size) return write_singly(begin, end, finish);
    // As many rows together as leave registers for their constants; they share the parameters.
    constexpr int group = isa::bytes >= 64 && R >= 2 ? 2 : 1;
    TENSORNORM_UNROLL
    for (int row = 0; row < R; row += group) write_rows<group>(row, begin, end, finish);
  }

  /// Elements [begin, end) of a single row, past the cache. Whole registers are aligned in y.
  template <class Finish>
  TENSORNORM_INLINE void write_past_cache(index begin, index end, const Finish& finish) const {
    if (end - begin < V::size) return write_singly(begin, end, finish);
    const row_constants<V> c = splat<V>(0);
    const T* const x = scan.x[0];
    T* const to = y[0];
    const auto make = [&](index i) TENSORNORM_INLINE_LAMBDA {
      return finish(Formula::apply(scan.template read<V>(0, x + i), c), i);
    };
    index i = begin;
    if (const auto over = reinterpret_cast<std::uintptr_t>(to + begin) % (V::size * sizeof(T)); over != 0) {
      store(make(i), to + i);
      i += V::size - static_cast<index>(over / sizeof(T));
    }
    for (; i + lane_count <= end; i += lane_count) {
      scan.ahead.lines(scan.lines_per_row);
      TENSORNORM_UNROLL
      for (int k = 0; k < lane_count; k += V::size) stream(make(i + k), to + i + k);
    }
    for (; i + V::size <= end; i += V::size) stream(make(i), to + i);
    if (i < end) store(make(end - V::size), to + end - V::size);
  }

 private:
  template <class L>
  TENSORNORM_INLINE row_constants<L> splat(int row) const {
    return {L::splat(constants.mean[row]), L::splat(constants.residual[row]), L::splat(constants.variance[row]),
            L::splat(constants.rstd[row])};
  }

  template <int Group, class Finish>
  TENSORNORM_INLINE void write_rows(int first, index begin, index end, const Finish& finish) const {
    row_constants<store_vec> c[Group];
    const T* x[Group];
    T* to[Group];
    store_vec last[Group];
    TENSORNORM_UNROLL
    for (int r = 0; r < Group; ++r) {
      c[r] = splat<store_vec>(first + r);
      x[r] = scan.x[first + r];
      to[r] = y[first + r];
      last[r] = scan.template read<store_vec>(first + r, x[r] + end - store_vec::size);
    }
    const auto step = [&](index i) TENSORNORM_INLINE_LAMBDA {
      TENSORNORM_UNROLL
      for (int r = 0; r < Group; ++r)
        store(finish(Formula::apply(scan.template read<store_vec>(first + r, x[r] + i), c[r]), i), to[r] + i);
    };
    index i = begin;
    constexpr index unroll = 4 / Group * store_vec::size;
    for (; i + unroll <= end; i += unroll) {
      TENSORNORM_UNROLL
      for (index k = 0; k < unroll; k += store_vec::size) step(i + k);
    }
    for (; i + store_vec::size <= end; i += store_vec::size) step(i);
    if (i == end) return;
    TENSORNORM_UNROLL
    for (int r = 0; r < Group; ++r)
      store(finish(Formula::apply(last[r], c[r]), end - store_vec::size), to[r] + end - store_vec::size);
  }

  /// Fewer elements than a register holds.
  template <class Finish>
  TENSORNORM_INLINE void write_singly(index begin, index end, const Finish& finish) const {
    using one = vec<isa, compute, 1>;
    for (int row = 0; row < R; ++row) {
      const row_constants<one> c = splat<one>(row);
      for (index i = begin; i < end; ++i)
        store(finish(Formula::apply(scan.template read<one>(row, scan.x[row] + i), c), i), y[row] + i);
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
