// The kernel for contiguous rows whose results go past the cache, to memory.
#pragma once

#include "row_norm.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// row_norm for results that go past the cache.
template <class Formula>
struct row_stream_norm {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last) {
    // Conversions then keep the machine busier than memory does: not worth a kernel.
    if constexpr (converts_by_arithmetic<Isa, typename P::data_type>)
      enter<row_norm<Formula>>(Isa(), p, first, last);
    else
      write_past_cache<Isa>(p, first, last);
  }

 private:
  template <class Isa, class P>
  static TENSORNORM_INLINE void write_past_cache(const P& p, index first, index last) {
    constexpr index page = 4096;
    const index row_bytes = p.rows.size() * static_cast<index>(sizeof(*p.x));
    normalize_rows<Formula, Isa>(
        p, first, last, page,
        [&](const auto& scan, index row, const auto& constants) TENSORNORM_INLINE_LAMBDA {
          // While rows leave for memory others come from there: the next, and of short ones those after.
          const auto* const next = reinterpret_cast<const char*>(scan.x[0]) + scan.count * row_bytes;
          read_ahead ahead{next + (row_bytes <= page ? page : 0)};
          contiguous_rows<Formula, Isa>::write(
              scan, p, row, constants,
              [&](const auto& writer, index begin, index end, const auto& affine)
                  TENSORNORM_INLINE_LAMBDA { writer.write_past_cache(begin, end, affine, ahead); });
        });
    stream_fence();
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
