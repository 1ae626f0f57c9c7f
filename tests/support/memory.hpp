// Memory that notices what it should not: pages that fault beside the data, and canaries.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <vector>

#include "scalar.hpp"

namespace tensornorm_test {

/// What an element is before it is written.
template <class T>
T unwritten() {
  if constexpr (std::is_integral_v<T>)
    return T();
  else
    return quiet_nan<T>();
}

/// Elements between two pages that may not be touched. They end where the upper page begins, or
/// begin where the lower one ends: one element read or written too far is a fault.
enum class guard { after, before };

template <class T>
class guarded_buffer {
 public:
  guarded_buffer(std::size_t count, guard side) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t middle = std::max<std::size_t>(1, (count * sizeof(T) + page - 1) / page) * page;
    bytes_ = middle + 2 * page;
    memory_ = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    char* const first = static_cast<char*>(memory_) + page;
    if (mprotect(first, middle, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    data_ = reinterpret_cast<T*>(side == guard::before ? first : first + middle - count * sizeof(T));
    std::uninitialized_fill_n(data_, count, unwritten<T>());
    count_ = count;
  }
  guarded_buffer(std::size_t count, guard side, const std::vector<T>& values) : guarded_buffer(count, side) {
    std::ranges::copy(values, data_);
  }
  guarded_buffer(const guarded_buffer&) = delete;
  guarded_buffer& operator=(const guarded_buffer&) = delete;
  ~guarded_buffer() { munmap(memory_, bytes_); }

  T* data() { return data_; }
  std::vector<T> values() const { return {data_, data_ + count_}; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

/// Elements full of NaN between two runs of a number that nobody writes, at a chosen distance from a
/// boundary of 64 bytes.
template <class T>
class canary_buffer {
 public:
  static constexpr std::size_t margin = 160;

  explicit canary_buffer(std::size_t count, std::size_t offset = 0)
      : memory_(count + 2 * margin + 64 / sizeof(T), canary()), count_(count) {
    void* aligned = memory_.data() + margin - 64 / sizeof(T);
    std::size_t space = (count + margin) * sizeof(T);
    std::align(64, sizeof(T), aligned, space);
    data_ = static_cast<T*>(aligned) + offset;
    std::fill_n(data_, count, quiet_nan<T>());
  }
  canary_buffer(const std::vector<T>& values, std::size_t offset) : canary_buffer(values.size(), offset) {
    std::ranges::copy(values, data_);
  }
  canary_buffer(const canary_buffer&) = delete;
  canary_buffer& operator=(const canary_buffer&) = delete;

  T* data() { return data_; }
  std::vector<T> values() const { return {data_, data_ + count_}; }

  /// Whether every canary still sings.
  bool intact() const {
    const auto sings = [](const T& value) { return bits(value) == bits(canary()); };
    return std::all_of(memory_.data(), static_cast<const T*>(data_), sings) &&
           std::all_of(static_cast<const T*>(data_) + count_, memory_.data() + memory_.size(), sings);
  }

 private:
  static T canary() { return narrow<T>(-12345); }

  std::vector<T> memory_;
  std::size_t count_;
  T* data_ = nullptr;
};

}  // namespace tensornorm_test
