// Products of bfloat16 by tiles of the machine, and what gives the same bits number by number.
#pragma once

#include <utility>

#include "bfloat16_pairs.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

#if TENSORNORM_AMX

/// Numbers as they are, which add up as those of tiles do: sums over depth start anew after each tile,
/// subnormal numbers count as 0, and weights are rounded.
struct amx_terms : single_terms {
  static constexpr index depth = amx::tile_depth;

  template <class V>
  static TENSORNORM_INLINE void make_weights(float* weights, index count) {
    using bits = typename conversion<V::size>::bits;
    for (index i = 0; i < count; i += V::size) {
      bits rounded;
      narrow_lanes(V::load(weights + i), rounded);
      V{__builtin_bit_cast(typename V::native, rounded << 16)}.store(weights + i);
    }
  }

  template <class V, int Lines>
  static TENSORNORM_INLINE void store_weights(const V (&weights)[Lines], float* lines, index line_step,
                                              index j) {
    pair_terms::store_weights(weights, lines, line_step, j);
  }

  class arithmetic {
   public:
    TENSORNORM_INLINE arithmetic() {}
    template <class Sums>
    TENSORNORM_INLINE void holds(Sums& sums) const {
      struct {
        Sums copy;
      } held;
      std::memcpy(&held, &sums, sizeof(held));
      asm volatile("" : "+m"(held));
      std::memcpy(&sums, &held, sizeof(held));
    }

   private:
    amx::without_subnormals products_;
  };
};

/// A · B. Rows of A are pairs of depths, rows of B are the lanes of a pair. Rows of A are read up to whole
/// tiles, depths are whole tiles.
struct amx_product {
  /// Tiles of rows that are worked on at once.
  static constexpr int tiles = 4;
  static constexpr index together = tiles * amx::tile_rows;

  const float* a;
  index a_step;  // from one row to the next
  index rows;
  const float* b;
  index depth;  // in bfloat16
  index lanes;

  /// The product of rows [row, row + together), as far as there are, and of the tile of lanes that begins at
  /// `lane`: to rows that are c_step numbers apart, up to whole tiles of them.
  TENSORNORM_INLINE void multiply(index row, index lane, float* c, index c_step) const {
    const index left = ceil_div(rows - row, index{amx::tile_rows});
    if (left >= 4)
      multiply(row, lane, c, c_step, std::make_integer_sequence<int, 4>());
    else if (left == 3)
      multiply(row, lane, c, c_step, std::make_integer_sequence<int, 3>());
    else if (left == 2)
      multiply(row, lane, c, c_step, std::make_integer_sequence<int, 2>());
    else
      multiply(row, lane, c, c_step, std::make_integer_sequence<int, 1>());
  }

 private:
  template <int... Tile>
  TENSORNORM_INLINE void multiply(index row, index lane, float* c, index c_step,
                                  std::integer_sequence<int, Tile...>) const {
    constexpr int of_b = tiles, of_a = tiles + 1, others = 3;
    constexpr index bytes = sizeof(float);
    const float* const rows_of_a = a + row * a_step;
    (amx::zero<Tile>(), ...);
    for (index n = 0; n < depth / 2; n += amx::tile_numbers) {
      amx::load<of_b>(b + n * lanes + lane, lanes * bytes);
      ((amx::load<of_a + Tile % others>(rows_of_a + Tile * amx::tile_rows * a_step + n, a_step * bytes),
        amx::multiply<Tile, of_a + Tile % others, of_b>()),
       ...);
    }
    (amx::store<Tile>(c + Tile * amx::tile_rows * c_step, c_step * bytes), ...);
  }
};

#endif  // TENSORNORM_AMX

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
