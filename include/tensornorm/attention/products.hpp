// Which of the products fused attention multiplies with.
#pragma once

#include "amx_products.hpp"
#include "pair_products.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// The products of these terms.
template <class P, class Terms>
struct products_by_terms {
  using type = wide_products<P>;
};
#if TENSORNORM_X86_LEVELS
template <class P>
struct products_by_terms<P, pair_terms> {
  using type = pair_products<P>;
};
#endif
#if TENSORNORM_AMX
template <class P>
struct products_by_terms<P, amx_terms> {
  using type = amx_products<P>;
};
#endif

/// What a kernel for Isa multiplies the numbers of P with.
template <class Isa, class P>
using products_of = typename products_by_terms<P, terms_of<Isa, P>>::type;

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
