// SiLU and GELU of every lane: the same bits on every instruction set with fused multiply-add.
#pragma once

#include "exp.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

template <class T>
struct activation_constants;

/// Φ(-x) = e^(-x²/2) · w · P(slope · w + offset), w = 1 / (x + shift), for x >= 0 and Φ the distribution
/// function of the normal distribution. The variable of P goes from -1 to 1 while x goes from where
/// e^(-x²/2) vanishes to zero. P is the interpolation of erfc at Chebyshev's points.
template <>
struct activation_constants<float> {
  static constexpr float vanished = 200;         // e^-vanished counts as zero,
  static constexpr float vanished_squared = 16;  // and so does e^(-x²/2) of this x
  static constexpr float shift = 3;
  static constexpr float slope = 7.35338346f;
  static constexpr float offset = -1.45112782f;
  // Highest power first; relative error 1.2e-9.
  static constexpr int count = 11;
  static constexpr float coefficients[count] = {
      7.1724124e-6f,   -5.01456674e-6f, -7.46252664e-5f, 1.33211877e-4f, 6.10190018e-4f, -1.88248095e-3f,
      -7.15984429e-3f, 2.02984195e-2f,  1.68823887e-1f,  4.88350448e-1f, 8.30898637e-1f};
};

template <>
struct activation_constants<double> {
  static constexpr double vanished = 1500;
  static constexpr double vanished_squared = 40;
  static constexpr double shift = 5.25;
  static constexpr double slope = 11.962201591511936229;
  static constexpr double offset = -1.2785145888594164246;
  // As above; relative error 2e-18.
  static constexpr int count = 23;
  static constexpr double coefficients[count] = {
      -5.3791479399102059e-11, 8.0261990434525029e-12, 7.4216343308502187e-10, -2.5738957931195288e-10,
      -6.962308414808184e-9,   3.1765025526412743e-9,  6.329516810167315e-8,   -1.6319867545757628e-8,
      -6.1440020613080688e-7,  -2.7864685011212813e-7, 6.1073530261527258e-6,  1.1711367094192259e-5,
      -4.853864964017385e-5,   -2.6019990952414142e-4, -1.6165465415137493e-4, 3.0607304630810628e-3,
      1.7695359563251277e-2,   5.9872863317917424e-2,  1.5062883650357493e-1,  3.0392621678109527e-1,
      5.0884604990977324e-1,   7.1879957143335869e-1,  8.6262379593969642e-1};
};

/// The smaller of a >= 0 and limit; NaN stays.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> at_most(const vec<Isa, T, N>& a, T limit) {
  const auto most = vec<Isa, T, N>::splat(limit);
  return select(most < a, most, a);
}

/// x / (1 + e^-t) where t has the sign of x and the magnitude given. e^t / (1 + e^t) for t < 0, so that
/// nothing overflows.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> times_logistic(const vec<Isa, T, N>& x, const vec<Isa, T, N>& magnitude) {
  using V = vec<Isa, T, N>;
  using c = activation_constants<T>;
  const V one = V::splat(1);
  const auto parts = split_exp<-1>(at_most(magnitude, c::vanished));
  const V e = exp2_part(parts, parts.power);
  const V finite = larger(x, V::splat(-c::vanished));  // -inf would meet a zero
  return finite * select(x < V::splat(0), e, one) / (e + one);
}

/// x / (1 + e^-x), off by less than 3 epsilon of it. 0 at -inf; NaN stays NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> silu(const vec<Isa, T, N>& x) {
  return times_logistic(x, abs(x));
}

/// x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))), off by less than 3 epsilon of x. 0 at -inf; NaN stays NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> gelu_tanh(const vec<Isa, T, N>& x) {
  using V = vec<Isa, T, N>;
  const V linear = V::splat(T(1.5957691216057307117597842397375));  // 2 √(2/π)
  const V cubic = V::splat(T(0.071354816272600248776238752231863));
  return times_logistic(x, abs(times(x, fma(times(x, x), cubic, linear))));
}

/// x · Φ(x) = x / 2 · (1 + erf(x / √2)), off by less than 3 epsilon of x. 0 at -inf; NaN stays NaN.
template <class Isa, class T, int N>
TENSORNORM_INLINE vec<Isa, T, N> gelu(const vec<Isa, T, N>& x) {
  using V = vec<Isa, T, N>;
  using c = activation_constants<T>;
  const V magnitude = at_most(abs(x), c::vanished_squared);
  // e^(-(square + rest) / 2): the rounding of the square would be multiplied by it.
  const V half_square = times(times(magnitude, magnitude), V::splat(T(0.5)));
  const V half_rest = fma(times(magnitude, V::splat(T(0.5))), magnitude, V::splat(0) - half_square);
  auto parts = split_exp<-1>(half_square);
  parts.f = fma(half_rest, V::splat(-exp2_constants<T>::log2_e), parts.f);
  const V e = exp2_part(parts, parts.power);

  const V w = V::splat(1) / (magnitude + V::splat(c::shift));
  const V u = fma(w, V::splat(c::slope), V::splat(c::offset));
  V p = V::splat(c::coefficients[0]);
  TENSORNORM_UNROLL
  for (int i = 1; i < c::count; ++i) p = fma(p, u, V::splat(c::coefficients[i]));
  const V tail = times(times(e, w), p);
  const V finite = larger(x, V::splat(-c::vanished_squared));
  return times(finite, select(x < V::splat(0), tail, V::splat(1) - tail));
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
