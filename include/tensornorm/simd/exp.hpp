// 2^x and tanh of every lane: the same bits on every instruction set with fused multiply-add.
#pragma once

#include <numbers>

#include "memory.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// a · b, which no compiler contracts with a sum that it goes into.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> times(const vec<Isa, T, N>& a, const vec<Isa, T, N>& b) {
  return fma(a, b, vec<Isa, T, N>::splat(T(-0.0)));
}

/// What exp2 needs to know of a type.
template <class T>
struct exp2_constants;

template <>
struct exp2_constants<float> {
  static constexpr int count = 6;
  static constexpr int mantissa_bits = 23;
  static constexpr float lowest = -127;  // 2^lowest is the first that counts as zero
  static constexpr float integer =
      0x1.8p23f;  // added to a number, leaves its nearest integer in the low bits
  // (2^f - 1) / f for |f| <= 1/2, highest power first; the relative error of 2^f is 2.6e-9 (Remez).
  static constexpr float coefficients[count] = {1.55946778e-4f, 1.34066434e-3f, 9.61769279e-3f,
                                                5.55031039e-2f, 2.40226522e-1f, 6.93147242e-1f};
};

template <>
struct exp2_constants<double> {
  static constexpr int count = 11;
  static constexpr int mantissa_bits = 52;
  static constexpr double lowest = -1023;
  static constexpr double integer = 0x1.8p52;
  // As above; relative error 1.8e-17.
  static constexpr double coefficients[count] = {
      4.0780719295883369e-10, 7.0725704128144234e-9, 1.0180647659234139e-7, 1.3215442675329823e-6,
      1.5252727385193868e-5,  1.5403530441572129e-4, 1.3333558153439966e-3, 9.6181291076070027e-3,
      5.5504108664790393e-2,  2.4022650695910097e-1, 6.9314718055994573e-1};
};

/// 2^x as power · (1 + f·q): power is 2^n for the integer n nearest to x, f is x - n. power is zero where
/// 2^n would be subnormal or less.
template <class V>
struct exp2_parts {
  V power;
  V f;
  V q;
};

template <class Isa, class T, int N>
TENSORNORM_INLINE exp2_parts<vec<Isa, T, N>> split_exp2(const vec<Isa, T, N>& any_x) {
  using V = vec<Isa, T, N>;
  using c = exp2_constants<T>;
  const V x = larger(any_x, V::splat(c::lowest));  // a NaN stays
  // The bias of the exponent goes in with the integer, so that a shift makes the power.
  const V shift = V::splat(c::integer - c::lowest);
  const V rounded = x + shift;
  const V f = x - (rounded - shift);
  V q = V::splat(c::coefficients[0]);
  TENSORNORM_UNROLL
  for (int i = 1; i < c::count; ++i) q = fma(q, f, V::splat(c::coefficients[i]));
  return {shift_bits_left<c::mantissa_bits>(rounded), f, q};
}

/// 2^x to within one unit in the last place, for x below 127.5 (1023.5 for double). Exactly 1 for 0, exactly
/// 0 for -inf and wherever the result would be subnormal. NaN stays NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> exp2(const vec<Isa, T, N>& x) {
  const auto e = split_exp2(x);
  return fma(times(e.power, e.f), e.q, e.power);
}

/// tanh(x) with a relative error below five epsilon. ±1 for ±inf; NaN stays NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> tanh(const vec<Isa, T, N>& x) {
  using V = vec<Isa, T, N>;
  const V one = V::splat(1);
  // E = e^(-2|x|) - 1 loses nothing near zero, where power is 1: tanh|x| = -E / (E + 2).
  const auto e = split_exp2(times(abs(x), V::splat(static_cast<T>(-2 * std::numbers::log2e))));
  const V small = fma(times(e.power, e.f), e.q, e.power - one);
  const V magnitude = (V::splat(0) - small) / (small + V::splat(2));
  return select(x < V::splat(0), V::splat(0) - magnitude, magnitude);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
