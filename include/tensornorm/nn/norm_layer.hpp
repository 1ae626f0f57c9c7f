// What layers around a norm share: forward and backward with statistics kept between them, parameters by
// name.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "../eigen/argument.hpp"
#include "../eigen/errors.hpp"
#include "../eigen/gradient_memory.hpp"
#include "../eigen/gradient_requests.hpp"
#include "../eigen/options.hpp"
#include "../eigen/plan.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// A parameter as an optimizer sees it: two views into its layer, which must live and stay in place.
template <class P>
struct named_parameter {
  std::string name;
  Eigen::TensorMap<Eigen::Tensor<P, 1>> value;
  Eigen::TensorMap<Eigen::Tensor<P, 1>> gradient;
};

/// Parameters by name, as a layer saves and loads them.
template <class P>
using parameter_map = std::map<std::string, Eigen::Tensor<P, 1>>;

namespace detail {

/// What a parameter is before it has learned anything.
struct parameter_start {
  const char* name;
  index count;  // 0: the layer has none
  double value;
};

/// How an x falls into rows.
struct row_counts {
  index rows;
  index elements;  // of each
};

}  // namespace detail

/// What RmsNorm, SimpleNorm, LayerNorm, GroupNorm and TanhNorm do alike. Layer is one of them, and has
/// describe() (its parameters), normalize() and differentiate().
///
///   y.device(pool) = norm(x);            // inference
///   y.device(pool) = norm.forward(x);    // training: the same bits, and the statistics of the rows are kept
///   auto dx = norm.backward(dy, x);      // with these statistics; adds to the gradients of the parameters
///
/// Shapes    x, y, dy, dx alike, any tensor or matrix that the norm takes; parameters are flat.
/// Types     Scalar: float, double, half, bfloat16; parameters of the same type or wider. Their gradients are
///           rounded to that type each time one is added: let 16-bit models learn float parameters.
/// Aliasing  y may be x where x is not needed again: backward needs it. dx may be dy or x.
/// Edges     no rows: nothing is written and gradients stay.
/// Throws    std::invalid_argument naming the layer, before anything is written: x, dy or parameters of other
///           sizes, or a backward whose x has not as many rows as the last forward.
/// Cost      that of the norm; forward writes the statistics, backward does not compute them again.
template <class Layer, class Options, class Scalar, class Parameter>
class NormLayer {
  static_assert(detail::supported_scalar<Scalar>,
                "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: choose one of these");
  static_assert(
      detail::parameter_fits<Parameter, Scalar>,
      "parameters have the scalar type of the data or a wider one (float for half and bfloat16, double "
      "for all but double)");

 public:
  using accumulator = accumulator_t<Scalar>;
  using parameter_type = Eigen::Tensor<Parameter, 1>;

  const Options& options() const { return options_; }

  /// The norm of x as an Eigen expression. x and the layer must live until it is evaluated.
  template <detail::eigen_argument X>
  auto operator()(const X& x) const {
    check(x);
    return self().normalize(x, nullptr);
  }

  /// The same, for backward(): evaluating it keeps the statistics of x in the layer.
  template <detail::eigen_argument X>
  auto forward(const X& x) {
    check(x);
    return self().normalize(x, &saved_);
  }

  /// The gradient of x, given that of y, for the x that forward() was last evaluated on. The gradients of
  /// parameters are added to what is there. Requests: grad_x(dx) (then nothing is returned), on(device),
  /// plus_gradient(ds), grad_branch(dbranch, alpha), use_workspace(ws).
  template <detail::eigen_argument DY, detail::eigen_argument X, detail::gradient_request... Requests>
  auto backward(const DY& dy, const X& x, const Requests&... requests) {
    const index rows = check(x);
    if (saved_.rstd.size() != rows)
      detail::fail(Layer::name, "backward of x with ", rows, " rows, but forward kept the statistics of ",
                   saved_.rstd.size());
    if constexpr (detail::rank_of<DY> == detail::rank_of<X>)
      if (detail::shape_of(dy).size != detail::shape_of(x).size)
        detail::fail(Layer::name, "dy has shape ", detail::shape_text(detail::shape_of(dy).size),
                     ", expected ", detail::shape_text(detail::shape_of(x).size));
    if constexpr (detail::times_asked < grad_x_t, Requests... >> 0) {
      self().differentiate(dy, x, saved_, requests...);
    } else {
      auto dx = detail::like(x);
      self().differentiate(dy, x, saved_, grad_x(dx), requests...);
      return dx;
    }
  }

