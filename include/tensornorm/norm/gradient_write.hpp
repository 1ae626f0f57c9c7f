// Writes the gradients of contiguous rows whose sums are known.
#pragma once

#include <cstdint>

#include "row_gradient.hpp"
#include "row_write.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// What the loop that writes is compiled for: gradients of parameters, and others than dx of x alone.
template <bool Parameters, bool Others>
struct gradient_kind {
  static constexpr bool parameters = Parameters;
  static constexpr bool others = Others;
};

/// Writes Rows rows, or runs of their elements, side by side, so that sums over rows are loaded and stored
/// once for all of them.
template <class Formula, class Isa, class P, class Kind, int Rows>
struct gradient_writer {
  using row = row_gradient<Formula, Isa, P>;
  using T = typename row::T;
  using compute = typename row::compute;
  using one = typename row::one;
  using V = typename row::V;
  using piece = vec<Isa, compute, 16 / static_cast<int>(sizeof(T))>;

  const row* rows;
  const gradient_constants<one>* constants;
  compute* weight_sums;  // null where not wanted
  compute* bias_sums;

  /// The first n elements through the cache. As much of the next rows comes closer, if `next` is not null:
  /// next[r] and next[Rows + r] are x and dy.
  template <class Weight>
  TENSORNORM_INLINE void write(const Weight& weight, index n, read_ahead* next) const {
    index i = 0;
    run<V, false>(weight, i, n, next);
    if constexpr (V::size > piece::size) run<piece, false>(weight, i, n, nullptr);
    run<one, false>(weight, i, n, nullptr);
  }

  /// The first n elements past the cache, in whole aligned registers as far as they go. The rows must be
  /// aligned alike.
  template <class Weight>
  TENSORNORM_INLINE void write_past_cache(const Weight& weight, index n, read_ahead* next) const {
    index i = 0;
    const index to_piece = unaligned(0, piece::size);
    run<one, false>(weight, i, to_piece < n ? to_piece : n, nullptr);
    const index to_whole = i + unaligned(i, V::size);
    if (to_whole + V::size <= n) {
      run<piece, true>(weight, i, to_whole, nullptr);
      run<V, true>(weight, i, n, next);
    }
    run<piece, true>(weight, i, n, nullptr);
    run<one, false>(weight, i, n, nullptr);
  }

  /// Whether the rows have the same place in a line of memory.
  TENSORNORM_INLINE bool aligned_alike() const {
    for (int r = 1; r < Rows; ++r)
      if ((reinterpret_cast<std::uintptr_t>(rows[r].dx) - reinterpret_cast<std::uintptr_t>(rows[0].dx)) % 64)
        return false;
    return true;
  }

 private:
  TENSORNORM_INLINE index unaligned(index begin, index width) const {
    const auto bytes = static_cast<std::uintptr_t>(width) * sizeof(T);
    return static_cast<index>((0 - reinterpret_cast<std::uintptr_t>(rows[0].dx + begin)) % bytes / sizeof(T));
  }

  /// Elements i, i + 1, ... as far as whole registers of L reach.
  template <class L, bool PastCache, class Weight>
  TENSORNORM_INLINE void run(const Weight& weight, index& i, index end, read_ahead* next) const {
    gradient_constants<L> c[static_cast<std::size_t>(Rows)];
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r)
      c[r] = {splat_constants<L>(constants[r].row), L::splat(constants[r].constant[0]),
              L::splat(constants[r].slope[0])};
    for (; i + L::size <= end; i += L::size) {
      L x[static_cast<std::size_t>(Rows)];
      L dy[static_cast<std::size_t>(Rows)];
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) {
        x[r] = load<L>(rows[r].x + i);
        dy[r] = load<L>(rows[r].dy + i);
        if (next) {
          next[r].bytes(L::size * sizeof(T));
          next[Rows + r].bytes(L::size * sizeof(T));
        }
      }
      L normalized[static_cast<std::size_t>(Rows)];
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) normalized[r] = Formula::apply(x[r], c[r].row);
      if constexpr (Kind::parameters) add(i, normalized, dy);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const L direction = Formula::has_mean && !Formula::subtracts_mean ? Formula::direction(x[r], c[r].row)
                                                                          : normalized[r];
        const L result = c[r].template dx<Formula>(direction, weight.times(dy[r], i));
        if constexpr (Kind::others)
          put_others<PastCache>(rows[r], i, result);
        else
          put<PastCache>(result, rows[r].dx + i);
      }
    }
  }

  template <class L>
  TENSORNORM_INLINE void add(index i, const L (&normalized)[static_cast<std::size_t>(Rows)],
                             const L (&dy)[static_cast<std::size_t>(Rows)]) const {
    if (weight_sums) {
      L sum = L::load(weight_sums + i);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) sum = fma(dy[r], normalized[r], sum);
      sum.store(weight_sums + i);
    }
    if (bias_sums) {
      L sum = L::load(bias_sums + i);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) sum = sum + dy[r];
      sum.store(bias_sums + i);
    }
  }

  template <bool PastCache, class L>
  static TENSORNORM_INLINE void put_others(const row& to, index i, const L& dx) {
    const L result = to.addend ? dx + load<L>(to.addend + i) : dx;
    if (to.branch) store(result * L::splat(to.alpha), to.branch + i);
    if (to.dx) put<PastCache>(result, to.dx + i);
  }

  template <bool PastCache, class L>
  static TENSORNORM_INLINE void put(const L& value, T* to) {
    if constexpr (PastCache)
      stream(value, to);
    else
      store(value, to);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
