// A norm as an Eigen expression: evaluated straight into what it is assigned to, on its device.
#pragma once

#include <algorithm>
#include <unsupported/Eigen/CXX11/Tensor>
#include <utility>

#include "../norm/normalize.hpp"
#include "argument.hpp"
#include "device.hpp"
#include "parameter.hpp"
#include "plan.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// Everything about a checked call but the memory of x and y. Formula is one of the kernels'.
template <class Formula, class X, class W, class B>
struct norm_call {
  using scalar = scalar_of<X>;
  using accumulator = accumulator_t<scalar>;
  using problem = kernel::norm_problem<stored_t<scalar>, stored_t<W>, stored_t<B>>;
  static constexpr int rank = rank_of<X>;

  const char* function;
  shape_of_t<X> x_shape;
  axis_run axes;
  kernel::rows_shape rows;
  kernel::rows_strides strides;  // of x, and of a y without gaps
  kernel::parameter_shape parameters;
  parameter<W> weight;
  parameter<B> bias;
  double eps;
  index correction;
  tensornorm::rounding rounding;
  statistics<accumulator>* save;

  /// Normalizes x into y on the device. Both have the shape that was checked.
  template <class Device>
  void run(const scalar* x, scalar* y, const kernel::rows_strides& y_strides, const Device& device) const {
    if (rows.rows() == 0) return resize_statistics();
    resize_statistics();
    const problem p = make_problem(x, y, y_strides);
    const index units = kernel::norm_units(p);
    // As many bytes are read as written, and arithmetic hides behind them. A block for each thread: the
    // rows cost the same, and then the caller's thread takes one instead of waiting for a hop.
    const double bytes = double(sizeof(scalar)) * double(rows.size() * rows.rows()) / double(units);
    run_units(
        units, Eigen::TensorOpCost(bytes, bytes, 0), device,
        [&p](index first, index last) { kernel::normalize<Formula>(p, first, last); },
        [&](index block) { return std::max(block, share_of(units, device)); });
  }

  /// y is x exactly, or touches neither x nor the parameters.
  void check_memory(const extent& x, const extent& y, bool same) const {
    if (!same && x.overlaps(y)) fail(function, "y overlaps x in part; they may be the same memory or apart");
    if (overlaps_parameter(weight, y)) fail(function, "y overlaps weight");
    if (overlaps_parameter(bias, y)) fail(function, "y overlaps bias");
  }

 private:
  template <class Scalar>
  static bool overlaps_parameter(const parameter<Scalar>& p, const extent& y) {
    return extent{reinterpret_cast<const char*>(p.data), reinterpret_cast<const char*>(p.data + p.count)}
        .overlaps(y);
  }

  void resize_statistics() const {
    if (!save) return;
    const index means = std::is_same_v<Formula, kernel::rms_formula> ? 0 : rows.rows();
    for (auto [tensor, size] :
         {std::pair{&save->mean, means}, {&save->mean_residual, means}, {&save->rstd, rows.rows()}})
      if (tensor->size() != size) tensor->resize(size);
  }

  problem make_problem(const scalar* x, scalar* y, const kernel::rows_strides& y_strides) const {
    problem p;
    p.x = stored_pointer(x);
    p.y = stored_pointer(y);
    p.rows = rows;
    p.x_strides = strides;
    p.y_strides = y_strides;
    p.weight = stored_pointer(weight.data);
    p.bias = stored_pointer(bias.data);
    p.weight_plus_one = weight.plus_one;
    p.round_before_weight = rounding == tensornorm::rounding::before_weight;
    p.parameters = parameters;
    p.eps = eps;
    p.correction = correction;
    if (save) {
      if constexpr (!std::is_same_v<Formula, kernel::rms_formula>) {
        p.mean = save->mean.data();
        p.mean_residual = save->mean_residual.data();
      }
      p.rstd = save->rstd.data();
    }
    return p;
  }
};

/// The functor under x.customOp(...): Eigen hands it x, the memory of y, and the device.
template <class Call>
struct tensor_norm {
  Call call;

  template <class X>
  auto dimensions(const X&) const {
    using Index = typename X::Index;
    Eigen::DSizes<Index, Call::rank> result;
    for (std::size_t axis = 0; axis < call.x_shape.size.size(); ++axis)
      result[axis] = static_cast<Index>(call.x_shape.size[axis]);
    return result;
  }

  template <class X, class Y, class Device>
  void eval(const X& x, Y& y, const Device& device) const {
    if constexpr (plain_tensor<X>) {
      if (shape_of(x).size != call.x_shape.size)
        fail(call.function, "x was resized from ", shape_text(call.x_shape.size), " after the call, to ",
             shape_text(shape_of(x).size));
      const auto& s = call.x_shape;
      call.check_memory(extent_of(x.data(), s.size, s.stride), extent_of(y.data(), s.size, s.stride),
                        x.data() == y.data());
      call.run(x.data(), y.data(), call.strides, device);
    } else {
      constexpr int layout = row_major<X> ? Eigen::RowMajor : Eigen::ColMajor;
      Eigen::Tensor<typename Call::scalar, Call::rank, layout> value(dimensions(x));
      value.device(device) = x;
      eval(value, y, device);
    }
  }
};

/// What a norm of a matrix returns: y = matrix_norm(...) calls evalTo with y.
template <class Call, class X>
class matrix_norm : public Eigen::ReturnByValue<matrix_norm<Call, X>> {
 public:
  matrix_norm(const Call& call, const X& x) : call_(call), x_(x) {}

  Eigen::Index rows() const { return x_.rows(); }
  Eigen::Index cols() const { return x_.cols(); }

  template <class Y>
  void evalTo(Y& y) const {
    if constexpr (!plain_matrix<X>) {
      const typename X::PlainObject value = x_;
      write(value, y);
    } else {
      write(x_, y);
    }
  }

 private:
  template <class V, class Y>
  void write(const V& x, Y& y) const {
    if constexpr (!plain_matrix<Y> || !std::is_same_v<scalar_of<Y>, scalar_of<X>>) {
      typename X::PlainObject value(x.rows(), x.cols());
      write(x, value);
      y = value;
    } else {
      const auto x_shape = shape_of(x);
      const auto y_shape = shape_of_as<rank_of<X>>(y);
      if (x_shape.size != call_.x_shape.size || x_shape.stride != call_.x_shape.stride)
        fail(call_.function, "x was resized after the call");
      if (y_shape.size != x_shape.size)
        fail(call_.function, "y has shape ", y.rows(), "x", y.cols(), ", expected ", x.rows(), "x", x.cols());
      call_.check_memory(extent_of(x.data(), x_shape.size, x_shape.stride),
                         extent_of(y.data(), y_shape.size, y_shape.stride),
                         x.data() == y.data() && x_shape.stride == y_shape.stride);
      call_.run(x.data(), y.data(), strides_of(y_shape.stride, call_.axes, row_major<X>),
                Eigen::DefaultDevice());
    }
  }

  Call call_;
  typename Eigen::internal::ref_selector<X>::type x_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail

template <class Call, class X>
struct Eigen::internal::traits<tensornorm::detail::matrix_norm<Call, X>>
    : Eigen::internal::traits<typename X::PlainObject> {
  using ReturnType = typename X::PlainObject;
  // As Eigen has it for what is returned by value: there is no memory behind it yet.
  enum {
    Flags = (Eigen::internal::traits<ReturnType>::Flags | Eigen::EvalBeforeNestingBit) & ~Eigen::DirectAccessBit
  };
};
