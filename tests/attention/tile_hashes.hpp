// Made by instruction_set_test.cpp, which says how. Do not edit.
#pragma once

#include "../support/hashes.hpp"

namespace tensornorm_test {

inline constexpr named_hash expected_tile_hashes[] = {
    {"attention bfloat16 1x1(1)x1x1 1 1 large", 0x5de1de749d1a9658},
    {"attention bfloat16 1x1(1)x1x1 1 1 modified", 0xe174cebbe7e0d397},
    {"attention bfloat16 1x1(1)x1x1 1 1 plain", 0x8958ad5aa386d94},
    {"attention bfloat16 1x1(1)x1x3000 128 128 large", 0x307a1fa403ad9f86},
    {"attention bfloat16 1x1(1)x1x3000 128 128 modified", 0x2ea602886b1664f9},
    {"attention bfloat16 1x1(1)x1x3000 128 128 plain", 0x92b6ce4ed00cc77e},
    {"attention bfloat16 1x1(1)x5x2050 33 33 large", 0x121af76dc597a92a},
    {"attention bfloat16 1x1(1)x5x2050 33 33 modified", 0xd6194e5796ddb174},
    {"attention bfloat16 1x1(1)x5x2050 33 33 plain", 0xafb1e9552e7da525},
    {"attention bfloat16 1x2(1)x1x64 64 64 large", 0xf635351ca36e5163},
    {"attention bfloat16 1x2(1)x1x64 64 64 modified", 0xc307505af15976f3},
    {"attention bfloat16 1x2(1)x1x64 64 64 plain", 0x1c4b120bdb861942},
    {"attention bfloat16 1x2(2)x130x129 64 64 large", 0xf0eb5efd48cdb4ef},
    {"attention bfloat16 1x2(2)x130x129 64 64 modified", 0x9f2d948219c9a114},
    {"attention bfloat16 1x2(2)x130x129 64 64 plain", 0x31fc40783b7e1149},
    {"attention bfloat16 1x2(2)x3x5 3 2 large", 0x8774482a0eaea523},
    {"attention bfloat16 1x2(2)x3x5 3 2 modified", 0x7982d4edd81c90ab},
    {"attention bfloat16 1x2(2)x3x5 3 2 plain", 0x1e4e3500e99c993},
    {"attention bfloat16 1x2(2)x67x1025 8 17 large", 0x882f0bdbbbcddeb2},
    {"attention bfloat16 1x2(2)x67x1025 8 17 modified", 0x8033c4bb8ee1a0ce},
    {"attention bfloat16 1x2(2)x67x1025 8 17 plain", 0x1e00f9108388050c},
    {"attention bfloat16 1x4(2)x9x65 59 111 large", 0xae33f0957fd96259},
    {"attention bfloat16 1x4(2)x9x65 59 111 modified", 0xaec6feb215b691cc},
    {"attention bfloat16 1x4(2)x9x65 59 111 plain", 0x9d08b1aca2551ead},
    {"attention bfloat16 2x2(2)x70x70 16 16 large", 0x34d212065f53d7f},
    {"attention bfloat16 2x2(2)x70x70 16 16 modified", 0xd64e06f8e338b018},
    {"attention bfloat16 2x2(2)x70x70 16 16 plain", 0x30b838a40144710a},
};

}  // namespace tensornorm_test
