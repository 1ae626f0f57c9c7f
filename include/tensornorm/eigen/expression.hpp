// A norm as an Eigen expression: evaluated straight into what it is assigned to, on its device.
#pragma once

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
  using formula = Formula;
  using source = X;
  using scalar = scalar_of<X>;
  using accumulator = accumulator_t<scalar>;
  template <class Y>
  using problem = kernel::norm_problem<stored_t<scalar>, stored_t<W>, stored_t<B>, Y>;

  row_plan<X> plan;
  parameter<W> weight;
  parameter<B> bias;
  double eps;
  index correction;
  tensornorm::rounding rounding;
  statistics<accumulator>* save;

  /// Normalizes x into y on the device. Both have the shape that was checked.
  template <class Device>
  void run(const scalar* x, scalar* y, const kernel::rows_strides& y_strides, const Device& device) const {
    auto p = make_problem<stored_t<scalar>>(x);
    if (p.rows.rows() == 0) return;
    p.y = stored_pointer(y);
    p.y_strides = y_strides;
    const index units = kernel::norm_units(p);
    // As many bytes are read as written, and arithmetic hides behind them.
    const double bytes = double(sizeof(scalar)) * double(p.rows.size() * p.rows.rows()) / double(units);
    run_evenly(units, Eigen::TensorOpCost(bytes, bytes, 0), device,
               [&p](index first, index last) { kernel::normalize<Formula>(p, first, last); });
  }

  /// y is x exactly, or touches neither x nor the parameters.
  template <class Y>
  void check_memory(const placed<rank_of<X>>& x, const Y& y) const {
    if (!y.is(x) && x.memory.overlaps(y.memory))
      fail(plan.function, "y overlaps x in part; they may be the same memory or apart");
    check_parameters("y", y.memory);
  }
  /// Nothing is written over the parameters.
  void check_parameters(const char* name, const extent& to) const {
    if (memory_of(weight).overlaps(to)) fail(plan.function, name, " overlaps weight");
    if (memory_of(bias).overlaps(to)) fail(plan.function, name, " overlaps bias");
  }

  /// The problem without y, in the type that this is wanted in. Makes room for the statistics.
  template <class Y>
  problem<Y> make_problem(const scalar* x) const {
    problem<Y> p;
    p.x = stored_pointer(x);
    p.rows = plan.rows;
    p.x_strides = plan.strides(plan.shape.stride);
    p.weight = stored_pointer(weight.data);
    p.bias = stored_pointer(bias.data);
    p.weight_plus_one = weight.plus_one;
    p.round_before_weight = rounding == tensornorm::rounding::before_weight;
    p.parameters = plan.parameters;
    p.eps = eps;
    p.correction = correction;
    if (!save) return p;
    constexpr bool has_mean = !std::is_same_v<Formula, kernel::rms_formula>;
    const index rows = plan.rows.rows();
    for (auto [tensor, size] : {std::pair{&save->mean, has_mean ? rows : 0},
                                {&save->mean_residual, has_mean ? rows : 0},
                                {&save->rstd, rows}})
      if (tensor->size() != size) tensor->resize(size);
    if constexpr (has_mean) {
      p.mean = save->mean.data();
      p.mean_residual = save->mean_residual.data();
    }
    p.rstd = save->rstd.data();
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
    const auto& size = call.plan.shape.size;
    Eigen::DSizes<Index, rank_of<X>> result;
    for (std::size_t axis = 0; axis < size.size(); ++axis) result[axis] = static_cast<Index>(size[axis]);
    return result;
  }

  template <class X, class Y, class Device>
  void eval(const X& x, Y& y, const Device& device) const {
    if constexpr (plain_tensor<X>) {
      const auto& shape = call.plan.shape;
      if (shape_of(x).size != shape.size)
        fail(call.plan.function, "x was resized from ", shape_text(shape.size), " after the call, to ",
             shape_text(shape_of(x).size));
      call.check_memory(placed_at(x.data(), shape), placed_at(y.data(), shape));
      call.run(x.data(), y.data(), call.plan.strides(shape.stride), device);
    } else {
      constexpr int layout = row_major<X> ? Eigen::RowMajor : Eigen::ColMajor;
      Eigen::Tensor<typename Call::scalar, rank_of<X>, layout> value(dimensions(x));
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
  const Call& call() const { return call_; }
  const X& x() const { return x_; }

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
      const auto& plan = call_.plan;
      const auto x_shape = shape_of(x);
      const auto y_shape = shape_of_as<rank_of<X>>(y);
      if (x_shape.size != plan.shape.size || x_shape.stride != plan.shape.stride)
        fail(plan.function, "x was resized after the call");
      if (y_shape.size != x_shape.size)
        fail(plan.function, "y has shape ", y.rows(), "x", y.cols(), ", expected ", x.rows(), "x", x.cols());
      call_.check_memory(placed_at(x.data(), x_shape), placed_at(y.data(), y_shape));
      call_.run(x.data(), y.data(), plan.strides(y_shape.stride), Eigen::DefaultDevice());
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
    Flags =
        (Eigen::internal::traits<ReturnType>::Flags | Eigen::EvalBeforeNestingBit) & ~Eigen::DirectAccessBit
  };
};
