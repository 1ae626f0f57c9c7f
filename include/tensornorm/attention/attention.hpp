// attend(): attention over the units of a problem, by the kernel that was asked for.
#pragma once

#include "decode.hpp"
#include "decode_merge.hpp"
#include "fused.hpp"
#include "unfused.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Two ways to the same result.
enum class attention_path { fused, unfused };

/// Calls f with what the machine has for the products of the problem beyond the level, or else with `usual`.
template <class P, class Usual, class F>
auto with_products_at([[maybe_unused]] isa_level level, Usual usual, const F& f) {
  if constexpr (std::is_same_v<typename P::data_type, bfloat16>) {
#if TENSORNORM_AMX
    if (takes_amx(level)) return f(avx512_amx());
#endif
#if TENSORNORM_X86_LEVELS
    if (takes_bfloat16_dot(level)) return f(avx512_bfloat16());
#endif
  }
  return f(usual);
}

/// Runs the kernel, at the level avx512 with the products of bfloat16 of the machine if it takes them.
template <class Kernel, class P, class... Args>
void dispatch_products_at(isa_level level, const P& p, const Args&... args) {
  with_products_at<P>(level, level, [&]<class Isa>(Isa isa) {
    if constexpr (std::is_same_v<Isa, isa_level>)
      dispatch_at<Kernel>(isa, p, args...);
    else
      enter<Kernel>(isa, p, args...);
  });
}

/// How a kernel splits its work. Any split gives the same bits.
struct attention_work {
  index units;   // of attend()
  index memory;  // numbers that attend() needs for any range of units
  index shared;  // numbers that all ranges need together, 0 if none
  index
      results;  // units of write_decoded(), which follows when all of attend() is done; 0 if nothing follows
};

template <attention_path Path, class P>
attention_work work_of(const P& p, isa_level level = active_isa()) {
  if (p.shape.queries == 0) return {0, 0, 0, 0};
  const index heads = p.shape.batch * p.shape.heads;
  const index lanes = query_lanes_at<typename P::compute>(level);
  if constexpr (Path == attention_path::unfused) {
    return {heads, unfused_memory<P>::size(p, lanes), 0, 0};
  } else if (decodes(p)) {
    const chunk_states<P> states(p, nullptr);
    const index key_heads = p.shape.batch * p.shape.key_heads;
    const index memory = with_products_at<P>(level, baseline(), [&]<class Isa>(Isa) {
      return decode_memory<P>::size(p, heads_at_once(p), decode_tiles<Isa, P>::memory_for(p));
    });
    return {key_heads * states.chunks, memory, states.size(p.shape), key_heads};
  } else {
    const index memory = with_products_at<P>(level, baseline(), [&]<class Isa>(Isa) {
      return fused_memory<P, products_of<Isa, P>>::size(p, lanes);
    });
    return {heads * ceil_div(p.shape.queries, lanes), memory, 0, 0};
  }
}

/// Attends for units [first, last) of a checked problem. memory is a range's own; both are at addresses that
/// are multiples of 64.
template <attention_path Path, class P>
void attend(const P& p, index first, index last, typename P::compute* memory, typename P::compute* shared,
            isa_level level = active_isa()) {
  if constexpr (Path == attention_path::unfused)
    dispatch_at<unfused_attention>(level, p, first, last, memory);
  else if (decodes(p))
    dispatch_products_at<decode_attention>(level, p, first, last, memory, shared);
  else
    dispatch_products_at<fused_attention>(level, p, first, last, memory);
}

/// Results [first, last) from what attend() left in shared memory.
template <class P>
void write_decoded(const P& p, index first, index last, typename P::compute* shared,
                   isa_level level = active_isa()) {
  dispatch_at<decode_merge>(level, p, first, last, shared);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
