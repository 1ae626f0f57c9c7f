// Which products a kernel computes of its numbers.
#pragma once

#include "bfloat16_amx.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

template <class Isa>
struct bfloat16_terms {
  using type = single_terms;
};
#if TENSORNORM_X86_LEVELS
template <>
struct bfloat16_terms<avx512_bfloat16> {
  using type = pair_terms;
};
#endif
#if TENSORNORM_AMX
template <>
struct bfloat16_terms<avx512_amx> {
  using type = amx_terms;
};
#endif

/// The terms of the sums of a kernel for Isa over the numbers of P.
template <class Isa, class P>
using terms_of = typename bfloat16_terms<
    std::conditional_t<std::is_same_v<typename P::data_type, bfloat16>, Isa, baseline>>::type;

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
