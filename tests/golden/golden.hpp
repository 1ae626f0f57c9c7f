// What the headers of golden values hold their numbers in, and tensors made of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "../support/tensors.hpp"

namespace tensornorm_test {

using golden_data = std::vector<double>;

/// Elements in logical order: the last axis changes fastest.
struct golden_tensor {
  std::vector<std::ptrdiff_t> size;
  golden_data values;
};

/// Into a tensor whose scalar holds the numbers exactly; what is not 0 is true.
template <class Tensor>
void assign(Tensor& tensor, const golden_tensor& golden) {
  using scalar = typename Tensor::Scalar;
  indices_of<Tensor> size{};
  if (golden.size.size() != size.size()) throw std::invalid_argument("another rank");
  std::ranges::copy(golden.size, size.begin());
  tensor.resize(size);
  for_each_element(tensor, [&](std::size_t element, scalar& value) {
    if constexpr (std::is_same_v<scalar, bool>)
      value = golden.values[element] != 0;
    else
      value = static_cast<scalar>(golden.values[element]);
  });
}

template <class T, int Rank>
row_major_tensor<T, Rank> tensor_as(const golden_tensor& golden) {
  row_major_tensor<T, Rank> tensor;
  assign(tensor, golden);
  return tensor;
}

template <class Case>
const Case& case_named(const std::string& name, const std::vector<Case>& cases) {
  const auto found = std::ranges::find(cases, name, &Case::name);
  if (found == cases.end()) throw std::invalid_argument("no golden case " + name);
  return *found;
}

}  // namespace tensornorm_test
