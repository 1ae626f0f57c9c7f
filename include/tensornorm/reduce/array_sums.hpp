// Sums of whole arrays in a fixed tree.
#pragma once

#include "../view/rows.hpp"
#include "lanes.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Adds arrays of sums.
struct add_sums {
  template <class Isa, class T>
  static TENSORNORM_INLINE void run(T* const& to, const T* const& from, const index& length) {
    using V = native_vec<Isa, T>;
    index i = 0;
    for (; i + V::size <= length; i += V::size) (V::load(to + i) + V::load(from + i)).store(to + i);
    for (; i < length; ++i) to[i] += from[i];
  }
};

/// The sums of blocks on their way up a subtree: pending ones wait for their neighbours.
template <class Isa, class T>
class pending_sums {
 public:
  /// The sums of the subtree come to stand in `result`; `memory` holds `levels` arrays of the length.
  TENSORNORM_INLINE pending_sums(T* result, T* memory, index length)
      : result_(result), memory_(memory), length_(length) {}

  /// Memory for the sums of the next block.
  TENSORNORM_INLINE T* next() { return at(depth_++); }
  TENSORNORM_INLINE T* next_zeros() {
    T* const sums = next();
    for (index i = 0; i < length_; ++i) sums[i] = 0;
    return sums;
  }
  /// The sums of the block are there.
  TENSORNORM_INLINE void done() {
    for (index count = ++done_; (count & 1) == 0; count >>= 1) merge();
  }
  TENSORNORM_INLINE void finish() {
    while (depth_ > 1) merge();
  }

 private:
  TENSORNORM_INLINE T* at(index level) { return level == 0 ? result_ : memory_ + (level - 1) * length_; }
  TENSORNORM_INLINE void merge() {
    --depth_;
    add_sums::run<Isa>(at(depth_ - 1), static_cast<const T*>(at(depth_)), length_);
  }

  T* result_;
  T* memory_;
  index length_;
  index depth_ = 0;
  index done_ = 0;
};

/// Merges `count` arrays of sums pairwise, neighbours first, into the first of them.
template <class T>
void merge_arrays(T* arrays, index count, index length, isa_level level = active_isa()) {
  for (index step = 1; step < count; step *= 2)
    for (index i = 0; i + step < count; i += 2 * step)
      dispatch_at<add_sums>(level, arrays + i * length, static_cast<const T*>(arrays + (i + step) * length),
                            length);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
