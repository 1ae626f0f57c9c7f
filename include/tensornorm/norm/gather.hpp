// Rows that lie across memory, brought together for a backward pass and taken back.
#pragma once

#include "column_scan.hpp"
#include "gradient_problem.hpp"
#include "parameter_sums.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

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
  gathered_rows(const P& p, T* memory, index row)
      : p_(p), row_(row), count_(p.rows.rows() - row < rows_of_block ? p.rows.rows() - row : rows_of_block) {
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
    if (result) each_element(from, [&](index there, index here) { result[here] = data[there]; });
    return result;
  }
  void scatter(const T* from, T* data, const rows_strides& to) const {
    if (data) each_element(to, [&](index there, index here) { data[there] = from[here]; });
  }

  /// Calls move(place there, place here) for all elements, in the order of memory there as far as it is
  /// known.
  template <class F>
  void each_element(const rows_strides& there, const F& move) const {
    index first[rows_of_block];
    for (index r = 0; r < count_; ++r) first[r] = row_offset(p_.rows, there, row_ + r);
    const element_offset offset{p_.rows, there};
    const index size = p_.rows.size();
    if (there.element == 1) {
      for (index r = 0; r < count_; ++r)
        for (index i = 0; i < size; ++i) move(first[r] + offset(i), r * pitch(p_) + i);
    } else {
      for (index i = 0; i < size; ++i) {
        const index from = offset(i);
        for (index r = 0; r < count_; ++r) move(first[r] + from, r * pitch(p_) + i);
      }
    }
  }

  const P& p_;
  P here_;
  index row_;
  index count_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
