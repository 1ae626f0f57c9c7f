// attend(): attention over the units of a problem, by the kernel that was asked for.
#pragma once

#include "bfloat16_products.hpp"
#include "decode.hpp"
#include "decode_merge.hpp"
#include "fused.hpp"
#include "unfused.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Two ways to the same result.
enum class attention_path { fused, unfused };

/// Whether the fused kernel multiplies pairs of bfloat16 at this level.
template <class P>
bool multiplies_pairs(const P& p, isa_level level) {
#if TENSORNORM_X86_LEVELS
  if constexpr (std::is_same_v<typename P::data_type, bfloat16>)
    return level == isa_level::avx512 && machine_has_bfloat16_dot() && bfloat16_products<P>::fit(p);
#endif
  static_cast<void>(p);
  static_cast<void>(level);
  return false;
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
    return {heads, unfused_memory<P>::size(p.shape, lanes), 0, 0};
  } else if (decodes(p)) {
    const chunk_states<P> states(p, nullptr);
    const index key_heads = p.shape.batch * p.shape.key_heads;
    return {key_heads * states.chunks, decode_memory<P>::size(p), states.size(p.shape), key_heads};
  } else {
    index memory = fused_memory<P, wide_products<P>>::size(p.shape, lanes);
#if TENSORNORM_X86_LEVELS
    if constexpr (std::is_same_v<typename P::data_type, bfloat16>)
      if (multiplies_pairs(p, level)) memory = fused_memory<P, bfloat16_products<P>>::size(p.shape, lanes);
#endif
    return {heads * ceil_div(p.shape.queries, lanes), memory, 0, 0};
  }
}

template <class P>
void attend_fused(const P& p, index first, index last, typename P::compute* memory, isa_level level) {
#if TENSORNORM_X86_LEVELS
  if constexpr (std::is_same_v<typename P::data_type, bfloat16>)
    if (multiplies_pairs(p, level))
      return enter<fused_attention_with<bfloat16_products>>(avx512(), p, first, last, memory);
#endif
  dispatch_at<fused_attention>(level, p, first, last, memory);
}

/// Attends for units [first, last) of a checked problem. memory is a range's own; both are at addresses that
/// are multiples of 64.
template <attention_path Path, class P>
void attend(const P& p, index first, index last, typename P::compute* memory, typename P::compute* shared,
            isa_level level = active_isa()) {
  if constexpr (Path == attention_path::unfused)
    dispatch_at<unfused_attention>(level, p, first, last, memory);
  else if (decodes(p))
    dispatch_at<decode_attention>(level, p, first, last, memory, shared);
  else
    attend_fused(p, first, last, memory, level);
}

/// Results [first, last) from what attend() left in shared memory.
template <class P>
void write_decoded(const P& p, index first, index last, typename P::compute* shared,
                   isa_level level = active_isa()) {
  dispatch_at<decode_merge>(level, p, first, last, shared);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
