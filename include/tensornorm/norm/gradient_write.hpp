// Writes the gradients of contiguous rows whose sums are known.
#pragma once

#include "row_gradient.hpp"
#include "row_write.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Whole registers of neighbours.
struct whole_registers {
  static constexpr bool whole = true;

  template <class V, class S>
  TENSORNORM_INLINE V load(const S* p) const {
    return kernel::load<V>(p);
  }
  template <class V, class S>
  TENSORNORM_INLINE void store(const V& v, S* p) const {
    kernel::store(v, p);
  }
};

/// The first lanes of a register, at the edges of a row.
struct first_lanes {
  static constexpr bool whole = false;
  int count;

  template <class V, class S>
  TENSORNORM_INLINE V load(const S* p) const {
    return load_first<V>(p, count);
  }
  template <class V, class S>
  TENSORNORM_INLINE void store(const V& v, S* p) const {
    store_first(v, p, count);
  }
};

/// Writes Rows rows, or runs of their elements, side by side, so that sums over rows are loaded and stored
/// once for all of them. Others: there is more than dx of x alone, or less.
template <class Formula, class Isa, class P, bool Others, int Rows>
struct gradient_writer {
  using row = row_gradient<Formula, Isa, P>;
  using T = typename row::T;
  using compute = typename row::compute;
  using one = typename row::one;
  using V = typename row::V;
  static constexpr auto count = static_cast<std::size_t>(Rows);

  const row* rows;
  const gradient_constants<one>* constants;
  compute* weight_sums;  // null where not wanted
  compute* bias_sums;
  bool past_cache;  // dx goes to memory in whole aligned registers; the rows must be aligned alike

  /// The first n elements. As much of the next rows comes closer: next[r] and next[Rows + r] are x and dy.
  template <class Weight>
  TENSORNORM_INLINE void write(const Weight& weight, index n, read_ahead* next) const {
    gradient_constants<V> c[count];
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r)
      c[r] = {splat_constants<V>(constants[r].row), V::splat(constants[r].mean_g[0]),
              V::splat(constants[r].slope[0])};
    const index to_aligned = past_cache ? elements_to_aligned(rows[0].dx, V::size) : 0;
    const index first = to_aligned < n ? to_aligned : n;
    const index whole = (n - first) / V::size * V::size;
    for (index i = first; i < first + whole; i += V::size) {
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) {
        next[r].bytes(V::size * sizeof(T));
        next[Rows + r].bytes(V::size * sizeof(T));
      }
      put(weight, c, i, whole_registers());
    }
    const struct {
      index begin;
      index end;
    } edges[] = {{0, first}, {first + whole, n}};
    for (const auto& edge : edges)
      if (edge.begin < edge.end)
        put(weight, c, edge.begin, first_lanes{static_cast<int>(edge.end - edge.begin)});
  }

 private:
  template <class Weight, class Lanes>
  TENSORNORM_INLINE void put(const Weight& weight, const gradient_constants<V> (&c)[count], index i,
                             const Lanes& lanes) const {
    V dy[count];
    V x[count];
    V normalized[count];
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) {
      x[r] = lanes.template load<V>(rows[r].x + i);
      dy[r] = lanes.template load<V>(rows[r].dy + i);
      normalized[r] = Formula::apply(x[r], c[r].row);
    }
    add(i, normalized, dy, lanes);
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const V direction =
          Formula::has_mean && !Formula::subtracts_mean ? Formula::direction(x[r], c[r].row) : normalized[r];
      const V dx = c[r].template dx<Formula>(direction, weight.times(dy[r], i, lanes));
      if constexpr (Others)
        put_others(rows[r], i, dx, lanes);
      else
        put_dx(dx, rows[r].dx + i, lanes);
    }
  }

  template <class Lanes>
  TENSORNORM_INLINE void add(index i, const V (&normalized)[count], const V (&dy)[count],
                             const Lanes& lanes) const {
    if (weight_sums) {
      V sum = lanes.template load<V>(weight_sums + i);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) sum = fma(dy[r], normalized[r], sum);
      lanes.store(sum, weight_sums + i);
    }
    if (bias_sums) {
      V sum = lanes.template load<V>(bias_sums + i);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) sum = sum + dy[r];
      lanes.store(sum, bias_sums + i);
    }
  }

  template <class Lanes>
  TENSORNORM_INLINE void put_others(const row& to, index i, const V& dx, const Lanes& lanes) const {
    const V result = to.addend ? dx + lanes.template load<V>(to.addend + i) : dx;
    if (to.branch) lanes.store(result * V::splat(to.alpha), to.branch + i);
    if (to.dx) put_dx(result, to.dx + i, lanes);
  }

  template <class Lanes>
  TENSORNORM_INLINE void put_dx(const V& value, T* to, const Lanes& lanes) const {
    if (Lanes::whole && past_cache)
      stream(value, to);
    else
      lanes.store(value, to);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
