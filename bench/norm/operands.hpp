// The memory that one shape is measured in: every contender and every reference gets the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <tensornorm/tensornorm.hpp>
#include <vector>

#include "../memory.hpp"
#include "places.hpp"

namespace bench {

/// Activations as trained networks have them: unit noise with a mean that is not zero, and one channel
/// in a hundred or so with a mean and a deviation many times those of the rest.
class activations {
 public:
  explicit activations(index channels);

  /// The next value of a channel.
  float next(index channel) {
    position_ = position_ + 1 == noise_.size() ? 0 : position_ + 1;
    const auto c = static_cast<std::size_t>(channel);
    return mean_[c] + deviation_[c] * noise_[position_];
  }

 private:
  std::vector<float> noise_;
  std::vector<float> mean_;
  std::vector<float> deviation_;
  std::size_t position_ = 0;
};

/// x, y, parameters, and what else a benchmark asks for. All memory is written before anything is timed, so
/// that its pages exist.
template <class Scalar>
struct operands {
  using statistics = tensornorm::statistics<tensornorm::accumulator_t<Scalar>>;

  // Room for a start past the line, as an allocator with 16-byte alignment hands out.
  static constexpr index spare = 64 / static_cast<index>(sizeof(Scalar));

  explicit operands(const extents& e)
      : shape(e), weight(static_cast<std::size_t>(e.size)), bias(static_cast<std::size_t>(e.size)) {
    const auto bytes = static_cast<std::size_t>(e.count() + spare) * sizeof(Scalar);
    x_memory = allocate_lines(bytes);
    y_memory = allocate_lines(bytes);
    activations source(e.size);
    Scalar* x = x_at(0);
    for (index o = 0; o < e.outer; ++o)
      for (index c = 0; c < e.size; ++c)
        for (index i = 0; i < e.inner; ++i) *x++ = Scalar(source.next(c));
    std::fill_n(x, spare, Scalar(0));
    std::fill_n(y_at(0), e.count() + spare, Scalar(0));
    for (index c = 0; c < e.size; ++c) {
      weight[static_cast<std::size_t>(c)] = Scalar(1.f + 0.125f * static_cast<float>(c % 7));
      bias[static_cast<std::size_t>(c)] = Scalar(0.25f * static_cast<float>(c % 5) - 0.5f);
    }
  }

  Scalar* x_at(index byte_offset) const { return at(x_memory, byte_offset); }
  Scalar* y_at(index byte_offset) const { return at(y_memory, byte_offset); }

  /// An array like x with numbers of its own, on a cache line; made when it is first asked for.
  Scalar* more(const std::string& name) const {
    std::shared_ptr<void>& memory = more_memory[name];
    if (!memory) {
      memory = allocate_lines(static_cast<std::size_t>(shape.count()) * sizeof(Scalar));
      activations source(1);
      for (std::size_t i = 0; i < 1000 * more_memory.size(); ++i) source.next(0);
      Scalar* value = at(memory, 0);
      for (index i = 0; i < shape.count(); ++i) *value++ = Scalar(source.next(0));
    }
    return at(memory, 0);
  }

  /// The statistics of a norm, saved by its forward pass.
  template <class Work>
  const statistics& saved(const std::string& name, const Work& work) const {
    const auto [place, is_new] = saved_statistics.try_emplace(name);
    if (is_new) work(place->second);
    return place->second;
  }

  extents shape;
  std::vector<Scalar> weight;
  std::vector<Scalar> bias;

 private:
  static Scalar* at(const std::shared_ptr<void>& memory, index byte_offset) {
    return static_cast<Scalar*>(memory.get()) + byte_offset / static_cast<index>(sizeof(Scalar));
  }

  std::shared_ptr<void> x_memory;
  std::shared_ptr<void> y_memory;
  mutable std::map<std::string, std::shared_ptr<void>> more_memory;
  mutable std::map<std::string, statistics> saved_statistics;
};

template <class Scalar>
std::shared_ptr<operands<Scalar>> operands_for(const std::string& key, const extents& shape) {
  return std::static_pointer_cast<operands<Scalar>>(
      only_alive(key, [&] { return std::make_shared<operands<Scalar>>(shape); }));
}

}  // namespace bench
