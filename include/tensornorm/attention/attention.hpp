// attend(): attention over the units of a problem, by the kernel that was asked for.
#pragma once

#include "fused.hpp"
#include "unfused.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Two ways to the same result.
enum class attention_path { fused, unfused };

/// Queries that a kernel takes side by side at this level.
template <class T>
index query_lanes_at(isa_level level) {
  return level == isa_level::avx512 ? query_lanes<avx512, T>
         : level == isa_level::avx2 ? query_lanes<avx2, T>
                                    : query_lanes<baseline, T>;
}

/// The pieces of work that a problem splits into. Any split gives the same bits.
template <class P>
index attention_units(const P& p, attention_path path, isa_level level = active_isa()) {
  const index heads = p.shape.batch * p.shape.heads;
  if (p.shape.queries == 0) return 0;
  return path == attention_path::unfused
             ? heads
             : heads * ceil_div(p.shape.queries, query_lanes_at<typename P::compute>(level));
}

/// Numbers of memory that attend() needs for any range of units.
template <class P>
index attention_memory(const P& p, attention_path path, isa_level level = active_isa()) {
  const index lanes = query_lanes_at<typename P::compute>(level);
  return path == attention_path::unfused ? unfused_memory<P>::size(p.shape, lanes)
                                         : fused_memory<P>::size(p.shape, lanes);
}

/// Attends for units [first, last) of a checked problem. memory holds attention_memory() numbers, at an
/// address that is a multiple of 64.
template <attention_path Path, class P>
void attend(const P& p, index first, index last, typename P::compute* memory,
            isa_level level = active_isa()) {
  if constexpr (Path == attention_path::unfused)
    dispatch_at<unfused_attention>(level, p, first, last, memory);
  else
    dispatch_at<fused_attention>(level, p, first, last, memory);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
