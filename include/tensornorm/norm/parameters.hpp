// What follows the normalized element: rounding, weight and bias, as far as a call has them.
#pragma once

#include "formula.hpp"
#include "problem.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Which parameters a call has, known when the loop is compiled.
template <class T, bool HasWeight, bool HasBias, bool RoundFirst>
struct affine_step {
  using compute = compute_t<T>;

  /// normalized * w + b, as far as there are a weight and a bias.
  template <class L>
  static TENSORNORM_INLINE L apply(const L& normalized, const L& w, const L& b) {
    L y = normalized;
    if constexpr (RoundFirst) y = round_to<T>(y);
    if constexpr (HasWeight && HasBias)
      return fma(y, w, b);
    else if constexpr (HasWeight)
      return y * w;
    else if constexpr (HasBias)
      return fma(y, L::splat(1), b);  // a plain sum would be for the compiler to contract, or not
    else
      return y;
  }
};

/// The step for elements that share their parameters.
template <class Step>
struct shared_affine {
  typename Step::compute weight;
  typename Step::compute bias;

  template <class L>
  TENSORNORM_INLINE L operator()(const L& normalized) const {
    return Step::apply(normalized, L::splat(weight), L::splat(bias));
  }
};

/// The step for elements that each have their own.
template <class T, class W, class B, bool HasWeight, bool HasBias, bool RoundFirst>
struct affine {
  using step = affine_step<T, HasWeight, HasBias, RoundFirst>;
  using compute = typename step::compute;

  const W* weight;
  const B* bias;
  compute weight_offset;  // 1 for weights stored minus one, else -0, which changes no number

  /// The results for elements i, i + 1, ...
  template <class V>
  TENSORNORM_INLINE V operator()(const V& normalized, index i) const {
    V w = V::splat(1);
    V b = V::splat(0);
    if constexpr (HasWeight) w = load<V>(weight + i) + V::splat(weight_offset);
    if constexpr (HasBias) b = load<V>(bias + i);
    return step::apply(normalized, w, b);
  }

  /// The step with the parameters of element i.
  TENSORNORM_INLINE shared_affine<step> shared(index i) const {
    shared_affine<step> s{1, 0};
    if constexpr (HasWeight) s.weight = widen<compute>(weight[i]) + weight_offset;
    if constexpr (HasBias) s.bias = widen<compute>(bias[i]);
    return s;
  }
};

/// Saves the constants of row number `row`, which are lane `lane` of S, at the scale of the data.
template <class P, class S>
TENSORNORM_INLINE void save(const P& p, index row, const row_constants<S>& c, const S& scale, int lane) {
  if (!p.rstd) return;
  p.rstd[row] = c.rstd[lane] * scale[lane];
  if (!p.mean) return;
  p.mean[row] = c.mean[lane] / scale[lane];
  p.mean_residual[row] = c.residual[lane] / scale[lane];
}

/// Calls run(affine) with the affine type that fits the problem. A formula without bias is compiled
/// without it.
template <class Formula, class T, class W, class B, class F>
TENSORNORM_INLINE void with_affine(const norm_problem<T, W, B>& p, const F& run) {
  using compute = compute_t<T>;
  const compute offset = p.weight_plus_one ? compute(1) : compute(-0.0);
  if constexpr (Formula::has_bias) {
    if (p.weight && p.bias) return run(affine<T, W, B, true, true, false>{p.weight, p.bias, offset});
    if (p.bias) return run(affine<T, W, B, false, true, false>{p.weight, p.bias, offset});
    if (p.weight) return run(affine<T, W, B, true, false, false>{p.weight, p.bias, offset});
  } else if constexpr (sizeof(T) == 2) {
    if (p.weight && p.round_before_weight) return run(affine<T, W, B, true, false, true>{p.weight, p.bias, offset});
    if (p.weight) return run(affine<T, W, B, true, false, false>{p.weight, p.bias, offset});
  } else {
    if (p.weight) return run(affine<T, W, B, true, false, false>{p.weight, p.bias, offset});
  }
  run(affine<T, W, B, false, false, false>{p.weight, p.bias, offset});
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
