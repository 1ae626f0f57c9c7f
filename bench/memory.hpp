// Memory that benchmarks share.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace bench {

/// Uninitialized memory that starts on a 64-byte line.
std::shared_ptr<void> allocate_lines(std::size_t bytes);

/// Keeps what `make` returned until another key is asked for: the largest shapes would not fit in memory
/// side by side.
std::shared_ptr<void> only_alive(const std::string& key, const std::function<std::shared_ptr<void>()>& make);

}  // namespace bench
