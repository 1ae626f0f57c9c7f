// A parameter in plain memory, as the public functions take it.
#pragma once

#include <stdexcept>
#include <tensornorm/tensornorm.hpp>
#include <type_traits>

namespace tensornorm_test {

/// Hands f what the caller gave for a parameter: tn::none, a map, or unit_offset of a map.
template <class T, class W, class F>
void with_parameter(const W* data, std::ptrdiff_t size, bool offset, const F& f) {
  if (!data) {
    if constexpr (std::is_same_v<T, W>) return f(tensornorm::none);
    throw std::logic_error("parameters of another type than x must be given");
  }
  const Eigen::TensorMap<const Eigen::Tensor<W, 1>> map(data, size);
  if constexpr (std::is_same_v<T, W>)
    if (offset) return f(tensornorm::unit_offset(map));
  f(map);
}

}  // namespace tensornorm_test
