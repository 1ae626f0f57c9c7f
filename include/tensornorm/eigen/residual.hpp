// A residual before a norm, added up in the same pass.
#pragma once

#include "../norm/residual.hpp"
#include "plan.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// Made by residual(); stands in the place of x in a norm.
template <class X, class Skip, class S>
struct residual_t {
  const X& x;
  const Skip& skip;
  S& s;
  accumulator_t<detail::scalar_of<X>> alpha;
};

namespace detail {

/// What a norm is asked of: x itself, or a residual with its x.
template <class X>
struct norm_source {
  using type = X;
  static const X& of(const X& x) { return x; }
};
template <class X, class Skip, class S>
struct norm_source<residual_t<X, Skip, S>> {
  using type = X;
  static const X& of(const residual_t<X, Skip, S>& sum) { return sum.x; }
};
template <class X>
using source_of = typename norm_source<X>::type;
template <class X>
concept norm_input = eigen_argument<source_of<X>>;

/// In which statistics of X are kept.
template <class X>
using accumulator_of = accumulator_t<scalar_of<source_of<X>>>;

template <class X>
const source_of<X>& source(const X& x) {
  return norm_source<X>::of(x);
}

/// No residual.
template <class X>
struct no_sum {
  template <class Y>
  void check_memory(const char*, const Y&) const {}
  static bool reads(const void*) { return false; }
  static void check_apart(const char*, const char*, const extent&) {}
};

/// A checked residual over x, in memory.
template <class X>
struct residual_sum {
  using scalar = scalar_of<X>;

  const scalar* skip_data;
  scalar* s_data;
  placed<rank_of<X>> skip;
  placed<rank_of<X>> s;
  accumulator_t<scalar> alpha;

  bool reads(const void* y) const { return y == skip_data; }
  void check_apart(const char* function, const char* name, const extent& to) const {
    if (s.memory.overlaps(to)) fail(function, name, " overlaps s, the sum");
    if (skip.memory.overlaps(to)) fail(function, name, " overlaps skip");
  }
  /// y may be skip, but not s.
  template <class Y>
  void check_memory(const char* function, const Y& y) const {
    if (s.memory.overlaps(y.memory)) fail(function, "y overlaps s, the sum");
    if (!y.is(skip) && skip.memory.overlaps(y.memory))
      fail(function, "y overlaps skip in part; they may be the same memory or apart");
  }
};

/// Of the memory a residual writes: s is x or skip exactly, or apart from both.
template <class X, class Skip, class S>
residual_sum<X> read_residual(const row_plan<X>& plan, const residual_t<X, Skip, S>& sum) {
  const auto& shape = plan.shape;
  const auto placed_like_x = [&](const auto& a, const char* name) {
    const auto own = shape_of(a);
    if (own.size != shape.size)
      fail(plan.function, name, " has shape ", shape_text(own.size), ", expected that of x, ",
           shape_text(shape.size));
    return placed_at(a.data(), own);
  };
  const residual_sum<X> result{sum.skip.data(), sum.s.data(), placed_like_x(sum.skip, "skip"),
                               placed_like_x(sum.s, "s"), sum.alpha};
  const auto x = placed_at(sum.x.data(), shape);
  if (!result.s.is(x) && result.s.memory.overlaps(x.memory))
    fail(plan.function, "s overlaps x in part; they may be the same memory or apart");
  if (!result.s.is(result.skip) && result.s.memory.overlaps(result.skip.memory))
    fail(plan.function, "s overlaps skip in part; they may be the same memory or apart");
  return result;
}

/// A lies in memory as X does.
template <class A, class X>
constexpr bool same_kind() {
  return (plain_tensor<A> || plain_matrix<A>)&&any_tensor<A> == any_tensor<X> && rank_of<A> == rank_of<X> &&
         row_major<A> == row_major<X> && std::is_same_v<scalar_of<A>, scalar_of<X>>;
}

}  // namespace detail

/// The sum  s = x · alpha + skip  in place of the x of a norm, and of a function or quantize() around it:
///
///     y = tn::rms_norm(tn::residual(x, skip, s), weight);      // s = x + skip, y = rms_norm(s)
///
/// Shapes    x, skip, s: the same.
/// Types     tensors or matrices in memory, of one scalar type and storage order. The sum is one fused
///           multiply-add in accumulator_t, rounded once; y is the norm of what s holds then.
/// Aliasing  s may be x or skip; y may be x or skip, but not s. Any other overlap throws. x, skip and s live
///           until the expression is evaluated, which writes s.
/// Bits      those of the sum, then of the norm.
/// Throws    std::invalid_argument from the norm, before anything is written, naming both sizes.
/// Cost      x and skip read once from memory, s and y written once. The norm finds s in the cache.
template <detail::eigen_argument X, detail::eigen_argument Skip, detail::eigen_argument S>
residual_t<X, Skip, S> residual(const X& x, const Skip& skip, S& s,
                                accumulator_t<detail::scalar_of<X>> alpha = 1) {
  static_assert(
      detail::same_kind<X, X>() && detail::same_kind<Skip, X>() && detail::same_kind<S, X>(),
      "x, skip and s of a residual are tensors or matrices in memory, of the same scalar type, rank and "
      "storage order: evaluate expressions first");
  return {x, skip, s, alpha};
}

}  // namespace tensornorm::inline TENSORNORM_ABI
