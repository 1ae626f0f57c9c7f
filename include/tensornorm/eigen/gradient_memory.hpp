// Memory that goes with x in a backward pass, and destinations of gradients.
#pragma once

#include <algorithm>
#include <utility>

#include "gradient_requests.hpp"
#include "plan.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// A tensor or matrix that can own what X holds.
template <class X>
struct owned {
  using type = Eigen::Tensor<float, 1>;
};
template <any_tensor X>
struct owned<X> {
  using type = Eigen::Tensor<scalar_of<X>, rank_of<X>, row_major<X> ? Eigen::RowMajor : Eigen::ColMajor>;
};
template <any_matrix X>
struct owned<X> {
  using type = typename X::PlainObject;
};
template <class W>
struct owned<unit_offset_t<W>> : owned<W> {};
template <class X>
using owned_t = typename owned<X>::type;

/// A new tensor or matrix of the shape of x.
template <class X>
owned_t<X> like(const X& x) {
  if constexpr (any_tensor<X>) {
    owned_t<X> result;
    typename owned_t<X>::Dimensions size;
    const auto s = shape_of(x).size;
    for (std::size_t axis = 0; axis < s.size(); ++axis) size[axis] = s[axis];
    result.resize(size);
    return result;
  } else {
    return owned_t<X>(x.rows(), x.cols());
  }
}
template <class W>
auto like(const unit_offset_t<W>& w) {
  return like(w.weight);
}

/// Calls use(plain) with x itself, or with its value where it is an expression.
template <class X, class Device, class F>
void with_memory(const X& x, const Device& device, const F& use) {
  if constexpr (plain_parameter<X>) {
    use(x);
  } else if constexpr (any_tensor<X>) {
    owned_t<X> value = like(x);
    value.device(device) = x;
    use(value);
  } else {
    use(typename X::PlainObject(x));
  }
}

/// Memory that goes with x, element for element.
template <class Scalar>
struct array_view {
  Scalar* data = nullptr;
  kernel::rows_strides strides;
  extent memory{nullptr, nullptr};

  bool same_as(const array_view<const std::remove_const_t<Scalar>>& other) const {
    return data == other.data && strides.outer == other.strides.outer &&
           strides.inner == other.strides.inner && strides.block == other.strides.block &&
           strides.element == other.strides.element;
  }
  operator array_view<const Scalar>() const requires(!std::is_const_v<Scalar>) {
    return {data, strides, memory};
  }
};

/// Views memory of the shape and scalar of x.
template <class X, class A>
auto view_array(const row_plan<X>& plan, const char* name, A& a) {
  using scalar = scalar_of<X>;
  static_assert(std::is_same_v<scalar_of<std::remove_const_t<A>>, scalar>,
                "dy and the gradients of x have the scalar type of x: cast dy, or ask for another gradient");
  const auto s = [&] {
    if constexpr (any_tensor<A>) {
      static_assert(
          any_tensor<X> && rank_of<A> == rank_of<X> && row_major<A> == row_major<X>,
          "dy and the gradients of x have the rank and the storage order of x: shuffle or map them");
      return shape_of(a);
    } else {
      static_assert(any_matrix<X>, "x, dy and the gradients of x are all tensors or all matrices: map them");
      return shape_of_as<rank_of<X>>(a);
    }
  }();
  if (s.size != plan.shape.size)
    fail(plan.function, name, " has shape ", shape_text(s.size), ", expected that of x, ",
         shape_text(plan.shape.size));
  using element = std::remove_pointer_t<decltype(a.data())>;
  return array_view<element>{a.data(), plan.strides(s.stride), extent_of(a.data(), s.size, s.stride)};
}

/// A destination for the gradient of a parameter.
template <class X, class D>
class parameter_destination {
 public:
  using scalar = scalar_of<D>;

  parameter_destination(const row_plan<X>& plan, const char* name, D& to, update mode)
      : plan_(plan), to_(to), own_(shape_of(to)), mode_(mode) {
    static_assert(!std::is_const_v<std::remove_pointer_t<decltype(to.data())>>,
                  "the destination of a gradient is const: pass one that can be written");
    flat_ = is_flat(plan.site(), name, plan.normalized(), own_);
  }

  extent memory() const { return extent_of(to_.data(), own_.size, own_.stride); }

  /// Writes sums in the storage order of x; null stands for zeros.
  template <class T>
  void write(const T* sums) const {
    const size_span normalized = plan_.normalized();
    const index count = count_of(normalized);
    for (index i = 0; i < count; ++i) {
      index offset = 0;
      for (std::size_t axis = 0; axis < normalized.size(); ++axis) {
        const index step = flat_ ? dense_stride(normalized, axis, true) * own_.stride[0]
                                 : own_.stride[std::min(axis, own_.stride.size() - 1)];
        offset += normalized.size() == 1
                      ? i * step
                      : i / dense_stride(normalized, axis, row_major<X>) % normalized[axis] * step;
      }
      using wide = std::conditional_t<(sizeof(scalar) > sizeof(T)), scalar, T>;
      const wide sum = sums ? static_cast<wide>(sums[i]) : wide(0);
      scalar& out = to_.data()[offset];
      out = static_cast<scalar>(mode_ == accumulate ? static_cast<wide>(out) + sum : sum);
    }
  }

 private:
  const row_plan<X>& plan_;
  D& to_;
  shape_of_t<D> own_;
  update mode_;
  bool flat_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
