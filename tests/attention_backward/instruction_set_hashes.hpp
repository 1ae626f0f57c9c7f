// Made by instruction_set_test.cpp, which says how. Do not edit.
#pragma once

#include "../support/hashes.hpp"

namespace tensornorm_test {

inline constexpr named_hash expected_hashes[] = {
    {"none made", 0x0},
};

}  // namespace tensornorm_test
