// A norm called on rows in plain memory, as sweeps over sizes need it: compiled once for each
// scalar (rows_<scalar>.cpp) and linked by every test.
#pragma once

#include <tensornorm/tensornorm.hpp>
#include <vector>

#include "oracle.hpp"

namespace tensornorm_test {

namespace tn = tensornorm;

/// Elements that lie as outer x size x inner, normalized over the middle axis.
struct row_block {
  std::ptrdiff_t outer = 1;
  std::ptrdiff_t size = 1;
  std::ptrdiff_t inner = 1;

  std::size_t count() const { return static_cast<std::size_t>(outer * size * inner); }
  std::size_t rows() const { return static_cast<std::size_t>(outer * inner); }
  std::size_t length() const { return static_cast<std::size_t>(size); }
  row_map map() const { return rows_over_axes({outer, size, inner}, 1, 1); }
};

inline std::ostream& operator<<(std::ostream& out, const row_block& block) {
  return out << block.outer << "x" << block.size << "x" << block.inner;
}

/// The options of a call beyond its formula.
struct call_options {
  bool weight_is_offset = false;  // the weight is stored minus one
  tn::rounding rounding = tn::rounding::once;
};

/// The memory of a call. A null weight or bias is absent. Where the parameters have another type
/// than x, the weight must be there, and for layer_norm the bias too.
template <class T, class W = T>
struct row_memory {
  const T* x = nullptr;
  T* y = nullptr;
  const W* weight = nullptr;
  const W* bias = nullptr;
  tn::statistics<tn::accumulator_t<T>>* save = nullptr;
};

/// Calls the public function of the formula on maps of the memory, on a pool if one is given.
template <class T, class W = T>
void normalize_rows(const formula& f, const row_block& block, const row_memory<T, W>& memory,
                    const call_options& options = {}, const Eigen::ThreadPoolDevice* pool = nullptr);

/// The same call on the kernels, at an instruction set that the machine has.
template <class T>
void normalize_rows_at(tn::kernel::isa_level level, const formula& f, const row_block& block,
                       const row_memory<T>& memory);

/// normalize_rows into a new vector, which was full of NaN before.
template <class T, class W = T>
std::vector<T> normalized(const formula& f, const row_block& block, const std::vector<T>& x,
                          const std::vector<W>& weight = {}, const std::vector<W>& bias = {},
                          const call_options& options = {}) {
  std::vector<T> y(x.size(), quiet_nan<T>());
  const auto data = [](const std::vector<W>& v) { return v.empty() ? nullptr : v.data(); };
  normalize_rows<T, W>(f, block, {x.data(), y.data(), data(weight), data(bias), nullptr}, options);
  return y;
}

/// The answer of the oracle for the same call.
template <class T, class W = T>
reference expected_rows(const formula& f, const row_block& block, const std::vector<T>& x,
                        const std::vector<W>& weight = {}, const std::vector<W>& bias = {}) {
  return reference_norm(f, block.map(), widen(x), widen(weight), widen(bias));
}

/// The three formulas with the eps they have by default.
inline const std::vector<formula>& three_norms() {
  static const std::vector<formula> all = {
      {norm::rms, 1e-6, 0}, {norm::simple, 1e-6, 0}, {norm::layer, 1e-5, 0}};
  return all;
}

/// simple_norm needs two elements.
inline bool defined(const formula& f, std::ptrdiff_t size) {
  return size > (f.kind == norm::simple ? 1 : f.correction);
}

}  // namespace tensornorm_test
