// Functions that follow a norm in the same pass.
#pragma once

#include "make_norm.hpp"
#include "map.hpp"

namespace tensornorm::inline TENSORNORM_ABI {
namespace detail {

/// A function of each element, as a step after a norm.
template <class F>
struct function_step {
  F f;
  kernel::element_function<F> kernel() const { return {f}; }
  bool overlaps(const extent&) const { return false; }
};
template <class T>
struct number_step {
  T factor;
  kernel::times_number<T> kernel() const { return {factor}; }
  bool overlaps(const extent&) const { return false; }
};
template <class W>
struct scale_step {
  parameter<W> gamma;
  kernel::times_parameter<stored_t<W>> kernel() const { return {stored_pointer(gamma.data)}; }
  bool overlaps(const extent& y) const { return memory_of(gamma).overlaps(y); }
};
template <class W>
struct shift_step {
  parameter<W> beta;
  kernel::plus_parameter<stored_t<W>> kernel() const { return {stored_pointer(beta.data)}; }
  bool overlaps(const extent& y) const { return memory_of(beta).overlaps(y); }
};

/// The norm with a step after it.
template <norm_expression E, class Step>
auto followed_by(const E& norm, Step step) {
  using parts = norm_expression_parts<E>;
  return wrap(with_step(fused(parts::call(norm)), std::move(step)), parts::x(norm));
}

/// f of each element: with a norm in its pass, else in one of its own.
template <class X, class F>
auto map(const X& x, const F& f) {
  if constexpr (norm_expression<X>) {
    return followed_by(x, function_step<F>{f});
  } else {
    check_data_type<X>();
    if constexpr (any_tensor<X>)
      return x.customOp(map_tensor<F>{f});
    else
      return map_matrix<F, X>(f, x);
  }
}

template <class E>
using norm_source_of = std::remove_cvref_t<decltype(norm_expression_parts<E>::x(std::declval<const E&>()))>;

/// A parameter of what follows a norm, by the rules of its weight.
template <norm_expression E, class P>
auto read_step_parameter(const E& norm, const char* name, const P& p) {
  using X = norm_source_of<E>;
  static_assert(parameter_fits<scalar_of<P>, scalar_of<X>>,
                "gamma and beta must have the scalar type of x or a wider one (float for half and bfloat16, "
                "double for all but double): cast them");
  const auto& plan = norm_expression_parts<E>::call(norm).plan;
  return read_parameter<X>(plan.site(), name, plan.normalized(), p);
}

template <class E>
constexpr void check_norm() {
  static_assert(
      norm_expression<E>,
      "shift, layer_scale and quantize follow a norm: pass what rms_norm, simple_norm, layer_norm or "
      "group_norm returns, or a function of that");
}

}  // namespace detail

/// Functions of a norm, in its pass over memory; they nest as in mathematics:
///
///     y.device(pool) = tn::layer_scale(tn::silu(tn::layer_norm(x, w, b)), gamma);
///
///     silu(norm)                 y / (1 + e^-y)
///     gelu(norm)                 y · Φ(y) = y / 2 · (1 + erf(y / √2))
///     gelu_tanh(norm)            y / 2 · (1 + tanh(√(2/π) · (y + 0.044715 y³)))
///     tanh(norm, factor = 1)     tanh(factor · y)
///     shift(norm, beta)          y + beta, an entry for each entry of the norm's weight
///     layer_scale(norm, gamma)   y · gamma, likewise, or y · number
///     then(norm, f)              f(y), of a caller's own
///
/// Shapes    those of the norm; beta and gamma as its weight.
/// Types     those of the norm. All of it in accumulator_t, one rounding at the end.
/// Aliasing  that of the norm, and y overlaps neither beta nor gamma.
/// Edges     at ±inf the limits, NaN stays NaN. tanh, silu and gelu of ±0 are zeros.
/// Error     silu, gelu and gelu_tanh at most 4 eps of |y|, tanh 1.6 eps of the result, beside that of the
///           norm.
/// Bits      those of the norm in accumulator_t, then of the functions: for every layout, number of threads,
///           AVX2 and AVX-512.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      that of the norm and arithmetic; no pass over memory. Rows of more than 8192 floats need memory
///           for one of them and thread, rows that lie across memory for 64.
/// Source    Hendrycks and Gimpel 2016, arXiv:1606.08415 (GELU and SiLU).
///
/// silu, gelu, gelu_tanh, tanh and then take any other tensor or matrix too, in a pass over it.
template <detail::eigen_argument X>
auto silu(const X& x) {
  return detail::map(x, kernel::silu_function());
}
template <detail::eigen_argument X>
auto gelu(const X& x) {
  return detail::map(x, kernel::gelu_function());
}
template <detail::eigen_argument X>
auto gelu_tanh(const X& x) {
  return detail::map(x, kernel::gelu_tanh_function());
}
template <detail::eigen_argument X>
auto tanh(const X& x, double factor = 1) {
  using accumulator = accumulator_t<detail::scalar_of<X>>;
  return detail::map(x, kernel::tanh_function<accumulator>{static_cast<accumulator>(factor)});
}

/// f(y) for a function object of the caller's own, copied. It is called with registers of accumulator_t:
///
///     struct leaky_relu {
///       template <class V>
///       TENSORNORM_INLINE V operator()(const V& y) const { return larger(y, y * V::splat(0.01)); }
///     };
///
/// V has + - * /, V::splat(number), V::scalar, and in tensornorm::kernel fma(a, b, c), times(a, b), larger(a,
/// b), abs, sqrt, exp2, tanh, silu, gelu, select(a < b, yes, no). TENSORNORM_INLINE compiles it for the
/// instruction set in use. A product of * that goes into a sum may be contracted by the compiler, one of
/// times() never is: with it the bits are the same everywhere.
template <detail::eigen_argument X, class F>
auto then(const X& x, const F& f) {
  return detail::map(x, f);
}

template <detail::eigen_argument E, detail::eigen_argument P>
auto shift(const E& norm, const P& beta) {
  detail::check_norm<E>();
  return detail::followed_by(
      norm, detail::shift_step<detail::scalar_of<P>>{detail::read_step_parameter(norm, "beta", beta)});
}

template <detail::eigen_argument E, detail::eigen_argument P>
auto layer_scale(const E& norm, const P& gamma) {
  detail::check_norm<E>();
  return detail::followed_by(
      norm, detail::scale_step<detail::scalar_of<P>>{detail::read_step_parameter(norm, "gamma", gamma)});
}
template <detail::eigen_argument E>
auto layer_scale(const E& norm, double factor) {
  detail::check_norm<E>();
  using accumulator = accumulator_t<detail::scalar_of<E>>;
  return detail::followed_by(norm, detail::number_step<accumulator>{static_cast<accumulator>(factor)});
}

}  // namespace tensornorm::inline TENSORNORM_ABI
