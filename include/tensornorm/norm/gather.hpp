// Rows that lie across memory, brought together for a backward pass and taken back.
#pragma once

#include "../simd/transpose.hpp"
#include "column_scan.hpp"
#include "gradient_problem.hpp"
#include "parameter_sums.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Numbers of a block of rows, which lie across memory at `there` and one row after the other at `here`.
template <class T>
struct row_copies {
  rows_shape rows;
  rows_strides strides;  // of what lies at there
  index first;
  index count;  // at most rows_of_block
  index pitch;  // from one row to the next, here
  T* there;
  T* here;
};

/// Brings rows here, or takes them back there. Rows that lie side by side there are turned over in registers,
/// some elements at a time, in the order of memory there.
template <bool Back>
struct copy_rows {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(const row_copies<T>& c) {
    index first[rows_of_block];
    bool side_by_side = c.strides.element != 1;
    for (index r = 0; r < c.count; ++r) {
      first[r] = row_offset(c.rows, c.strides, c.first + r);
      side_by_side = side_by_side && first[r] == first[0] + r;
    }
    const element_offset offset{c.rows, c.strides};
    if constexpr (sizeof(T) >= 4) {
      if (side_by_side) return turn<Isa>(c, first[0], offset);
    }
    const bool along = c.strides.element == 1;
    const index size = c.rows.size();
    for (index outer = 0; outer < (along ? c.count : size); ++outer)
      for (index inner = 0; inner < (along ? size : c.count); ++inner) {
        const index r = along ? outer : inner;
        const index i = along ? inner : outer;
        copy(c, first[r] + offset(i), r * c.pitch + i);
      }
  }

 private:
  template <class T>
  static TENSORNORM_INLINE void copy(const row_copies<T>& c, index there, index here) {
    if constexpr (Back)
      c.there[there] = c.here[here];
    else
      c.here[here] = c.there[there];
  }

  template <class Isa, class T>
  static TENSORNORM_INLINE void turn(const row_copies<T>& c, index there, const element_offset& offset) {
    using V = native_vec<Isa, T>;
    constexpr index side = packet<Isa, T>::size;
    for (index block = 0; block < c.rows.blocks; ++block) {
      const index begin = block * c.rows.run;
      index i = 0;
      for (; i + side <= c.rows.run; i += side) {
        const index at = there + offset(begin + i);
        index r = 0;
        for (; r + V::size <= c.count; r += V::size) turn_square<V>(c, at + r, r * c.pitch + begin + i);
        for (; r < c.count; ++r)
          for (index n = 0; n < side; ++n)
            copy(c, at + n * c.strides.element + r, r * c.pitch + begin + i + n);
      }
      for (; i < c.rows.run; ++i)
        for (index r = 0; r < c.count; ++r) copy(c, there + offset(begin + i) + r, r * c.pitch + begin + i);
    }
  }

  /// Of V::size rows as many elements as fit 16 bytes.
  template <class V, class T>
  static TENSORNORM_INLINE void turn_square(const row_copies<T>& c, index there, index here) {
    using P = packet<typename V::isa, T>;
    constexpr int side = P::size;
    constexpr int parts = V::size / side;
    V line[static_cast<std::size_t>(side)];
    if constexpr (Back) {
      TENSORNORM_UNROLL
      for (int n = 0; n < side; ++n) {
        P part[static_cast<std::size_t>(parts)];
        TENSORNORM_UNROLL
        for (int k = 0; k < parts; ++k) part[k] = P::load(c.here + here + (k * side + n) * c.pitch);
        line[n] = join_packets<V>(part);
      }
      transpose(line);
      TENSORNORM_UNROLL
      for (int n = 0; n < side; ++n) line[n].store(c.there + there + n * c.strides.element);
    } else {
      TENSORNORM_UNROLL
      for (int n = 0; n < side; ++n) line[n] = V::load(c.there + there + n * c.strides.element);
      transpose(line);
      TENSORNORM_UNROLL
      for (int n = 0; n < side; ++n) store_packets<P>(line[n], c.here + here + n * c.pitch, side * c.pitch);
    }
  }

  template <class P, class V, class T>
  static TENSORNORM_INLINE void store_packets(const V& v, T* to, index step) {
    if constexpr (V::size == P::size) {
      v.store(to);
    } else {
      store_packets<P>(lower(v), to, step);
      store_packets<P>(upper(v), to + V::size / 2 / P::size * step, step);
    }
  }
};

/// A block of rows in memory of its own, one after the other.
template <class P>
class gathered_rows {
 public:
  using T = typename P::data_type;

  /// How many numbers of T a block takes.
  static index size(const P& p) {
    index arrays = 0;
    all_arrays(p, [&](const auto* data, const rows_strides&) { return arrays += data != nullptr, true; });
    return arrays * rows_of_block * pitch(p);
  }

  /// Rows from `row` on, at most a block.
  gathered_rows(const P& p, T* memory, index row, isa_level level)
      : p_(p),
        level_(level),
        row_(row),
        count_(p.rows.rows() - row < rows_of_block ? p.rows.rows() - row : rows_of_block) {
    here_ = p;
    here_.rows = {count_, 1, p.rows.blocks, p.rows.run};
    here_.first_row = p.first_row + row;
    here_.numbered_inner = p.inner_of_number();
    here_.x = gather(p.x, p.x_strides, memory, here_.x_strides);
    here_.dy = gather(p.dy, p.dy_strides, memory, here_.dy_strides);
    here_.addend = gather(p.addend, p.addend_strides, memory, here_.addend_strides);
    here_.dx = take(p.dx, memory, here_.dx_strides);
    here_.branch = take(p.branch, memory, here_.branch_strides);
    if (!p.rstd) return;
    here_.rstd = p.rstd + row;
    if (!p.mean) return;
    here_.mean = p.mean + row;
    here_.mean_residual = p.mean_residual + row;
  }

  /// The problem of these rows alone.
  const P& problem() const { return here_; }

  /// Takes results back to where they belong.
  void scatter() const {
    scatter(here_.dx, p_.dx, p_.dx_strides);
    scatter(here_.branch, p_.branch, p_.branch_strides);
  }

 private:
  /// Not a power of two, so that rows do not compete for the same places of a cache.
  static index pitch(const P& p) { return ceil_div(p.rows.size(), 64) * 64 + 16; }

  T* take(const T* data, T*& memory, rows_strides& strides) const {
    if (!data) return nullptr;
    T* const result = memory;
    memory += rows_of_block * pitch(p_);
    strides = {pitch(p_), 1, p_.rows.run, 1};
    return result;
  }

  const T* gather(const T* data, const rows_strides& from, T*& memory, rows_strides& strides) const {
    T* const result = take(data, memory, strides);
    if (result) dispatch_at<copy_rows<false>>(level_, copies(from, const_cast<T*>(data), result));
    return result;
  }
  void scatter(T* from, T* data, const rows_strides& to) const {
    if (data) dispatch_at<copy_rows<true>>(level_, copies(to, data, from));
  }
  row_copies<T> copies(const rows_strides& strides, T* there, T* here) const {
    return {p_.rows, strides, row_, count_, pitch(p_), there, here};
  }

  const P& p_;
  isa_level level_;
  P here_;
  index row_;
  index count_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
