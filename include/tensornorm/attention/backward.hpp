// differentiate_attention(): the gradients of attention, by the kernel that was asked for.
#pragma once

#include "attention.hpp"
#include "bias_gradient.hpp"
#include "fused_backward.hpp"
#include "unfused_backward.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// How a backward kernel splits its work. Any split gives the same bits.
struct attention_gradient_work {
  index units;   // of differentiate_attention()
  index memory;  // numbers that it needs for any range of units
};

template <attention_path Path, class P>
attention_gradient_work gradient_work_of(const P& p) {
  const bool wanted = p.shape.heads > 0 && (p.dq || p.wants_keys());
  const index units = wanted ? p.shape.batch * p.shape.key_heads : 0;
  return {units, Path == attention_path::unfused ? unfused_gradient_memory<P>::size(p)
                                                 : gradient_memory<P>::size(p)};
}

/// Gradients for units [first, last) of a checked problem. memory is a range's own, at an address that is a
/// multiple of 64.
template <attention_path Path, class P>
void differentiate_attention(const P& p, index first, index last, typename P::compute* memory,
                             isa_level level = active_isa()) {
  if constexpr (Path == attention_path::unfused)
    dispatch_at<unfused_attention_backward>(level, p, first, last, memory);
  else
    dispatch_at<fused_attention_backward>(level, p, first, last, memory);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
