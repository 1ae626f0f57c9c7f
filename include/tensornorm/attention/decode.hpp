// Attention of a few queries to many keys, at the speed of memory: keys and values are read once for all
// query heads that share them. Every sum has the order that fused_attention gives it, and every query the
// same bits.
#pragma once

#include "decode_chunk.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Units are chunks of keys of a key head: head after head, or where several heads are worked on at once,
/// chunk after chunk of each batch element.
struct decode_attention {
  template <class Isa, class P>
  static TENSORNORM_INLINE void run(const P& p, const index& first, const index& last,
                                    typename P::compute* const& memory, typename P::compute* const& shared) {
    const auto tiles = decode_tiles<Isa, P>::memory_for(p);
    attend<Isa>(p, decode_memory<P>(p, heads_at_once(p), memory, tiles), chunk_states<P>(p, shared), first,
                last);
  }

  template <class Isa, class P>
  static TENSORNORM_INLINE void attend(const P& p, const decode_memory<P>& m, const chunk_states<P>& states,
                                       index first, index last) {
    for (index unit = first; unit < last;) {
      const unit_range units = units_from(p, m.heads, states.chunks, unit, last);
      see<Isa>(p, m, states, units);
      unit += units.heads;
    }
  }

 private:
  /// One chunk of so many heads.
  struct unit_range {
    index first_head;  // counted through the batch
    index heads;
    index chunk;
  };

  template <class P>
  static unit_range units_from(const P& p, index at_once, index chunks, index unit, index last) {
    if (at_once == 1) return {unit / chunks, 1, unit % chunks};
    const index heads = p.shape.key_heads;
    const index head = unit % heads;
    return {unit / (heads * chunks) * heads + head, std::min({at_once, heads - head, last - unit}),
            unit / heads % chunks};
  }

  template <class Isa, class P>
  static TENSORNORM_INLINE void see(const P& p, const decode_memory<P>& memory, const chunk_states<P>& states,
                                    const unit_range& units) {
    const auto chunk_of = [&](index n) TENSORNORM_INLINE_LAMBDA {
      return decode_chunk<Isa, P>{p, memory.of_head(n), states, units.first_head + n, units.chunk};
    };
    key_range ranges[static_cast<std::size_t>(most_heads_at_once)];
    key_range all{p.shape.keys, 0};
    for (index n = 0; n < units.heads; ++n) {
      ranges[n] = chunk_of(n).start();
      if (ranges[n].first < ranges[n].last) all = hull(all, ranges[n]);
    }
    for (index j = all.first - all.first % key_block; j < all.last; j += key_block)
      for (index n = 0; n < units.heads; ++n) chunk_of(n).see_block(ranges[n], j);
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
