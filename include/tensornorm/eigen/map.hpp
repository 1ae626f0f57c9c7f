// A function of every element, as an Eigen expression.
#pragma once

#include <algorithm>

#include "../norm/elementwise.hpp"
#include "device.hpp"
#include "plan.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// The functor under x.customOp(...): x is evaluated into y, and then the function in place.
template <class F>
struct map_tensor {
  F f;

  template <class X>
  auto dimensions(const X& x) const {
    const auto s = shape_of(x);
    Eigen::DSizes<typename X::Index, rank_of<X>> result;
    for (std::size_t axis = 0; axis < s.size.size(); ++axis)
      result[axis] = static_cast<typename X::Index>(s.size[axis]);
    return result;
  }
  template <class X, class Y, class Device>
  void eval(const X& x, Y& y, const Device& device) const {
    y.device(device) = x;
    auto* const data = stored_pointer(y.data());
    constexpr index block = 1024;
    const index count = y.size();
    const double bytes = block * sizeof(*data);
    run_units(
        kernel::ceil_div(count, block), Eigen::TensorOpCost(bytes, bytes, 4.0 * block), device,
        [&](index first, index last) {
          kernel::dispatch<kernel::map_elements>(f, data + first * block,
                                                 std::min(count, last * block) - first * block);
        },
        [](index units) { return units; });
  }
};

/// The same for matrices.
template <class F, class X>
class map_matrix : public Eigen::ReturnByValue<map_matrix<F, X>> {
 public:
  map_matrix(const F& f, const X& x) : f_(f), x_(x) {}

  Eigen::Index rows() const { return x_.rows(); }
  Eigen::Index cols() const { return x_.cols(); }

  template <class Y>
  void evalTo(Y& y) const {
    typename X::PlainObject value = x_;
    kernel::dispatch<kernel::map_elements>(f_, stored_pointer(value.data()), index{value.size()});
    y = value;
  }

 private:
  F f_;
  typename Eigen::internal::ref_selector<X>::type x_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail

template <class F, class X>
struct Eigen::internal::traits<tensornorm::detail::map_matrix<F, X>> {
  using ReturnType = typename X::PlainObject;
};
