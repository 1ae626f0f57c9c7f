#include "triads.hpp"

#include <cmath>
#include <tensornorm/tensornorm.hpp>

namespace bench {
namespace {

namespace kernel = tensornorm::kernel;

TENSORNORM_VECTORS_BEGIN

/// Nothing is asked for ahead: tried, and slower than what processors do by themselves.
template <bool PastCache>
struct triad_loop {
  static constexpr std::size_t line = 64 / sizeof(float);

  template <class Isa>
  static TENSORNORM_INLINE void run(float* y, const float* x, const float* z, std::size_t count) {
    using V = kernel::native_vec<Isa, float>;
    constexpr float a = 0.75f;
    std::size_t i = 0;
    for (; i + line <= count; i += line) {
      TENSORNORM_UNROLL
      for (std::size_t v = i; v < i + line; v += V::size) {
        const V sum = kernel::fma(V::load(x + v), V::splat(a), V::load(z + v));
        if constexpr (PastCache)
          kernel::stream(sum, y + v);
        else
          sum.store(y + v);
      }
    }
    for (; i < count; ++i) y[i] = std::fma(x[i], a, z[i]);
    if constexpr (PastCache) kernel::stream_fence();
  }
};

TENSORNORM_VECTORS_END

template <bool PastCache>
void run(void* y, const void* x, const void* z, std::size_t bytes) {
  kernel::dispatch<triad_loop<PastCache>>(static_cast<float*>(y), static_cast<const float*>(x),
                                          static_cast<const float*>(z), bytes / sizeof(float));
}

}  // namespace

void triad(void* y, const void* x, const void* z, std::size_t bytes) { run<false>(y, x, z, bytes); }

void non_temporal_triad(void* y, const void* x, const void* z, std::size_t bytes) {
  run<kernel::has_stream>(y, x, z, bytes);
}

bool has_non_temporal_triad() { return kernel::has_stream; }

}  // namespace bench
