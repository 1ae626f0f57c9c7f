// The program of one scalar type:  tensornorm_bench_float [--sweep=quick|full] [options of Google Benchmark]
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <tensornorm/tensornorm.hpp>

#include "attention/references.hpp"
#include "norm/references.hpp"

namespace {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown CPU";
}

std::string compiler_name() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown compiler";
#endif
}

/// What a reader of the numbers has to know about the machine and the build.
void describe() {
  benchmark::AddCustomContext("cpu", cpu_name());
  benchmark::AddCustomContext("compiler", compiler_name());
#ifdef NDEBUG
  benchmark::AddCustomContext("assertions", "off");
#else
  benchmark::AddCustomContext("assertions", "on");
#endif
  benchmark::AddCustomContext("tensornorm", TENSORNORM_VERSION_STRING);
  benchmark::AddCustomContext("isa", tensornorm::kernel::name(tensornorm::kernel::active_isa()));
  benchmark::AddCustomContext("non_temporal_copy", bench::non_temporal_copy_name());
}

/// Takes --sweep=... out of the arguments. The full sweep unless told otherwise.
bench::sweep take_sweep(int& argc, char** argv) {
  bench::sweep wanted = bench::sweep::full;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--sweep=quick")
      wanted = bench::sweep::quick;
    else if (argument != "--sweep=full")
      argv[kept++] = argv[i];
  }
  argc = kept;
  return wanted;
}

}  // namespace

int main(int argc, char** argv) try {
  const bench::sweep wanted = take_sweep(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  describe();
  using scalar = TENSORNORM_BENCH_SCALAR;
  bench::add_norm<bench::rms_norm, scalar>(wanted);
  bench::add_norm<bench::simple_norm, scalar>(wanted);
  bench::add_norm<bench::layer_norm, scalar>(wanted);
  if constexpr (std::is_same_v<scalar, float>) {
    bench::add_norm_backward<bench::rms_norm_backward, scalar>(wanted);
    bench::add_norm_backward<bench::simple_norm_backward, scalar>(wanted);
    bench::add_norm_backward<bench::layer_norm_backward, scalar>(wanted);
    bench::add_norm_fused<bench::rms_norm_fused, scalar>(wanted);
    bench::add_norm_fused<bench::layer_norm_fused, scalar>(wanted);
  }
  bench::add_copies<scalar>(wanted);
  bench::add_attention<bench::fused, scalar>(wanted);
  bench::add_attention<bench::unfused, scalar>(wanted);
  bench::add_attention<bench::eigen, scalar>(wanted);
  bench::add_attention_references<scalar>(wanted);
  if constexpr (std::is_same_v<scalar, float>) {
    bench::add_attention_backward<bench::attention_backward, scalar>(wanted);
    bench::add_attention_backward<bench::attention_unfused_backward, scalar>(wanted);
    bench::add_attention2d(wanted);
    bench::add_attention_layer(wanted);
  }
  const std::size_t matched = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (matched > 0) return 0;
  std::cerr << "no benchmark matches the filter\n";
  return 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
