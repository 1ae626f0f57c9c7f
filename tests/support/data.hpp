// Test data from fixed seeds, the same with every compiler and standard library: integers from
// std::mt19937, which the standard defines to the bit, and one fused multiply-add.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "scalar.hpp"

namespace tensornorm_test {

/// Nearly normal numbers: twelve 16-bit uniforms, summed.
class normal_source {
 public:
  explicit normal_source(std::uint32_t seed) : bits_(seed) {}

  double operator()(double mean = 0, double deviation = 1) {
    std::int64_t sum = 0;
    for (int i = 0; i < 6; ++i) {
      const auto word = static_cast<std::uint32_t>(bits_());
      sum += static_cast<std::int64_t>(word & 0xffff) + static_cast<std::int64_t>(word >> 16);
    }
    const double z = static_cast<double>(2 * sum - 12 * 65535) / 131072;
    return std::fma(z, deviation, mean);
  }

 private:
  std::mt19937 bits_;
};

template <class T>
std::vector<T> normal(std::size_t count, std::uint32_t seed, double mean = 0, double deviation = 1) {
  normal_source source(seed);
  std::vector<T> values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) values.push_back(narrow<T>(source(mean, deviation)));
  return values;
}

/// Activations as models have them: a few channels a hundred times the others, and a mean.
template <class T>
std::vector<T> outliers(std::size_t count, std::size_t channels, std::uint32_t seed) {
  normal_source source(seed);
  std::vector<T> values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(narrow<T>(source(0.5, i % channels % 97 == 3 ? 100 : 1)));
  return values;
}

/// One kind of rows to try a norm on.
struct data_kind {
  const char* name;
  double mean;
  double deviation;
  bool with_outliers = false;
};

inline constexpr data_kind everyday_data[] = {{"N(0, 1)", 0, 1},
                                              {"N(1e4, 1e-2)", 1e4, 1e-2},
                                              {"outlier channels", 0, 0, true},
                                              {"N(-3, 0.5)", -3, 0.5}};

template <class T>
std::vector<T> make(const data_kind& kind, std::size_t count, std::size_t channels, std::uint32_t seed) {
  return kind.with_outliers ? outliers<T>(count, channels, seed)
                            : normal<T>(count, seed, kind.mean, kind.deviation);
}

/// 64-bit FNV-1a over bits, low byte first.
class bit_hash {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    for (const T& value : values) {
      auto word = static_cast<std::uint64_t>(bits(value));
      for (std::size_t byte = 0; byte < sizeof(T); ++byte, word >>= 8)
        state_ = (state_ ^ (word & 0xff)) * 0x100000001b3u;
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

}  // namespace tensornorm_test
