// A norm that other work is fused with goes through the rows in pieces, and each step leaves a piece in the
// cache for the next.
#pragma once

#include <initializer_list>

#include "normalize.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// How a piece lies in memory: where its first row begins, and the steps from there.
template <class T>
struct piece_memory {
  T* data = nullptr;
  index row = 0;
  index block = 0;
  index element = 0;

  T* at(const rows_shape& rows, index r, index i) const {
    return data + r * row + i / rows.run * block + i % rows.run * element;
  }
};

/// Some rows that are worked on together.
struct piece {
  index outer;
  index inner;
  index count;
};

/// Neighbouring elements of a piece: of row `row` from element `element` on, or element `element` of some
/// rows.
struct piece_run {
  index row;
  index element;
  index parameter;  // the first, or the one that all share
};

/// How the rows of a problem are taken in pieces. Contiguous rows follow one another, and runs go along them;
/// of others runs go across.
class pieces {
 public:
  /// For a norm that leaves `bytes` for each number. Its first array decides how runs go.
  template <class P>
  pieces(const P& p, std::size_t bytes, std::initializer_list<rows_strides> arrays)
      : rows_(p.rows),
        parameters_(p.parameters),
        along_(p.rows.inner == 1 && contiguous(p.rows, *arrays.begin())),
        whole_(!p.parameters.per_block) {
    for (const rows_strides& s : arrays)
      whole_ = whole_ && (rows_.blocks == 1 || s.block == rows_.run * s.element);
    constexpr index cached_bytes = 16 << 10;
    const index fit = cached_bytes / (rows_.size() * static_cast<index>(bytes));
    if (along_)
      count_ = fit < 1 ? 1 : fit;
    else
      count_ = rows_.inner == 1 && parameters_.groups > 1 ? 1
               : fit < column_tile                        ? column_tile
               : fit > column_panel                       ? column_panel
                                                          : fit / column_tile * column_tile;
  }

  /// How many there are.
  index size() const { return slices() * ceil_div(side(), count_); }

  piece at(index n) const {
    const index in_slice = ceil_div(side(), count_);
    const index slice = n / in_slice;
    const index first = n % in_slice * count_;
    const index count = side() - first < count_ ? side() - first : count_;
    return rows_.inner == 1 ? piece{first, 0, count} : piece{slice, first, count};
  }

  /// The rows of a piece have these numbers from here on.
  index first_row(const piece& at) const { return at.outer * rows_.inner + at.inner; }

  /// The piece in an array.
  template <class T>
  piece_memory<T> memory(T* data, const rows_strides& s, const piece& at) const {
    return {data + at.outer * s.outer + at.inner * s.inner, rows_.inner == 1 ? s.outer : s.inner, s.block,
            s.element};
  }

  /// As many numbers as the largest piece has. Contiguous pieces are as far apart.
  index work_size() const { return count_ * rows_.size(); }

  /// A piece in memory of its own.
  template <class T>
  piece_memory<T> work(T* data) const {
    if (along_) return {data, rows_.size(), rows_.run, 1};
    return {data, 1, rows_.run * count_, count_};
  }

  /// The problem of a piece alone.
  template <class P>
  P problem(const P& whole, const piece& at, const piece_memory<const typename P::data_type>& x,
            const piece_memory<typename P::result_type>& y) const {
    P p = whole;
    p.x = x.data;
    p.y = y.data;
    p.rows = along_ ? rows_shape{at.count, 1, rows_.blocks, rows_.run}
                    : rows_shape{1, at.count, rows_.blocks, rows_.run};
    p.x_strides = {along_ ? x.row : 0, along_ ? 1 : x.row, x.block, x.element};
    p.y_strides = {along_ ? y.row : 0, along_ ? 1 : y.row, y.block, y.element};
    p.parameters.first = whole.parameters.first + at.outer;
    const index row = first_row(at);
    if (p.mean) p.mean += row;
    if (p.mean_residual) p.mean_residual += row;
    if (p.rstd) p.rstd += row;
    return p;
  }

  const rows_shape& rows() const { return rows_; }
  /// Runs go along rows.
  bool along() const { return along_; }
  /// Every element of a run has a parameter of its own.
  bool own_parameters() const { return along_ && !parameters_.per_block; }

  /// The runs of a piece, and the elements of each.
  index runs(const piece& at) const {
    return !along_ ? rows_.size() : whole_ ? at.count : at.count * rows_.blocks;
  }
  index run_size(const piece& at) const { return !along_ ? at.count : whole_ ? rows_.size() : rows_.run; }
  piece_run run(const piece& at, index n) const {
    if (along_ && whole_) return {n, 0, 0};
    const index row = along_ ? n / rows_.blocks : 0;
    const index element = along_ ? n % rows_.blocks * rows_.run : n;
    if (!parameters_.per_block) return {row, element, element};
    return {row, element, parameters_.group(at.outer + row) * rows_.blocks + element / rows_.run};
  }
  /// The step from one element of a run to the next.
  template <class T>
  index run_step(const piece_memory<T>& m) const {
    return along_ ? m.element : m.row;
  }

 private:
  index slices() const { return rows_.inner == 1 ? 1 : rows_.outer; }
  index side() const { return rows_.inner == 1 ? rows_.outer : rows_.inner; }

  rows_shape rows_;
  parameter_shape parameters_;
  bool along_;
  bool whole_;  // a row is one run
  index count_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
