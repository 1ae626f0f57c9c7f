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

/// Writes one row, or a run of its elements.
template <class Formula, class Isa, class P>
struct gradient_writer {
  using row = row_gradient<Formula, Isa, P>;
  using T = typename row::T;
  using compute = typename row::compute;
  using one = typename row::one;
  using V = typename row::V;

  const row& at;
  const gradient_constants<one>& constants;
  compute* weight_sums;  // null where not wanted
  compute* bias_sums;
  bool past_cache;  // dx goes to memory in whole aligned registers

  /// Elements [begin, end) that no whole registers hold, less than one.
  template <class Weight>
  TENSORNORM_INLINE void write_edge(const Weight& weight, index begin, index end) const {
    if (begin < end)
      put(weight, splat_constants<V>(constants), begin, first_lanes{static_cast<int>(end - begin)});
  }

  /// The first n elements. What is `ahead` elements further comes closer, as far as it did not in a first
  /// pass.
  template <class Weight>
  TENSORNORM_INLINE void write(const Weight& weight, index n, index ahead) const {
    const index to_aligned = past_cache ? elements_to_aligned(at.dx, V::size) : 0;
    const index first = to_aligned < n ? to_aligned : n;
    const index last = first + (n - first) / V::size * V::size;
    write_edge(weight, 0, first);
    const auto c = splat_constants<V>(constants);
    const auto next = at.to_come(ahead);
    for (index i = first; i < last; i += V::size) {
      next.in_second_pass(n, i);
      put(weight, c, i, whole_registers());
    }
    write_edge(weight, last, n);
  }

 private:
  template <class Weight, class Lanes>
  TENSORNORM_INLINE void put(const Weight& weight, const gradient_constants<V>& c, index i,
                             const Lanes& lanes) const {
    const V x = lanes.template load<V>(at.x + i);
    const V dy = lanes.template load<V>(at.dy + i);
    const V normalized = c.row.template normalized<Formula>(x);
    if (weight_sums)
      lanes.store(fma(dy, normalized, lanes.template load<V>(weight_sums + i)), weight_sums + i);
    if (bias_sums) lanes.store(lanes.template load<V>(bias_sums + i) + dy, bias_sums + i);
    V dx =
        c.template dx<Formula>(c.row.template direction<Formula>(x, normalized), weight.times(dy, i, lanes));
    if (at.addend) dx = dx + lanes.template load<V>(at.addend + i);
    if (at.branch) lanes.store(dx * V::splat(at.alpha), at.branch + i);
    if (!at.dx) return;
    if (Lanes::whole && past_cache)
      stream(dx, at.dx + i);
    else
      lanes.store(dx, at.dx + i);
  }
};

/// Writes Rows rows side by side where dx, weight and the gradients of all parameters are there and nothing
/// else is: what training asks for. Sums over rows are loaded and stored once for all, in the order of one
/// after the other.
template <class Formula, class Isa, class P, int Rows>
struct training_writer {
  using row = row_gradient<Formula, Isa, P>;
  using T = typename row::T;
  using compute = typename row::compute;
  using V = typename row::V;
  static constexpr auto count = static_cast<std::size_t>(Rows);

  const row* rows;
  const gradient_constants<typename row::one>* constants;
  const compute* weight;
  compute* weight_sums;
  compute* bias_sums;  // where the formula has one

  /// The first n elements; past the cache the rows are aligned alike. What is `ahead` elements further comes
  /// closer.
  TENSORNORM_INLINE void write(index n, index ahead, bool past_cache) const {
    const index to_aligned = past_cache ? elements_to_aligned(rows[0].dx, V::size) : 0;
    const index first = to_aligned < n ? to_aligned : n;
    const index last = first + (n - first) / V::size * V::size;
    write_edges(0, first);
    if (past_cache)
      write_whole<true>(first, last, ahead);
    else
      write_whole<false>(first, last, ahead);
    write_edges(last, n);
  }

 private:
  TENSORNORM_INLINE void write_edges(index begin, index end) const {
    for (int r = 0; r < Rows; ++r)
      gradient_writer<Formula, Isa, P>{rows[r], constants[r], weight_sums, bias_sums, false}.write_edge(
          element_weight<T>{weight}, begin, end);
  }

  template <bool PastCache>
  TENSORNORM_INLINE void write_whole(index first, index last, index ahead) const {
    gradient_constants<V> c[count];
    const T* x[count];
    const T* dy[count];
    T* dx[count];
    row_to_come<T> next[count];
    TENSORNORM_UNROLL
    for (int r = 0; r < Rows; ++r) {
      c[r] = splat_constants<V>(constants[r]);
      x[r] = rows[r].x;
      dy[r] = rows[r].dy;
      dx[r] = rows[r].dx;
      next[r] = rows[r].to_come(ahead);
    }
    for (index i = first; i < last; i += V::size) {
      V gradient[count];
      V normalized[count];
      V direction[count];
      V weight_sum = V::load(weight_sums + i);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) {
        next[r].in_second_pass(last, i);
        gradient[r] = load<V>(dy[r] + i);
        const V value = load<V>(x[r] + i);
        normalized[r] = c[r].row.template normalized<Formula>(value);
        direction[r] = c[r].row.template direction<Formula>(value, normalized[r]);
        weight_sum = fma(gradient[r], normalized[r], weight_sum);
      }
      weight_sum.store(weight_sums + i);
      if constexpr (Formula::has_bias) {
        V bias_sum = V::load(bias_sums + i);
        TENSORNORM_UNROLL
        for (int r = 0; r < Rows; ++r) bias_sum = bias_sum + gradient[r];
        bias_sum.store(bias_sums + i);
      }
      const V w = V::load(weight + i);
      TENSORNORM_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const V result = c[r].template dx<Formula>(direction[r], times(gradient[r], w));
        if constexpr (PastCache)
          stream(result, dx[r] + i);
        else
          store(result, dx[r] + i);
      }
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
