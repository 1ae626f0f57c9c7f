#include "peaks.hpp"

#include <benchmark/benchmark.h>

#include <tensornorm/tensornorm.hpp>

namespace bench {
namespace {

namespace kernel = tensornorm::kernel;

TENSORNORM_VECTORS_BEGIN

constexpr int fma_rounds = 4096;

struct fma_loop {
  /// Enough chains to hide the latency wherever there are registers for them: 32 with AVX-512 and on ARM.
  template <class Isa>
  static constexpr int chains = Isa::bytes == 64 || !TENSORNORM_X86_LEVELS ? 24 : 12;

  template <class Isa>
  static TENSORNORM_INLINE void run(float* numbers, double* flops) {
    using V = kernel::native_vec<Isa, float>;
    const V factor = V::splat(numbers[0]);
    const V addend = V::splat(numbers[1]);
    V sum[static_cast<std::size_t>(chains<Isa>)];
    TENSORNORM_UNROLL
    for (int c = 0; c < chains<Isa>; ++c) sum[c] = V::splat(numbers[c]);
    for (int round = 0; round < fma_rounds; ++round) {
      TENSORNORM_UNROLL
      for (int c = 0; c < chains<Isa>; ++c) sum[c] = kernel::fma(sum[c], factor, addend);
    }
    TENSORNORM_UNROLL
    for (int c = 0; c < chains<Isa>; ++c) sum[c].store(numbers + c * V::size);
    *flops = 2.0 * V::size * chains<Isa> * fma_rounds;
  }
};

double run_fma_loop() {
  // Every chain tends to addend / (1 - factor): no overflow, no denormal numbers.
  static float numbers[24 * 16];
  numbers[0] = 0.75f;
  numbers[1] = 0.5f;
  benchmark::DoNotOptimize(&numbers[0]);
  double flops = 0;
  kernel::dispatch<fma_loop>(&numbers[0], &flops);
  return flops;
}

/// Adds up all that the streams hold, side by side, and asks for each line `Ahead` bytes before its turn.
template <int Streams, int Ahead>
struct read_loop {
  template <class Isa>
  static TENSORNORM_INLINE void run(const float* const* start, std::size_t floats_of_each, float* sink) {
    using V = kernel::native_vec<Isa, float>;
    constexpr int step = Streams > 2 ? 2 : 8 / Streams;  // vectors of a stream in a round
    V sum[static_cast<std::size_t>(Streams * step)];
    TENSORNORM_UNROLL
    for (V& s : sum) s = V::splat(0);
    const float* from[Streams];
    for (int s = 0; s < Streams; ++s) from[s] = start[s];
    for (std::size_t i = 0; i + step * V::size <= floats_of_each; i += step * V::size) {
      TENSORNORM_UNROLL
      for (int s = 0; s < Streams; ++s) {
        const float* const p = from[s] + i;
        TENSORNORM_UNROLL
        for (int v = 0; v < step; ++v) {
          if constexpr (Ahead > 0)
            if (v * V::size % 16 == 0)
              kernel::prefetch<kernel::cache_level::first>(reinterpret_cast<const char*>(p + v * V::size) +
                                                           Ahead);
          V& to = sum[s * step + v];
          to = to + V::load(p + v * V::size);
        }
      }
    }
    V total = sum[0];
    TENSORNORM_UNROLL
    for (int v = 1; v < Streams * step; ++v) total = total + sum[v];
    for (int lane = 0; lane < V::size; ++lane) *sink += total[lane];
  }
};

TENSORNORM_VECTORS_END

template <int Streams, int Ahead>
void read(const void* first, const void* second, std::size_t bytes_of_each) {
  const float* const arrays[] = {static_cast<const float*>(first), static_cast<const float*>(second)};
  const std::size_t floats = bytes_of_each / sizeof(float);
  float sink = 0;
  if constexpr (Streams == 1) {
    for (const float* const& array : arrays) kernel::dispatch<read_loop<1, Ahead>>(&array, floats, &sink);
  } else {
    constexpr std::size_t parts = Streams / 2;
    const float* start[Streams];
    for (std::size_t s = 0; s < Streams; ++s) start[s] = arrays[s % 2] + s / 2 * (floats / parts);
    kernel::dispatch<read_loop<Streams, Ahead>>(&start[0], floats / parts, &sink);
  }
  benchmark::DoNotOptimize(sink);
}

}  // namespace

void multiply_adds() { run_fma_loop(); }

double multiply_add_flops() {
  static const double flops = run_fma_loop();
  return flops;
}

const std::vector<read_variant>& read_variants() {
  static const std::vector<read_variant> variants = {
      {"1_stream", read<1, 0>},  {"1_stream_ahead", read<1, 8192>},
      {"2_streams", read<2, 0>}, {"2_streams_ahead", read<2, 1024>},
      {"4_streams", read<4, 0>}, {"4_streams_ahead", read<4, 1024>},
  };
  return variants;
}

}  // namespace bench
