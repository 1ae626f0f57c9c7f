// The operators new and delete of a program that counts allocations. By themselves in a translation
// unit, where no compiler sees through them.
#include "allocations.hpp"

#include <new>

void* operator new(std::size_t bytes) {
  tensornorm_test::count_allocation();
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  tensornorm_test::count_allocation();
  const auto boundary = static_cast<std::size_t>(alignment);
  const std::size_t whole = (bytes + boundary - 1) / boundary * boundary;
  if (void* memory = std::aligned_alloc(boundary, whole == 0 ? boundary : whole)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