  void zero_gradients() {
    each(self(), [](const auto&, parameter_type&, parameter_type& gradient) { gradient.setZero(); });
  }

  /// Every parameter with its gradient, for an optimizer.
  std::vector<named_parameter<Parameter>> parameters() {
    check_parameters();
    std::vector<named_parameter<Parameter>> all;
    each(self(), [&](const auto& start, parameter_type& value, parameter_type& gradient) {
      all.push_back(
          {start.name, {value.data(), value.dimensions()}, {gradient.data(), gradient.dimensions()}});
    });
    return all;
  }

  /// Throws std::invalid_argument, naming a parameter or gradient of another size than options() say.
  void check_parameters() const {
    Layer::describe(self(),
                    [](const detail::parameter_start& start, const auto& value, const auto& gradient) {
                      check_count(start.name, value, start.count);
                      check_count(std::string(start.name) + "_gradient", gradient, start.count);
                    });
  }

  parameter_map<Parameter> save() const {
    parameter_map<Parameter> all;
    each(self(), [&](const auto& start, const parameter_type& value, const parameter_type&) {
      all[start.name] = value;
    });
    return all;
  }

  /// Takes what save() gave. Throws std::invalid_argument naming what is missing, unknown or of another size;
  /// the layer is unchanged then.
  void load(const parameter_map<Parameter>& values) {
    parameter_map<Parameter> unknown = values;
    each(self(), [&](const auto& start, const parameter_type&, const parameter_type&) {
      const auto found = values.find(start.name);
      if (found == values.end()) detail::fail(Layer::name, "load: ", start.name, " is missing");
      check_count(std::string("load: ") + start.name, found->second, start.count);
      unknown.erase(start.name);
    });
    if (!unknown.empty())
      detail::fail(Layer::name, "load: ", unknown.begin()->first, " is no parameter of it");
    each(self(),
         [&](const auto& start, parameter_type& value, parameter_type&) { value = values.at(start.name); });
  }

 protected:
  using index = detail::index;

  explicit NormLayer(const Options& options) : options_(options) {
    if (!(options.eps >= 0) || !std::isfinite(options.eps))
      detail::fail(Layer::name, "eps is ", options.eps, ", expected a finite number that is not negative");
  }

  void start_parameters() {
    each(self(), [](const auto& start, parameter_type& value, parameter_type& gradient) {
      value.resize(start.count);
      value.setConstant(static_cast<Parameter>(start.value));
      gradient.resize(start.count);
      gradient.setZero();
    });
  }

  static void check_at_least(const char* name, index value, index least) {
    detail::check_at_least(Layer::name, name, value, least);
  }

  /// The rows of an x of these sizes, which must fit. GroupNorm has another rule.
  detail::row_counts rows(detail::size_span size) const {
    const detail::axis_run axes = detail::checked_axes(Layer::name, options_.axes, size);
    const index elements = detail::count_of(size.subspan(axes.first, axes.last - axes.first + 1));
    if constexpr (requires { options_.dim; })
      if (elements != options_.dim)
        detail::fail(Layer::name, "x has rows of ", elements, " elements, expected ", options_.dim,
                     detail::call_site{"", size, axes.first, axes.last});
    return {detail::count_of(size.first(axes.first)) * detail::count_of(size.subspan(axes.last + 1)),
            elements};
  }

  Options options_;

 private:
  Layer& self() { return static_cast<Layer&>(*this); }
  const Layer& self() const { return static_cast<const Layer&>(*this); }

  template <class Self, class Visit>
  static void each(Self& self, const Visit& visit) {
    Layer::describe(self, [&](const detail::parameter_start& start, auto& value, auto& gradient) {
      if (start.count > 0) visit(start, value, gradient);
    });
  }

  /// The number of rows of x, which fits the layer, whose parameters have their sizes.
  template <class X>
  index check(const X& x) const {
    static_assert(std::is_same_v<detail::scalar_of<X>, Scalar>,
                  "x must have the scalar type of the layer: cast it");
    check_parameters();
    return self().rows(detail::shape_of(x).size).rows;
  }
  static void check_count(const std::string& name, const parameter_type& p, index count) {
    if (p.size() != count) detail::fail(Layer::name, name, " has ", p.size(), " elements, expected ", count);
  }

  statistics<accumulator> saved_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI
