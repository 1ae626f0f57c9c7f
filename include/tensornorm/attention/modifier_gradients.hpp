// How modifiers change gradients of scores on their way back.
#pragma once

#include "modifier_chain.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Which gradients are asked for: of the scores as they came from Q·Kᵀ, or of the bias, which is added after
/// softcap.
enum class score_gradient { of_products, of_bias };

/// The derivative of each modifier: `scores` holds what it receives and then what it makes of it; `gradient`
/// has the same lines and is multiplied. What only adds something leaves the gradient.
template <class Isa, class M, class T>
TENSORNORM_INLINE void differentiate_by(const M& m, const score_tile<T>& scores, T*) {
  if (m.needed(scores)) m.template apply<Isa>(scores);
}
template <class Isa, class T>
TENSORNORM_INLINE void differentiate_by(const softcap_scores<T>& m, const score_tile<T>& scores,
                                        T* gradient) {
  using V = native_vec<Isa, T>;
  m.template apply<Isa>(scores);
  for (index n = 0; n < scores.line_count(); ++n)
    update_line<V>(gradient + n * scores.line_step, scores.lane_count(),
                   [&](index lane, const V& g) TENSORNORM_INLINE_LAMBDA {
                     const V t = V::load(scores.line(n) + lane) / V::splat(m.cap);
                     // (1 - t)(1 + t): near ±1 the square of t has rounded away what is left.
                     const V slope = times(V::splat(1) - t, V::splat(1) + t);
                     return times(g, slope);
                   });
}
template <class Isa, class F, class T>
TENSORNORM_INLINE void differentiate_by(const own_scores<F>& m, const score_tile<T>& scores, T* gradient) {
  if constexpr (own_scores<F>::stage == attention_stage::score) {
    constexpr bool has_derivative = requires(const F& f, T s, const score_place& at) { f.derivative(s, at); };
    static_assert(has_derivative,
                  "a modifier of your own at attention_stage::score needs a member  T derivative(T score, "
                  "score_place) const  for gradients");
    for (index n = 0; n < scores.line_count(); ++n)
      for (index lane = 0; lane < scores.lane_count(); ++lane) {
        T& score = scores.line(n)[lane];
        const score_place at = scores.place(n, lane);
        gradient[n * scores.line_step + lane] *= m.f.derivative(score, at);
        score = m.f(score, at);
      }
  }
}

/// Every derivative of a chain in the fixed order, given the scores as they came from Q·Kᵀ.
struct differentiate_kernel {
  template <class Isa, class T, class... M>
  static TENSORNORM_INLINE void run(const modifier_chain<M...>& chain, const score_tile<T>& scores,
                                    T* const& gradient, const T& scale, const score_gradient& which) {
    using V = native_vec<Isa, T>;
    for (index n = 0; n < scores.line_count(); ++n)
      update_line<V>(scores.line(n), scores.lane_count(),
                     [&scale](index, const V& s)
                         TENSORNORM_INLINE_LAMBDA { return times(s, V::splat(scale)); });
    if (which == score_gradient::of_products)
      stage<Isa, attention_stage::softcap>(chain, scores, gradient);
    else
      chain.template apply_stage<Isa, attention_stage::softcap>(scores);
    if constexpr ((... || (M::stage == attention_stage::score))) {
      chain.template apply_stage<Isa, attention_stage::bias>(scores);
      chain.template apply_stage<Isa, attention_stage::alibi>(scores);
      stage<Isa, attention_stage::score>(chain, scores, gradient);
    }
  }

 private:
  template <class Isa, attention_stage, class T>
  static TENSORNORM_INLINE void stage(const modifier_chain<>&, const score_tile<T>&, T*) {}
  template <class Isa, attention_stage Stage, class T, class M, class... Rest>
  static TENSORNORM_INLINE void stage(const modifier_chain<M, Rest...>& chain, const score_tile<T>& scores,
                                      T* gradient) {
    if constexpr (M::stage == Stage) differentiate_by<Isa>(chain.first, scores, gradient);
    stage<Isa, Stage>(chain.rest, scores, gradient);
  }
};

/// The derivatives of any chain, behind pointers. Refers to the chain.
template <class T>
class modifier_gradients {
 public:
  modifier_gradients() = default;
  template <class... M>
  explicit modifier_gradients(const modifier_chain<M...>& chain)
      : chain_(&chain), changes_((... || changes<M>)), functions_(&functions_of<modifier_chain<M...>>) {}

  /// False if gradients of scores, and of biases, are what reaches the softmax.
  bool change() const { return changes_; }
  template <class Isa>
  void differentiate(const score_tile<T>& scores, T* gradient, T scale, score_gradient which) const {
    functions_->at[static_cast<int>(Isa::level)](chain_, scores, gradient, scale, which);
  }

 private:
  using function = void (*)(const void*, const score_tile<T>&, T*, T, score_gradient);
  struct functions {
    function at[3];  // by level
  };

  template <class M>
  static constexpr bool changes = M::stage == attention_stage::softcap || M::stage == attention_stage::score;
  template <class Isa, class Chain>
  static void differentiate_at(const void* chain, const score_tile<T>& scores, T* gradient, T scale,
                               score_gradient which) {
    enter<differentiate_kernel>(Isa(), *static_cast<const Chain*>(chain), scores, gradient, scale, which);
  }
  template <class Chain>
  static constexpr functions functions_of{{&differentiate_at<isa_at<isa_level::baseline>, Chain>,
                                           &differentiate_at<isa_at<isa_level::avx2>, Chain>,
                                           &differentiate_at<isa_at<isa_level::avx512>, Chain>}};

  const void* chain_ = nullptr;
  bool changes_ = false;
  const functions* functions_ = nullptr;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
