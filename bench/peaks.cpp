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

/// Vectors of a stream that are read before the next stream has its turn.
constexpr int vectors_in_turn(int streams) { return streams > 2 ? 2 : 8 / streams; }

/// Adds up all that the streams hold, side by side, and asks for each line `Ahead` bytes before its turn, or
/// where it asks several times, as decoding does on some machines, 1, 2, ... times as many.
template <int Streams, int Ahead, int Times, int Vectors>
struct read_loop {
  template <class Isa>
  static TENSORNORM_INLINE void run(const float* const* start, std::size_t floats_of_each, float* sink) {
    using V = kernel::native_vec<Isa, float>;
    constexpr auto level = Times > 1 ? kernel::cache_level::second : kernel::cache_level::first;
    V sum[static_cast<std::size_t>(Streams * Vectors)];
    TENSORNORM_UNROLL
    for (V& s : sum) s = V::splat(0);
    const float* from[Streams];
    for (int s = 0; s < Streams; ++s) from[s] = start[s];
    for (std::size_t i = 0; i + Vectors * V::size <= floats_of_each; i += Vectors * V::size) {
      TENSORNORM_UNROLL
      for (int s = 0; s < Streams; ++s) {
        const float* const p = from[s] + i;
        TENSORNORM_UNROLL
        for (int v = 0; v < Vectors; ++v) {
          if constexpr (Ahead > 0)
            if ((i + v * V::size) % 16 == 0) {
              TENSORNORM_UNROLL
              for (int t = Times; t > 0; --t)
                kernel::prefetch<level>(reinterpret_cast<const char*>(p + v * V::size) + t * Ahead);
            }
          V& to = sum[s * Vectors + v];
          to = to + V::load(p + v * V::size);
        }
      }
    }
    V total = sum[0];
    TENSORNORM_UNROLL
    for (int v = 1; v < Streams * Vectors; ++v) total = total + sum[v];
    for (int lane = 0; lane < V::size; ++lane) *sink += total[lane];
  }
};

TENSORNORM_VECTORS_END

template <int Streams, int Ahead = 0, int Times = 1, int Vectors = vectors_in_turn(Streams)>
void read(const void* first, const void* second, std::size_t bytes_of_each) {
  const float* const arrays[] = {static_cast<const float*>(first), static_cast<const float*>(second)};
  const std::size_t floats = bytes_of_each / sizeof(float);
  float sink = 0;
  if constexpr (Streams == 1) {
    for (const float* const& array : arrays)
      kernel::dispatch<read_loop<1, Ahead, Times, Vectors>>(&array, floats, &sink);
  } else {
    constexpr std::size_t parts = Streams / 2;
    const float* start[Streams];
    for (std::size_t s = 0; s < Streams; ++s) start[s] = arrays[s % 2] + s / 2 * (floats / parts);
    kernel::dispatch<read_loop<Streams, Ahead, Times, Vectors>>(&start[0], floats / parts, &sink);
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
      {"1_stream", read<1>},
      {"1_stream_ahead", read<1, 8192>},
      {"2_streams", read<2>},
      {"2_streams_ahead", read<2, 1024>},
      {"4_streams", read<4>},
      {"4_streams_ahead", read<4, 1024>},
      {"4_streams_by_vector", read<4, 0, 1, 1>},
      {"4_streams_again", read<4, 72 * 64, 4, 1>},
  };
  return variants;
}

}  // namespace bench
