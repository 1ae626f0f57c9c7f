// What the headers of golden values hold their numbers in.
#pragma once

#include <cstddef>
#include <vector>

namespace tensornorm_test {

using golden_data = std::vector<double>;

/// Elements in logical order: the last axis changes fastest.
struct golden_tensor {
  std::vector<std::ptrdiff_t> size;
  golden_data values;
};

}  // namespace tensornorm_test
