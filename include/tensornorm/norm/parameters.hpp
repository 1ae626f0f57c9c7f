// What follows the normalized element: rounding, weight and bias, as far as a call has them.
#pragma once

#include "formula.hpp"
#include "problem.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Which parameters a call has, known when the loop is compiled.
template <class T, class W, class B, bool HasWeight, bool HasBias, bool RoundFirst>
struct affine {
  using compute = compute_t<T>;

  const W* weight;
  const B* bias;
  compute weight_offset;  // 1 for weights stored minus one, else -0, which changes no number

  /// The parameters from element `first` on.
  TENSORNORM_INLINE affine from(index first) const {
    return {HasWeight ? weight + first : weight, HasBias ? bias + first : bias, weight_offset};
  }

  /// The result for elements i, i + 1, ...; each lane has its own parameters.
  template <class V>
  TENSORNORM_INLINE V operator()(const V& normalized, index i) const {
    V y = rounded(normalized);
    if constexpr (HasWeight) {
      const V w = load<V>(weight + i) + V::splat(weight_offset);
      if constexpr (HasBias)
        y = fma(y, w, load<V>(bias + i));
      else
        y = y * w;
    } else if constexpr (HasBias) {
      y = y + load<V>(bias + i);
    }
    return y;
  }

  /// The result where all lanes have the parameters of element i.
  template <class L>
  TENSORNORM_INLINE L shared(const L& normalized, index i) const {
    L y = rounded(normalized);
    if constexpr (HasWeight) {
      const L w = L::splat(widen<compute>(weight[i]) + weight_offset);
      if constexpr (HasBias)
        y = fma(y, w, L::splat(widen<compute>(bias[i])));
      else
        y = y * w;
    } else if constexpr (HasBias) {
      y = y + L::splat(widen<compute>(bias[i]));
    }
    return y;
  }

 private:
  template <class L>
  static TENSORNORM_INLINE L rounded(const L& x) {
    if constexpr (RoundFirst)
      return round_to<T>(x);
    else
      return x;
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
