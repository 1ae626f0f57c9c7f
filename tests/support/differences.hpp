// Gradients against differences of a loss, in double.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "data.hpp"

namespace tensornorm_test {

/// The derivative of loss() by each of these numbers.
template <class Values, class Loss>
std::vector<real> slopes_of(Values& values, const Loss& loss) {
  std::vector<real> slopes;
  for (std::ptrdiff_t i = 0; i < values.size(); ++i) {
    double& value = values.data()[i];
    const double here = value;
    const volatile double up = here + 1e-5, down = here - 1e-5;
    value = up;
    const real above = loss();
    value = down;
    slopes.push_back((above - loss()) / (widen<double>(up) - widen<double>(down)));
    value = here;
  }
  return slopes;
}

/// Each within 1e-7 of the largest slope, or of `elsewhere` if that is larger.
inline void expect_slopes(const std::string& name, const std::vector<double>& gradient,
                          const std::vector<real>& slopes, real elsewhere) {
  ASSERT_EQ(gradient.size(), slopes.size()) << name;
  real peak = elsewhere;
  for (const real slope : slopes) peak = std::max(peak, std::abs(slope));
  for (std::size_t i = 0; i < slopes.size(); ++i)
    EXPECT_LE(std::abs(widen(gradient[i]) - slopes[i]), 1e-7L * peak)
        << name << " element " << i << " is " << gradient[i] << ", the difference " << slopes[i];
}

}  // namespace tensornorm_test
