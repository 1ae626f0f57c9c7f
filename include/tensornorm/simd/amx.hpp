// Tiles of bfloat16 and their products: AMX of x86. A tile has 16 rows of 64 bytes, and there are 8 of them.
#pragma once

#include "../config.hpp"

#if TENSORNORM_AMX

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace tensornorm::inline TENSORNORM_ABI::kernel::amx {

inline constexpr int tile_rows = 16;
inline constexpr int tile_bytes = 64;
/// Pairs of bfloat16, or float, in a row.
inline constexpr int tile_numbers = 16;
/// Terms of each sum of a product.
inline constexpr int tile_depth = 32;

/// Whether the machine has such tiles and the system lets the process use them; asked for once. Every thread
/// of the process may use them then.
inline bool is_there() {
  static const bool there = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned bfloat16_tiles = 1u << 22, tiles = 1u << 24;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & bfloat16_tiles) == 0 || (d & tiles) == 0)
      return false;
    constexpr long ask_for_state = 0x1023;  // ARCH_REQ_XCOMP_PERM, Linux 5.16 and newer
    constexpr long tile_data = 18;
    return syscall(SYS_arch_prctl, ask_for_state, tile_data) == 0;
  }();
  return there;
}

/// Tiles can be used as long as one lives. Not for one within another.
class session {
 public:
  TENSORNORM_INLINE session() {
    struct alignas(64) {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t bytes_of_row[16] = {};
      std::uint8_t rows[16] = {};
    } shape;
    for (int n = 0; n < 8; ++n) {
      shape.bytes_of_row[n] = tile_bytes;
      shape.rows[n] = tile_rows;
    }
    asm volatile("ldtilecfg %0" : : "m"(shape));
  }
  TENSORNORM_INLINE ~session() { asm volatile("tilerelease"); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;
};

template <int Tile>
TENSORNORM_INLINE void zero() {
  asm volatile("tilezero %%tmm%c0" : : "i"(Tile));
}
/// From rows that are so many bytes apart.
template <int Tile>
TENSORNORM_INLINE void load(const void* rows, std::ptrdiff_t step) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(Tile), "r"(rows), "r"(step) : "memory");
}
template <int Tile>
TENSORNORM_INLINE void store(void* rows, std::ptrdiff_t step) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(Tile), "r"(rows), "r"(step) : "memory");
}
/// C += A · B: C of float; the rows of A are pairs of its depth, the rows of B are pairs of depths. A sum has
/// two chains of fused multiply-adds, of the even and of the odd depths; their sum is added to C. Subnormal
/// numbers count as 0.
template <int C, int A, int B>
TENSORNORM_INLINE void multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
}

/// As long as one lives, subnormal numbers count as 0 in all arithmetic of the thread, as they do in products
/// of tiles. What is meant to be computed so is read from memory and written to memory meanwhile: the
/// compiler does not know of it otherwise.
class without_subnormals {
 public:
  TENSORNORM_INLINE without_subnormals() {
    asm volatile("stmxcsr %0" : "=m"(before_));
    constexpr std::uint32_t results = 0x8000, operands = 0x0040;
    const std::uint32_t meanwhile = before_ | results | operands;
    asm volatile("ldmxcsr %0" : : "m"(meanwhile) : "memory");
  }
  TENSORNORM_INLINE ~without_subnormals() { asm volatile("ldmxcsr %0" : : "m"(before_) : "memory"); }
  without_subnormals(const without_subnormals&) = delete;
  without_subnormals& operator=(const without_subnormals&) = delete;

 private:
  std::uint32_t before_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel::amx

#endif  // TENSORNORM_AMX
