// A norm as int8 with a scale for each row.
#pragma once

#include "../norm/quantize.hpp"
#include "functions.hpp"

namespace tensornorm::inline TENSORNORM_ABI {
namespace detail {

/// q and scales, of the chain of what the norm leaves.
template <class T, class Chain>
struct int8_output {
  using result = T;
  static constexpr bool has_work = true;
  signed char* q;
  kernel::rows_strides strides;
  Chain chain;
  T* scales;

  kernel::piece_memory<T> memory(const kernel::pieces& all, const kernel::piece&, T* work) const {
    return all.work(work);
  }
  template <class X>
  void finish(const kernel::pieces& all, const kernel::piece& at, const kernel::piece_memory<T>& work,
              const X*) const {
    kernel::dispatch<kernel::quantize_after>(all, at, chain, work, all.memory(q, strides, at),
                                             scales + all.first_row(at));
  }
};

/// q has the shape of x, and there is a scale for each row.
template <class Plan, class Q, class Scales>
auto check_quantized(const Plan& plan, const Q& q, const Scales& scales) {
  const auto q_shape = shape_of(q);
  if (q_shape.size != plan.shape.size)
    fail(plan.function, "q has shape ", shape_text(q_shape.size), ", expected that of x, ",
         shape_text(plan.shape.size));
  const auto scales_shape = shape_of(scales);
  if (scales_shape.size[0] != plan.rows.rows())
    fail(plan.function, "there are ", scales_shape.size[0], " scales, expected one for each of ",
         plan.rows.rows(), " rows");
  if (scales_shape.size[0] > 1 && scales_shape.stride[0] != 1)
    fail(plan.function, "scales step by ", scales_shape.stride[0], " in memory, expected neighbours");
  return std::pair{placed_at(q.data(), q_shape), placed_at(scales.data(), scales_shape)};
}

template <class X, class Call, class Q, class Scales, class Device>
void quantize_plain(const X& x, const Call& call, Q& q, Scales& scales, const Device& device) {
  const auto& plan = call.plan;
  const auto x_shape = shape_of(x);
  if (x_shape.size != plan.shape.size || x_shape.stride != plan.shape.stride)
    fail(plan.function, "x was resized after the call");
  const auto [q_at, scales_at] = check_quantized(plan, q, scales);
  if (q_at.memory.overlaps(scales_at.memory)) fail(plan.function, "q overlaps scales");
  const auto check = [&](const char* name, const auto& to) {
    if (placed_at(x.data(), x_shape).memory.overlaps(to.memory)) fail(plan.function, name, " overlaps x");
    call.check_parameters(name, to.memory);
    call.check_after(name, to.memory);
    call.sum.check_apart(plan.function, name, to.memory);
  };
  check("q", q_at);
  check("scales", scales_at);
  const auto chain = call.after.kernel();
  using output = int8_output<typename Call::accumulator, std::remove_const_t<decltype(chain)>>;
  run_pieces(
      call, call.sum, x.data(), call.passes_cache(sizeof(typename Call::scalar)),
      output{reinterpret_cast<signed char*>(q.data()), plan.strides(q_at.stride), chain, scales.data()},
      device);
}

}  // namespace detail

/// Quantizes a norm, or a chain of functions of one, in its pass over memory:
///
///     scale = max|y| / 127 of each row,   q = y / scale, rounded to nearest, ties to even.
///
///     tn::quantize(tn::rms_norm(tn::residual(x, skip, s), w), q, scales, pool);
///
/// Shapes    q that of x; scales: a tensor or vector with one number for each row, in the storage order of
///           the rows.
/// Types     q int8 (signed char), scales accumulator_t. y stays in accumulator_t and is not rounded before.
/// Aliasing  q and scales overlap nothing else.
/// Edges     -127 to 127, never -128. Where the scale is zero, infinite or NaN the row of q is zero and the
///           scale says why.
/// Error     one rounding of max|y| / 127 and of y / scale each, beside that of the norm.
/// Bits      the same for every layout and number of threads, with AVX2 and AVX-512.
/// Throws    std::invalid_argument, before anything is written, naming both sizes.
/// Cost      x read once from memory, q written once.
template <detail::eigen_argument E, detail::eigen_argument Q, detail::eigen_argument Scales,
          class Device = Eigen::DefaultDevice>
void quantize(const E& norm, Q& q, Scales& scales, const Device& device = {}) {
  detail::check_norm<E>();
  using parts = detail::norm_expression_parts<E>;
  using X = detail::norm_source_of<E>;
  static_assert(sizeof(detail::scalar_of<Q>) == 1 && std::is_integral_v<detail::scalar_of<Q>> &&
                    std::is_signed_v<detail::scalar_of<Q>> &&
                    detail::any_tensor<Q> == detail::any_tensor<X> &&
                    detail::rank_of<Q> == detail::rank_of<X> && detail::row_major<Q> == detail::row_major<X>,
                "q is a tensor or matrix of signed char, of the rank and storage order of x");
  static_assert(std::is_same_v<detail::scalar_of<Scales>, accumulator_t<detail::scalar_of<X>>> &&
                    detail::rank_of<Scales> == 1,
                "scales is a tensor of rank 1 or a vector, of accumulator_t of the scalar of x");
  const auto& call = detail::fused(parts::call(norm));
  const auto& x = parts::x(norm);
  if constexpr (detail::plain_tensor<X> || detail::plain_matrix<X>) {
    detail::quantize_plain(x, call, q, scales, device);
  } else if constexpr (detail::any_tensor<X>) {
    Eigen::Tensor<detail::scalar_of<X>, detail::rank_of<X>,
                  detail::row_major<X> ? Eigen::RowMajor : Eigen::ColMajor>
        value(call.plan.shape.size);
    value.device(device) = x;
    detail::quantize_plain(value, call, q, scales, device);
  } else {
    const typename X::PlainObject value = x;
    detail::quantize_plain(value, call, q, scales, device);
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI
