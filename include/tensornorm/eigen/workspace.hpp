// Memory that a call works in, kept for the next one.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "../config.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// Memory for attention(..., use_workspace(ws)) and for gradients of parameters: as many pieces as threads
/// have worked at a time. A second call of the same sizes allocates nothing. Calls at the same time may share
/// one. A copy begins empty, and assigning leaves what is there: the memory is nobody's value.
class workspace {
 public:
  workspace() = default;
  workspace(const workspace&) : workspace() {}
  workspace& operator=(const workspace&) { return *this; }

  /// How much is held.
  std::size_t bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

  /// A piece of memory for as long as it lives. (For the library.)
  class lease {
   public:
    lease(workspace& owner, std::size_t bytes) : owner_(owner), piece_(owner.take(bytes)) {}
    ~lease() { owner_.give_back(std::move(piece_)); }
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    void* data() const { return piece_.memory.get(); }

   private:
    friend class workspace;
    workspace& owner_;
    struct piece {
      struct release {
        void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(64)); }
      };
      std::size_t bytes = 0;
      std::unique_ptr<std::byte, release> memory;
    } piece_;
  };

 private:
  lease::piece take(std::size_t bytes) {
    lease::piece piece;
    if (bytes == 0) return piece;
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      free_.reserve(++pieces_);  // so that giving back never allocates
    } else {
      piece = std::move(free_.back());
      free_.pop_back();
    }
    if (piece.bytes < bytes) {
      bytes_ -= piece.bytes;
      piece = {};  // frees before it allocates
      piece.memory.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t(64))));
      piece.bytes = bytes;
      bytes_ += bytes;
    }
    return piece;
  }
  void give_back(lease::piece piece) noexcept {
    if (!piece.memory) return;
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(piece));
  }

  mutable std::mutex mutex_;
  std::vector<lease::piece> free_;
  std::size_t pieces_ = 0;
  std::size_t bytes_ = 0;
};
using attention_workspace = workspace;

struct use_workspace_t {
  tensornorm::workspace& workspace;
};
/// Works in memory that the caller keeps for further calls.
inline use_workspace_t use_workspace(workspace& memory) { return {memory}; }

}  // namespace tensornorm::inline TENSORNORM_ABI
