// The references of attention: how many multiply-adds one core does, and how fast it reads.
#pragma once

#include <cstddef>
#include <vector>

namespace bench {

/// Independent fused multiply-adds of the widest vectors in use, and nothing else. One call takes some
/// ten microseconds.
void multiply_adds();

/// Floating-point operations in a call of multiply_adds().
double multiply_add_flops();

/// A way to read two arrays of the same size. Which one is fastest depends on the machine.
struct read_variant {
  const char* name;
  void (*run)(const void* first, const void* second, std::size_t bytes_of_each);
};

const std::vector<read_variant>& read_variants();

}  // namespace bench
