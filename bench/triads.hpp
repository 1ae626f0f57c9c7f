// The references of backward passes: how fast this machine reads two arrays and writes a third.
#pragma once

#include <cstddef>

namespace bench {

/// y = a · x + z, over so many bytes of floats. y starts on a 64-byte line.
void triad(void* y, const void* x, const void* z, std::size_t bytes);

/// The same with stores past the cache. Where there are none it is triad(), and has_non_temporal_triad() is
/// false.
void non_temporal_triad(void* y, const void* x, const void* z, std::size_t bytes);

bool has_non_temporal_triad();

}  // namespace bench
