// One backward pass: its problem, put together request by request and checked, and its run on a device.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "../norm/differentiate.hpp"
#include "device.hpp"
#include "gradient_memory.hpp"
#include "make_norm.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// The constants of a backward call.
struct backward_constants {
  double eps;
  index correction;
};

/// One backward pass, once x and dy are in memory. Formula is one of the kernels'.
template <class Formula, class X, class W>
class backward_run {
 public:
  using scalar = scalar_of<X>;
  using accumulator = accumulator_t<scalar>;
  using weight_scalar = parameter_scalar<W, X>;
  using problem = kernel::gradient_problem<stored_t<scalar>>;

  backward_run(const row_plan<X>& plan, const array_view<const scalar>& x, const array_view<const scalar>& dy,
               const parameter<weight_scalar>& weight, const statistics<accumulator>* saved,
               const backward_constants& constants)
      : plan_(plan), x_(x), dy_(dy), weight_(weight), saved_(saved) {
    problem_.x = stored_pointer(x.data);
    problem_.dy = stored_pointer(dy.data);
    problem_.rows = plan.rows;
    problem_.x_strides = x.strides;
    problem_.dy_strides = dy.strides;
    problem_.parameters = plan.parameters;
    problem_.eps = constants.eps;
    problem_.correction = constants.correction;
    if (saved) read_statistics(*saved);
  }

  /// Takes up a request; others than those for memory have been read elsewhere.
  template <class D>
  void take(const grad_x_t<D>& request) {
    dx_ = view_array(plan_, "the gradient of x", request.to.get());
    check_output("the gradient of x", dx_);
    problem_.dx = stored_pointer(dx_.data);
    problem_.dx_strides = dx_.strides;
    if (request.mode == accumulate) add(dx_);
  }
  template <class A>
  void take(const plus_gradient_t<A>& request) {
    add(view_array(plan_, "the gradient to add", request.gradient.get()));
  }
  template <class D>
  void take(const grad_branch_t<D>& request) {
    branch_ = view_array(plan_, "the gradient of the branch", request.to.get());
    check_output("the gradient of the branch", branch_);
    problem_.branch = stored_pointer(branch_.data);
    problem_.branch_strides = branch_.strides;
    problem_.alpha = request.alpha;
  }
  template <class D>
  void take(const grad_weight_t<D>&) {
    check_parameter_type<D>();
    problem_.wants_weight = true;
  }
  template <class D>
  void take(const grad_bias_t<D>&) {
    static_assert(Formula::has_bias, "rms_norm and simple_norm have no bias: leave grad_bias out");
    check_parameter_type<D>();
    problem_.wants_bias = true;
  }
  template <class R>
  void take(const R&) {}

  /// When all requests are in: the memory that is read and written whole, each apart from the others.
  void check_apart() const {
    for (const auto* out : {&dx_, &branch_}) {
      const char* const name = out == &dx_ ? "the gradient of x" : "the gradient of the branch";
      if (addend_.data && out->memory.overlaps(addend_.memory) && !out->same_as(addend_))
        fail(plan_.function, name,
             " overlaps the gradient to add in part; they may be the same memory or apart");
    }
    if (dx_.memory.overlaps(branch_.memory))
      fail(plan_.function, "the gradient of x overlaps the gradient of the branch");
  }
  /// The gradient of a parameter touches nothing else.
  void check_parameter(const char* name, const extent& memory) const {
    const std::array<std::pair<const char*, extent>, 6> others = {
        {{"x", x_.memory},
         {"dy", dy_.memory},
         {"the gradient to add", addend_.memory},
         {"the gradient of x", dx_.memory},
         {"the gradient of the branch", branch_.memory},
         {"weight", weight_memory()}}};
    for (const auto& [other, extent] : others)
      if (memory.overlaps(extent)) fail(plan_.function, name, " overlaps ", other);
    if (touches_saved(memory)) fail(plan_.function, name, " overlaps saved");
  }

