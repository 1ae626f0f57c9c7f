#include "operands.hpp"

#include <random>

namespace bench {

activations::activations(index channels)
    : noise_(8191),  // a prime, so that no two rows of a power of two are alike
      mean_(static_cast<std::size_t>(channels)),
      deviation_(static_cast<std::size_t>(channels)) {
  std::mt19937 random(20191016);
  std::normal_distribution<float> normal;
  for (float& value : noise_) value = normal(random);
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    const bool outlier = c % 97 == 13;
    mean_[c] = outlier ? 12.f : 0.3f;
    deviation_[c] = outlier ? 8.f : 1.f;
  }
}

}  // namespace bench
