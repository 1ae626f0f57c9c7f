#include "memory.hpp"

#include <new>

namespace bench {

std::shared_ptr<void> allocate_lines(std::size_t bytes) {
  constexpr std::align_val_t line{64};
  return {::operator new(bytes, line), [](void* memory) { ::operator delete(memory, line); }};
}

std::shared_ptr<void> only_alive(const std::string& key, const std::function<std::shared_ptr<void>()>& make) {
  static std::string alive_key;
  static std::shared_ptr<void> alive;
  if (key != alive_key) {
    alive.reset();
    alive = make();
    alive_key = key;
  }
  return alive;
}

}  // namespace bench
