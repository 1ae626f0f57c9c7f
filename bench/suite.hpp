// How one benchmark is named, registered and timed.
#pragma once

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "operands.hpp"
#include "places.hpp"

namespace bench {

template <class Scalar>
inline constexpr const char* scalar_name = "float";
template <>
inline constexpr const char* scalar_name<double> = "double";
template <>
inline constexpr const char* scalar_name<Eigen::half> = "half";
template <>
inline constexpr const char* scalar_name<Eigen::bfloat16> = "bfloat16";

/// Behind the name of what runs on a pool of two threads.
inline constexpr const char* two_threads_suffix = "/2_threads";

/// Registers  key/scalar/layout/what  (what is norm/contender or copy/reference). make(operands) is called
/// before the clock starts and returns what is timed: a function object that reads all of x and writes all
/// of y.
template <class Scalar, class Make>
void add(const place& at, const std::string& what, Make make) {
  const auto run = [at, make](benchmark::State& state) {
    const auto memory = operands_for<Scalar>(at.key + "/" + scalar_name<Scalar>, at.shape);
    auto work = make(*memory);
    benchmark::DoNotOptimize(memory->x_at(0));
    benchmark::DoNotOptimize(memory->y_at(0));
    if (state.max_iterations > 1) work();  // what fits the cache is in the cache
    for (auto _ : state) {
      work();
      benchmark::ClobberMemory();
    }
    const double bytes = 2.0 * sizeof(Scalar) * static_cast<double>(at.shape.count());
    state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["bytes"] = bytes;
    state.SetLabel(at.title);
  };
  const std::string name = at.key + "/" + scalar_name<Scalar> + "/" + at.layout + "/" + what;
  auto* const registered = benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond);
  // One thread is timed by the processor time it got, which other programs on the machine do not stretch.
  // Of a pool only the clock on the wall tells anything.
  if (name.ends_with(two_threads_suffix)) registered->UseRealTime();
}

/// Registers every benchmark of one norm in one scalar type. One translation unit for each pair, since
/// compiling the kernels is what takes the time.
struct rms_norm;
struct simple_norm;
struct layer_norm;
template <class Norm, class Scalar>
void add_norm(sweep wanted);

}  // namespace bench
