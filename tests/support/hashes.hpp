// Hashes of results by name, compared with those that were committed, or written to be committed.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <span>
#include <string>

#include "data.hpp"
#include "levels.hpp"

namespace tensornorm_test {

struct named_hash {
  const char* name;
  std::uint64_t hash;
};

class result_hashes {
 public:
  template <class... Values>
  void add(const std::string& name, const Values&... values) {
    bit_hash hash;
    (hash.add(values), ...);
    hashes_[name] = hash.value();
  }

  /// With fused multiply-add, compares with the committed hashes; or makes a header that defines an array of
  /// the name, if the environment variable names a file.
  void check(std::span<const named_hash> committed, const char* variable = "TENSORNORM_WRITE_HASHES",
             const char* name = "expected_hashes") const {
    if (const char* path = std::getenv(variable)) {
      ASSERT_TRUE(has_fma()) << "the hashes are those of fused multiply-add";
      write(path, name);
    } else if (has_fma()) {
      expect(committed);
    }
  }

 private:
  void write(const std::string& path, const std::string& name) const {
    std::ofstream file(path);
    file << "// Made by instruction_set_test.cpp, which says how. Do not edit.\n#pragma once\n\n"
            "#include \"../support/hashes.hpp\"\n\nnamespace tensornorm_test {\n\n"
            "inline constexpr named_hash "
         << name << "[] = {\n";
    for (const auto& [result, hash] : hashes_)
      file << "    {\"" << result << "\", 0x" << std::hex << hash << std::dec << "},\n";
    file << "};\n\n}  // namespace tensornorm_test\n";
  }

  void expect(std::span<const named_hash> committed) const {
    std::map<std::string, std::uint64_t> expected;
    for (const named_hash& entry : committed) expected[entry.name] = entry.hash;
    EXPECT_EQ(expected.size(), hashes_.size());
    for (const auto& [name, hash] : hashes_) {
      const auto found = expected.find(name);
      ASSERT_NE(found, expected.end()) << name << " has no committed hash";
      EXPECT_EQ(hash, found->second) << name;
    }
  }

  std::map<std::string, std::uint64_t> hashes_;
};

}  // namespace tensornorm_test
