// Goes through the instruction sets and the vectors that kernels are made of.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tensornorm/reduce/lanes.hpp>
#include <type_traits>

namespace tensornorm_test {

namespace kernel = tensornorm::kernel;

/// Whether the kernels now run with fused multiply-add, on which their bits depend.
inline bool has_fma() {
  return kernel::active_isa() != kernel::isa_level::baseline || kernel::baseline::has_fma;
}

/// Calls f(level) for every instruction-set level up to the one in use.
template <class F>
void at_each_level(const F& f) {
  for (const auto level : {kernel::isa_level::baseline, kernel::isa_level::avx2, kernel::isa_level::avx512}) {
    if (level > kernel::active_isa()) continue;
    SCOPED_TRACE(kernel::name(level));
    f(level);
  }
}

/// Hands f, as a std::type_identity, each vector of T that kernels use: those that fit a register, and
/// the numbers of four rows.
template <class T>
struct each_vector {
  template <class Isa, class F>
  static TENSORNORM_INLINE void run(const F& f) {
    from<Isa, 1>(f);
  }

 private:
  template <class Isa, int N, class F>
  static TENSORNORM_INLINE void from(const F& f) {
    f(std::type_identity<kernel::vec<Isa, T, N>>());
    if constexpr (2 * N <= std::max(4, kernel::vec_size<Isa, T>)) from<Isa, 2 * N>(f);
  }
};

/// Hands f the lanes that reducers run over: 64 of a row, tiles of columns, numbers of rows.
template <class T>
struct each_lanes {
  template <class Isa, class F>
  static TENSORNORM_INLINE void run(const F& f) {
    using V = kernel::native_vec<Isa, T>;
    f(std::type_identity<kernel::row_lanes<Isa, T>>());
    f(std::type_identity<kernel::tile<V, 4>>());
    f(std::type_identity<kernel::tile<V, 1>>());
    f(std::type_identity<kernel::vec<Isa, T, 4>>());
    f(std::type_identity<kernel::vec<Isa, T, 1>>());
  }
};

/// a * b + c, rounded once or twice, whatever this file is compiled for.
template <class T>
T multiply_add(T a, T b, T c, bool fused) {
  if (fused) return std::fma(a, b, c);
  const volatile T product = a * b;
  return product + c;
}

/// Runs a kernel at every level; a lambda that it is handed must be TENSORNORM_INLINE_LAMBDA.
template <class Kernel, class... Args>
void run_at_each_level(const Args&... args) {
  at_each_level([&](kernel::isa_level level) { kernel::dispatch_at<Kernel>(level, args...); });
}

}  // namespace tensornorm_test
