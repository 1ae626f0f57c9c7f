// Tensors of any rank and layout in logical order (the last axis changes fastest), so that one
// oracle serves all storage orders.
#pragma once

#include <array>
#include <tensornorm/tensornorm.hpp>
#include <vector>

#include "data.hpp"
#include "oracle.hpp"

namespace tensornorm_test {

namespace tn = tensornorm;

template <class Tensor>
using indices_of = std::array<Eigen::Index, static_cast<std::size_t>(Tensor::NumDimensions)>;

template <class Tensor>
extents extents_of(const Tensor& tensor) {
  extents size;
  const auto rank = static_cast<std::size_t>(Tensor::NumDimensions);
  for (std::size_t axis = 0; axis < rank; ++axis) size.push_back(tensor.dimensions()[axis]);
  return size;
}

/// Calls visit(element number, reference to the element) in logical order.
template <class Tensor, class Visit>
void for_each_element(Tensor& tensor, const Visit& visit) {
  const extents size = extents_of(tensor);
  extents index(size.size(), 0);
  for (std::size_t element = 0; element < count_of(size); ++element, advance(index, size)) {
    indices_of<Tensor> at{};
    std::ranges::copy(index, at.begin());
    visit(element, tensor(at));
  }
}

template <class Tensor>
auto elements_of(const Tensor& tensor) {
  std::vector<std::remove_const_t<typename Tensor::Scalar>> values;
  for_each_element(tensor, [&](std::size_t, const auto& value) { values.push_back(value); });
  return values;
}

/// A tensor with the elements given in logical order.
template <class Tensor>
Tensor tensor_of(const indices_of<Tensor>& size, const std::vector<typename Tensor::Scalar>& values) {
  Tensor tensor(size);
  for_each_element(tensor, [&](std::size_t element, auto& value) { value = values[element]; });
  return tensor;
}

/// A tensor of numbers that depend on the seed and the logical index only.
template <class Tensor>
Tensor normal_tensor(const indices_of<Tensor>& size, std::uint32_t seed, double mean = 0,
                     double deviation = 1) {
  std::size_t count = 1;
  for (const Eigen::Index n : size) count *= static_cast<std::size_t>(n);
  return tensor_of<Tensor>(size, normal<typename Tensor::Scalar>(count, seed, mean, deviation));
}

template <class T, int Rank>
using row_major_tensor = Eigen::Tensor<T, Rank, Eigen::RowMajor>;
template <class T, int Rank>
using col_major_tensor = Eigen::Tensor<T, Rank, Eigen::ColMajor>;

}  // namespace tensornorm_test
