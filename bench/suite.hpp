// How one benchmark is named, registered and timed.
#pragma once

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <string>

namespace bench {

using index = Eigen::Index;

/// How much is measured: the quick sweep takes two or three minutes, the full one some half an hour.
enum class sweep { quick, full };

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

/// What the formula asks for in one pass, whatever really happens: the measure of speed.
struct amount {
  double bytes = 0;  // each byte of the arguments read once, each byte of the result written once
  double flops = 0;  // a multiply-add is two
};

/// Registers a benchmark under  shape/scalar/layout/what/contender. make() is called before the clock starts
/// and returns what is timed: a function object that does the whole work once. If it has a member scratch(),
/// that many bytes of memory beside arguments and result are reported, too.
template <class Make>
void add_benchmark(const std::string& name, const std::string& title, const amount& work, Make make) {
  const auto run = [title, work, make](benchmark::State& state) {
    auto pass = make();
    pass();  // what fits the cache is in the cache
    for (auto _ : state) {
      pass();
      benchmark::ClobberMemory();
    }
    const auto add_rate = [&state](const char* rate, const char* once, double count) {
      if (count == 0) return;
      state.counters[rate] = benchmark::Counter(count * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
      state.counters[once] = count;
    };
    add_rate("GB/s", "bytes", work.bytes);
    add_rate("GFLOP/s", "flops", work.flops);
    if constexpr (requires { pass.scratch(); })
      state.counters["scratch"] = static_cast<double>(pass.scratch());
    state.SetLabel(title);
  };
  auto* const registered = benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond);
  // One thread is timed by the processor time it got, which other programs on the machine do not stretch.
  // Of a pool only the clock on the wall tells anything.
  if (name.ends_with(two_threads_suffix)) registered->UseRealTime();
}

}  // namespace bench
