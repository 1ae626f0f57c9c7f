// The two 16-bit floating point formats as bits, and their conversions.
#pragma once

#include <cstdint>

#include "../config.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// IEEE 754 binary16, as bits.
struct float16 {
  std::uint16_t bits;
};

/// The upper half of a float, as bits.
struct bfloat16 {
  std::uint16_t bits;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
