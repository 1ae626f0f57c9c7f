// Made by instruction_set_test.cpp, which says how. Do not edit.
#pragma once

#include <cstdint>

namespace tensornorm_test {

struct named_hash {
  const char* name;
  std::uint64_t hash;
};

inline constexpr named_hash expected_hashes[] = {
    {"", 0},
};

}  // namespace tensornorm_test
