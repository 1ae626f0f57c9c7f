// The references: how fast this machine moves the same bytes without computing anything.
#pragma once

#include <cstddef>

namespace bench {

/// Copies past the cache, with the widest streaming stores that this machine has. Elsewhere it is
/// std::memcpy, and has_non_temporal_copy() is false.
void non_temporal_copy(void* to, const void* from, std::size_t bytes);

bool has_non_temporal_copy();

/// The stores that non_temporal_copy uses, for people: "64-byte streaming stores".
const char* non_temporal_copy_name();

}  // namespace bench
