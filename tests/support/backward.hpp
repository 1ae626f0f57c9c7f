// The backward pass of a norm, called on rows in plain memory: compiled once for each scalar
// (backward_<scalar>.cpp) and linked by every test.
#pragma once

#include <vector>

#include "backward_oracle.hpp"
#include "data.hpp"
#include "rows.hpp"

namespace tensornorm_test {

/// The memory of a call. A null weight is absent; where it has another type than x it must be there.
/// Everything that a norm has a gradient for is written: dbias of layer_norm only.
template <class T, class W = T>
struct backward_memory {
  const T* dy = nullptr;
  const T* x = nullptr;
  const W* weight = nullptr;
  T* dx = nullptr;
  W* dweight = nullptr;
  W* dbias = nullptr;
  const tn::statistics<tn::accumulator_t<T>>* saved = nullptr;  // null: recomputed
};

/// Calls the public function of the formula on maps of the memory, on a pool if one is given.
template <class T, class W = T>
void backward_rows(const formula& f, const row_block& block, const backward_memory<T, W>& memory,
                   bool weight_is_offset = false, const Eigen::ThreadPoolDevice* pool = nullptr);

/// The same call on the kernels, at an instruction set that the machine has.
template <class T>
void backward_rows_at(tn::kernel::isa_level level, const formula& f, const row_block& block,
                      const backward_memory<T>& memory);

/// What goes into a backward pass: dy, x and perhaps a weight.
template <class T, class W = T>
struct backward_input {
  std::vector<T> dy;
  std::vector<T> x;
  std::vector<W> weight;

  const W* weight_data() const { return weight.empty() ? nullptr : weight.data(); }
};

/// What comes out; bias is empty where there is none.
template <class T, class W = T>
struct gradients {
  std::vector<T> x;
  std::vector<W> weight;
  std::vector<W> bias;

  /// Destinations for a call, full of NaN.
  gradients(const formula& f, const row_block& block)
      : x(block.count(), quiet_nan<T>()),
        weight(block.length(), quiet_nan<W>()),
        bias(f.kind == norm::layer ? block.length() : 0, quiet_nan<W>()) {}

  backward_memory<T, W> memory_for(const backward_input<T, W>& input) {
    return {input.dy.data(), input.x.data(), input.weight_data(), x.data(), weight.data(),
            bias.data(),     nullptr};
  }
};

/// Numbers for a call: dy with a mean, so that no sum of it is small by chance, x as asked for.
template <class T, class W = T>
backward_input<T, W> input_for(const row_block& block, const data_kind& kind, std::uint32_t seed,
                               bool with_weight = true) {
  return {normal<T>(block.count(), seed, 0.25, 1), make<T>(kind, block.count(), block.length(), seed + 1),
          with_weight ? normal<W>(block.length(), seed + 2, 1, 0.5) : std::vector<W>()};
}

inline constexpr data_kind plain_data{"plain", 0.5, 2};

/// backward_rows into new vectors.
template <class T, class W = T>
gradients<T, W> backward_of(const formula& f, const row_block& block, const backward_input<T, W>& input,
                            const tn::statistics<tn::accumulator_t<T>>* saved = nullptr,
                            bool weight_is_offset = false) {
  gradients<T, W> result(f, block);
  auto memory = result.memory_for(input);
  memory.saved = saved;
  backward_rows<T, W>(f, block, memory, weight_is_offset);
  return result;
}

/// The statistics that the forward pass saves.
template <class T>
tn::statistics<tn::accumulator_t<T>> saved_by_forward(const formula& f, const row_block& block,
                                                      const std::vector<T>& x) {
  tn::statistics<tn::accumulator_t<T>> saved;
  std::vector<T> y(x.size());
  normalize_rows<T>(f, block, {x.data(), y.data(), nullptr, nullptr, &saved});
  return saved;
}

/// The answer of the oracle for the same call.
template <class T, class W = T>
gradient_reference expected_gradients(const formula& f, const row_block& block,
                                      const backward_input<T, W>& input) {
  return reference_backward(f, block.map(), widen(input.dy), widen(input.x), widen(input.weight));
}

}  // namespace tensornorm_test
