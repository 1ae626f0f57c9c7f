// Gradients of attention for Eigen tensors and matrices, fused and unfused.
#pragma once

#include "attention.hpp"
#include "attention_gradient_run.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// Gradients of attention(q, k, v, ...) for dout, the gradient of its result o:
///
///     o = tn::attention(q, k, v, tn::causal(tn::align::top_left), tn::save_lse(lse));
///     auto grad = tn::attention_backward(dout, q, k, v, o, lse, tn::causal(tn::align::top_left));
///
/// Shapes    dout and o: that of the result; lse: what save_lse received. grad.q, grad.k and grad.v: those of
///           q, k and v. Fewer key heads receive the sum over their query heads.
/// Modifiers the very ones of the forward call but save_lse, in any order. One's own at stage score needs a
///           member  T derivative(T score, score_place) const.
/// Requests  in any order among the modifiers: grad_q, grad_k, grad_v, grad_score_bias, grad_sinks, each with
///           overwrite or accumulate; on(device); use_workspace(ws). As soon as one names memory, only what
///           is named is computed, and nothing is returned.
/// Types     those of attention; gradients have the scalar of q and are rounded once.
/// Aliasing  what is written overlaps nothing else.
/// Edges     queries that see nothing have gradients of zero and add none; so do absent keys and their values,
///           whatever they hold. NaN stays with the queries that see it and the keys that these see.
/// Error     2 · (8 + max|score|) · eps(T) · max|gradient| against float64, and one rounding to half or
///           bfloat16; a score whose terms nearly cancel counts as scale · Σ|q · k|.
/// Bits      the same on any number of threads, in any batch, on every instruction set with fused
///           multiply-add.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      two products of queries x keys for each head, and one for each of dq, dk and dv that is wanted.
///           Memory of O(tokens · (dim + value_dim)) for each thread. A gradient of a bias costs two products
///           more and memory of its size.
/// Source    Dao et al. 2022, arXiv:2205.14135; Dao 2023, arXiv:2307.08691.
template <detail::eigen_argument DO, detail::eigen_argument Q, detail::eigen_argument K,
          detail::eigen_argument V, detail::eigen_argument O, detail::eigen_argument L,
          detail::attention_backward_word... M>
auto attention_backward(const DO& dout, const Q& q, const K& k, const V& v, const O& o, const L& lse,
                        const M&... words) {
  return detail::make_attention_backward<kernel::attention_path::fused>("attention_backward", dout, q, k, v,
                                                                        o, lse, words...);
}

/// The same, step by step: probabilities, their gradients, those of the scores, and what these make of q, k
/// and v. Within the same error of the truth as attention_backward(), which is the one to use.
///
/// Cost      as attention_backward(), and memory of queries · keys for each thread.
template <detail::eigen_argument DO, detail::eigen_argument Q, detail::eigen_argument K,
          detail::eigen_argument V, detail::eigen_argument O, detail::eigen_argument L,
          detail::attention_backward_word... M>
auto attention_unfused_backward(const DO& dout, const Q& q, const K& k, const V& v, const O& o, const L& lse,
                                const M&... words) {
  return detail::make_attention_backward<kernel::attention_path::unfused>("attention_unfused_backward", dout,
                                                                          q, k, v, o, lse, words...);
}

}  // namespace tensornorm::inline TENSORNORM_ABI
