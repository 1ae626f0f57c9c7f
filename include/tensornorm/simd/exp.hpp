// 2^x and tanh of every lane: the same bits on every instruction set with fused multiply-add.
#pragma once

#include "memory.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// What exp2 needs to know of a type.
template <class T>
struct exp2_constants;

template <>
struct exp2_constants<float> {
  static constexpr int count = 6;
  static constexpr int mantissa_bits = 23;
  static constexpr float log2_e = 0x1.715476p0f;  // and what is missing
  static constexpr float log2_e_rest = 0x1.4ae0bfp-26f;
  static constexpr float saturated = 32;  // tanh of more is 1
  static constexpr float lowest = -127;   // 2^lowest is the first that counts as zero
  static constexpr float integer =
      0x1.8p23f;  // added to a number, leaves its nearest integer in the low bits
  // (2^f - 1) / f for |f| <= 1/2, highest power first; relative error 1.1e-8 (Remez).
  static constexpr float coefficients[count] = {1.54035122e-4f, 1.33907353e-3f, 9.61823761e-3f,
                                                5.55035733e-2f, 2.40226492e-1f, 6.93147182e-1f};
  // (tanh(x) / x - 1) / x² in powers of x², x² <= 3/8; relative error 1.1e-7.
  static constexpr int tanh_count = 5;
  static constexpr float tanh_coefficients[tanh_count] = {-6.18411275e-3f, 2.10560448e-2f, -5.38630709e-2f,
                                                          1.33328483e-1f, -3.33333284e-1f};
};

template <>
struct exp2_constants<double> {
  static constexpr int count = 11;
  static constexpr int mantissa_bits = 52;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double log2_e_rest = 0x1.777d0ffda0d24p-56;
  static constexpr double saturated = 32;
  static constexpr double lowest = -1023;
  static constexpr double integer = 0x1.8p52;
  // As above; relative error 1.8e-17.
  static constexpr double coefficients[count] = {
      4.4455372281544426e-10, 7.0725617019303202e-9, 1.0178121299165704e-7, 1.3215442724231127e-6,
      1.5252733701214656e-5,  1.540353044148068e-4,  1.3333558146531633e-3, 9.6181291076070652e-3,
      5.5504108664821236e-2,  2.4022650695910097e-1, 6.9314718055994529e-1};
  // As above; relative error 2.1e-16.
  static constexpr int tanh_count = 11;
  static constexpr double tanh_coefficients[tanh_count] = {
      -1.7792686331675918e-5, 8.0597477555112033e-5, -2.3154688843717925e-4, 5.8776595301746276e-4,
      -1.4553937381520006e-3, 3.592072358504676e-3,  -8.8632311168063607e-3, 2.186948833121969e-2,
      -5.3968253963357332e-2, 1.3333333333328759e-1, -3.3333333333333326e-1};
};

/// x as n + f, where n is the integer nearest to x. power is 2^n, or zero where that would be subnormal or
/// less.
template <class V>
struct exp2_parts {
  V power;
  V f;
};

template <class Isa, class T, int N>
TENSORNORM_INLINE exp2_parts<vec<Isa, T, N>> split_exponent(const vec<Isa, T, N>& any_x) {
  using V = vec<Isa, T, N>;
  using c = exp2_constants<T>;
  const V x = larger(any_x, V::splat(c::lowest));  // a NaN stays
  // The bias of the exponent goes in with the integer, so that a shift makes the power.
  const V shift = V::splat(c::integer - c::lowest);
  const V rounded = x + shift;
  return {shift_bits_left<c::mantissa_bits>(rounded), x - (rounded - shift)};
}

/// power · (2^f - 1) + offset.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> exp2_part(const exp2_parts<vec<Isa, T, N>>& e,
                                           const vec<Isa, T, N>& offset) {
  using V = vec<Isa, T, N>;
  using c = exp2_constants<T>;
  V q = V::splat(c::coefficients[0]);
  TENSORNORM_UNROLL
  for (int i = 1; i < c::count; ++i) q = fma(q, e.f, V::splat(c::coefficients[i]));
  return fma(times(e.power, e.f), q, offset);
}

/// 2^x to within one unit in the last place (one and a half without fused multiply-add), for x below 127.5
/// (1023.5 for double). Exactly 1 for 0, exactly 0 for -inf and below 2^-126.5 (2^-1022.5). NaN stays NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> exp2(const vec<Isa, T, N>& x) {
  const auto e = split_exponent(x);
  return exp2_part(e, e.power);
}

/// The same for e^(Factor · x), x finite and Factor a power of two: nothing of the product is lost.
template <int Factor, class Isa, class T, int N>
TENSORNORM_INLINE exp2_parts<vec<Isa, T, N>> split_exp(const vec<Isa, T, N>& x) {
  using V = vec<Isa, T, N>;
  using c = exp2_constants<T>;
  const V factor = V::splat(Factor * c::log2_e);
  const V exponent = times(x, factor);
  auto e = split_exponent(exponent);
  e.f = e.f + fma(x, V::splat(Factor * c::log2_e_rest), fma(x, factor, V::splat(0) - exponent));
  return e;
}

/// tanh(x) with a relative error below 1.6 epsilon, or 2 without fused multiply-add. ±1 for ±inf; NaN stays
/// NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> tanh(const vec<Isa, T, N>& any_x) {
  using V = vec<Isa, T, N>;
  using c = exp2_constants<T>;
  const V magnitude = abs(any_x);
  const V x = select(V::splat(c::saturated) < magnitude, V::splat(c::saturated), magnitude);

  // Near zero a polynomial, which only corrects x.
  const V square = times(x, x);
  V correction = V::splat(c::tanh_coefficients[0]);
  TENSORNORM_UNROLL
  for (int i = 1; i < c::tanh_count; ++i)
    correction = fma(correction, square, V::splat(c::tanh_coefficients[i]));
  const V near = fma(times(x, square), correction, x);

  // Elsewhere -E / (E + 2), where E = e^(-2|x|) - 1.
  const auto e = split_exp<-2>(x);
  const V expm1 = exp2_part(e, e.power - V::splat(1));
  const V far = (V::splat(0) - expm1) / (expm1 + V::splat(2));

  const V result = select(x < V::splat(T(0.6)), near, far);
  return select(any_x < V::splat(0), V::splat(0) - result, result);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
