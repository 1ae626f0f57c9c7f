// Two units with different flags, linked into one program, agree: to the bit if the program is called
// with "same_bits" (both units use fused multiply-add), else within the error bounds of both, which are
// 8 epsilon of the largest result of the row.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string_view>
#include <tensornorm/tensornorm.hpp>
#include <vector>

#include "mixed_flags.hpp"

int main(int argc, char** argv) {
  std::vector<float> x(rows * size), weight(size), bias(size);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 3 + std::sin(static_cast<float>(i) * 1.7f);
  for (std::size_t i = 0; i < weight.size(); ++i) {
    weight[i] = 1 + std::cos(static_cast<float>(i)) / 2;
    bias[i] = std::sin(static_cast<float>(i)) / 4;
  }
  std::vector<float> plain(norms * rows * size), other(plain.size());
  plain_unit(x.data(), weight.data(), bias.data(), plain.data());
  other_unit(x.data(), weight.data(), bias.data(), other.data());

  float largest_error = 0;
  for (std::size_t row = 0; row < norms * rows; ++row) {
    float largest = 1;
    float error = 0;
    for (std::size_t i = row * size; i < (row + 1) * size; ++i) {
      largest = std::max(largest, std::abs(plain[i]));
      error = std::max(error, std::isnan(other[i]) ? INFINITY : std::abs(plain[i] - other[i]));
    }
    largest_error = std::max(largest_error, error / largest);
  }
  const bool same_bits = argc > 1 && std::string_view(argv[1]) == "same_bits";
  const float bound = same_bits ? 0 : 16 * std::numeric_limits<float>::epsilon();
  std::printf("%s: units differ by %g, at most %g\n", argv[0], static_cast<double>(largest_error),
              static_cast<double>(bound));
  return largest_error <= bound && plain.front() != plain.back() ? 0 : 1;
}