  /// Runs on the device; then finish(weight_sums, bias_sums) gets what was wanted, null where there are no
  /// rows.
  template <class Device, class Finish>
  void run(const Device& device, workspace& memory, const Finish& finish) const {
    if (problem_.rows.rows() == 0)
      return finish(static_cast<const accumulator*>(nullptr), static_cast<const accumulator*>(nullptr));
    problem p = problem_;
    const kernel::gradient_work work(p);
    const auto bytes = [](index numbers) { return static_cast<std::size_t>(numbers) * sizeof(accumulator); };
    const index sums_size = work.arrays * work.length;
    const bool widens = weight_.data && (weight_.plus_one || !std::is_same_v<weight_scalar, accumulator>);
    const workspace::lease shared(memory, bytes(sums_size + (widens ? weight_.count : 0)));
    auto* const sums = static_cast<accumulator*>(shared.data());
    if (widens) {
      for (index i = 0; i < weight_.count; ++i)
        sums[sums_size + i] =
            static_cast<accumulator>(weight_.data[i]) + accumulator(weight_.plus_one ? 1 : 0);
      p.weight = sums + sums_size;
    } else if constexpr (std::is_same_v<weight_scalar, accumulator>) {
      p.weight = weight_.data;
    }
    // Two arrays are read and one is written.
    const double cost =
        double(sizeof(scalar)) * double(plan_.rows.size() * plan_.rows.rows()) / double(work.units);
    run_evenly(work.units, Eigen::TensorOpCost(2 * cost, cost, 0), device, [&](index first, index last) {
      const workspace::lease own(memory, bytes(work.thread_memory));
      kernel::differentiate<Formula>(p, first, last, sums, static_cast<accumulator*>(own.data()));
    });
    kernel::merge_arrays(sums, work.arrays, work.length);
    finish(sums, sums + (problem_.wants_weight ? problem_.parameter_count() : 0));
  }

 private:
  template <class D>
  static constexpr void check_parameter_type() {
    static_assert(
        parameter_fits<scalar_of<std::remove_cvref_t<D>>, weight_scalar>,
        "the gradient of a parameter has the scalar type of the weight (of x without one) or a wider "
        "one: cast it afterwards");
  }

  /// What the forward pass saved is read, too.
  bool touches_saved(const extent& memory) const {
    if (!saved_) return false;
    for (const auto* values : {&saved_->mean, &saved_->mean_residual, &saved_->rstd})
      if (memory.overlaps({reinterpret_cast<const char*>(values->data()),
                           reinterpret_cast<const char*>(values->data() + values->size())}))
        return true;
    return false;
  }

  extent weight_memory() const {
    return {reinterpret_cast<const char*>(weight_.data),
            reinterpret_cast<const char*>(weight_.data + weight_.count)};
  }

  void read_statistics(const statistics<accumulator>& saved) {
    const index rows = plan_.rows.rows();
    const auto check = [&](const char* name, const Eigen::Tensor<accumulator, 1>& values) {
      if (values.size() != rows)
        fail(plan_.function, "saved.", name, " has ", values.size(), " elements, expected ", rows,
             ", one for each row", plan_.site());
    };
    check("rstd", saved.rstd);
    problem_.rstd = saved.rstd.data();
    if constexpr (Formula::has_mean) {
      check("mean", saved.mean);
      check("mean_residual", saved.mean_residual);
      problem_.mean = saved.mean.data();
      problem_.mean_residual = saved.mean_residual.data();
    }
  }

  void add(const array_view<const scalar>& addend) {
    if (addend_.data)
      fail(plan_.function,
           "the gradient of x accumulates, and another is to be added: ask for one of the two");
    addend_ = addend;
    problem_.addend = stored_pointer(addend.data);
    problem_.addend_strides = addend.strides;
  }

  /// An output is x or dy exactly, or touches neither them nor the weight.
  void check_output(const char* name, const array_view<scalar>& out) const {
    for (const auto* in : {&x_, &dy_})
      if (out.memory.overlaps(in->memory) && !out.same_as(*in))
        fail(plan_.function, name, " overlaps ", in == &x_ ? "x" : "dy",
             " in part; they may be the same memory or apart");
    if (out.memory.overlaps(weight_memory())) fail(plan_.function, name, " overlaps weight");
    if (touches_saved(out.memory)) fail(plan_.function, name, " overlaps saved");
  }

  const row_plan<X>& plan_;
  const array_view<const scalar> x_;
  const array_view<const scalar> dy_;
  const parameter<weight_scalar>& weight_;
  const statistics<accumulator>* saved_;
  array_view<scalar> dx_;
  array_view<scalar> branch_;
  array_view<const scalar> addend_;
  problem problem_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
