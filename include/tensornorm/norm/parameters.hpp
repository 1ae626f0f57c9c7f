// What follows the normalized element: rounding, weight and bias, as far as a call has them.
#pragma once

#include "formula.hpp"
#include "problem.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Which parameters a call has, as far as the loop is compiled for it: `any` asks at run time.
enum class parameter_kind { none, weight, weight_and_bias, any };

/// The parameters of some elements.
template <class V>
struct factors {
  V weight;
  V bias;
};

/// What an absent bias adds: of the two zeros, the one that changes no number.
template <class T>
inline constexpr T no_bias = T(-0.0);

/// normalized * weight + bias for elements that each have their own.
template <class T, class W, class B, parameter_kind Kind>
struct affine {
  using compute = compute_t<T>;

  const W* weight;
  const B* bias;
  bool weight_plus_one;
  bool round_first;

  /// The parameters of elements i, i + 1, ...
  template <class V>
  TENSORNORM_INLINE factors<V> at(index i) const {
    factors<V> f{V::splat(1), V::splat(no_bias<compute>)};
    if constexpr (Kind == parameter_kind::any) {
      if (weight) f.weight = load<V>(weight + i);
      if (weight && weight_plus_one) f.weight = f.weight + V::splat(1);
      if (bias) f.bias = load<V>(bias + i);
    } else if constexpr (Kind != parameter_kind::none) {
      f.weight = load<V>(weight + i);
      if constexpr (Kind == parameter_kind::weight_and_bias) f.bias = load<V>(bias + i);
    }
    return f;
  }

  /// The results for normalized elements with parameters f. An fma also where one of them is absent:
  /// a plain sum would be for the compiler to contract, or not.
  template <class L>
  TENSORNORM_INLINE L apply(const L& normalized, const factors<L>& f) const {
    if constexpr (Kind == parameter_kind::any && sizeof(T) == 2)
      if (round_first) return fma(round_to<T>(normalized), f.weight, f.bias);
    if constexpr (Kind == parameter_kind::none)
      return normalized;
    else if constexpr (Kind == parameter_kind::weight)
      return normalized * f.weight;
    else
      return fma(normalized, f.weight, f.bias);
  }
};

/// normalized * weight + bias for elements that share them.
template <class T>
struct shared_affine {
  using compute = compute_t<T>;

  compute weight;
  compute bias;
  bool round_first;

  template <class L>
  TENSORNORM_INLINE factors<L> at(index) const {
    return {L::splat(weight), L::splat(bias)};
  }
  template <class L>
  TENSORNORM_INLINE L apply(const L& normalized, const factors<L>& f) const {
    if constexpr (sizeof(T) == 2)
      if (round_first) return fma(round_to<T>(normalized), f.weight, f.bias);
    return fma(normalized, f.weight, f.bias);
  }
};

/// The parameters of element (or block) i, for all the elements that share them.
template <class T, class W, class B, class Y>
TENSORNORM_INLINE shared_affine<T> shared_parameters(const norm_problem<T, W, B, Y>& p, index i) {
  using compute = compute_t<T>;
  shared_affine<T> s{1, no_bias<compute>, p.round_before_weight};
  if (p.weight) s.weight = widen<compute>(p.weight[i]) + compute(p.weight_plus_one ? 1 : 0);
  if (p.bias) s.bias = widen<compute>(p.bias[i]);
  return s;
}

/// Saves the constants of row number `row`, which are lane `lane` of S, at the scale of the data.
template <class P, class S>
TENSORNORM_INLINE void save(const P& p, index row, const row_constants<S>& c, const S& scale, int lane) {
  p.rstd[row] = c.rstd[lane] * scale[lane];
  if (!p.mean) return;
  p.mean[row] = c.mean[lane] / scale[lane];
  p.mean_residual[row] = c.residual[lane] / scale[lane];
}

/// Calls run(affine) with the affine type that fits the problem. The usual cases are compiled for
/// themselves, unless they are Rare; the others share one.
template <class Formula, bool Rare, class T, class W, class B, class Y, class F>
TENSORNORM_INLINE void with_affine(const norm_problem<T, W, B, Y>& p, const F& run) {
  const bool plain = !p.weight_plus_one && !p.round_before_weight;
  const auto as = [&]<parameter_kind Kind>() TENSORNORM_INLINE_LAMBDA {
    run(affine<T, W, B, Kind>{p.weight, p.bias, p.weight_plus_one, p.round_before_weight});
  };
  if constexpr (!Rare) {
    if (plain && !p.weight && !p.bias) return as.template operator()<parameter_kind::none>();
    if constexpr (Formula::has_bias) {
      if (plain && p.weight && p.bias) return as.template operator()<parameter_kind::weight_and_bias>();
    } else {
      if (plain && p.weight) return as.template operator()<parameter_kind::weight>();
    }
  }
  as.template operator()<parameter_kind::any>();
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
