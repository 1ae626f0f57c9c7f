// Which instruction set kernels run on, and that a kernel runs on the one it is sent to.
#include <tensornorm/simd/isa.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

namespace tensornorm_test {
namespace {

namespace kernel = tensornorm::kernel;
using kernel::isa_level;

constexpr isa_level levels[] = {isa_level::baseline, isa_level::avx2, isa_level::avx512};

/// TENSORNORM_ISA set to something else, until the end of a scope.
class environment {
 public:
  explicit environment(const char* value) {
    if (const char* const before = std::getenv(variable)) before_ = before;
    set(value);
  }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;
  ~environment() { set(before_ ? before_->c_str() : nullptr); }

 private:
  static constexpr const char* variable = "TENSORNORM_ISA";

  static void set(const char* value) { value ? setenv(variable, value, 1) : unsetenv(variable); }

  std::optional<std::string> before_;
};

TEST(instruction_set, names_are_those_that_the_environment_takes) {
  EXPECT_STREQ(kernel::name(isa_level::baseline), "baseline");
  EXPECT_STREQ(kernel::name(isa_level::avx2), "avx2");
  EXPECT_STREQ(kernel::name(isa_level::avx512), "avx512");
}

TEST(instruction_set, is_the_best_of_the_machine_without_a_cap) {
  for (const char* const no_cap : {static_cast<const char*>(nullptr), ""}) {
    const environment cap(no_cap);
    EXPECT_EQ(kernel::capped_isa(), kernel::best_isa());
  }
}

TEST(instruction_set, is_capped_by_the_environment_and_by_the_machine) {
  for (const isa_level level : levels) {
    const environment cap(kernel::name(level));
    EXPECT_EQ(kernel::capped_isa(), std::min(std::max(level, kernel::level_of_flags), kernel::best_isa()))
        << kernel::name(level);
  }
}

TEST(instruction_set, is_no_less_where_products_of_bfloat16_are_asked_for) {
  for (const char* const products : {"avx512_bfloat16", "avx512_amx"}) {
    const environment cap(products);
    EXPECT_EQ(kernel::capped_isa(), kernel::best_isa());
  }
}

TEST(instruction_set, has_dot_products_where_they_are_taken) {
  for (const isa_level level : levels)
    EXPECT_LE(kernel::takes_bfloat16_dot(level), kernel::has_bfloat16_dot(level)) << kernel::name(level);
  EXPECT_FALSE(kernel::has_bfloat16_dot(isa_level::baseline));
  EXPECT_FALSE(kernel::has_bfloat16_dot(isa_level::avx2));
}

TEST(instruction_set, has_tiles_where_they_are_taken) {
  for (const isa_level level : levels) {
    EXPECT_LE(kernel::takes_amx(level), kernel::has_amx(level)) << kernel::name(level);
    EXPECT_FALSE(kernel::takes_amx(level) && kernel::takes_bfloat16_dot(level)) << kernel::name(level);
  }
  EXPECT_FALSE(kernel::has_amx(isa_level::baseline));
  EXPECT_FALSE(kernel::has_amx(isa_level::avx2));
}

TEST(instruction_set, that_is_named_has_no_products_of_bfloat16_unless_they_are_named) {
  const auto cap = kernel::isa_cap();
  if (cap.empty()) GTEST_SKIP() << "none is named";
  for (const isa_level level : levels) {
    EXPECT_EQ(kernel::takes_bfloat16_dot(level), cap == "avx512_bfloat16" && kernel::has_bfloat16_dot(level));
    EXPECT_EQ(kernel::takes_amx(level), cap == "avx512_amx" && kernel::has_amx(level));
  }
}

TEST(instruction_set, of_an_unknown_name_throws_and_says_what_is_known) {
  for (const char* const unknown : {"sse2", "AVX2", "avx", "avx5120", " avx2", "none"}) {
    const environment cap(unknown);
    try {
      kernel::capped_isa();
      ADD_FAILURE() << unknown << " was taken";
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()),
                "tensornorm: TENSORNORM_ISA is " + std::string(unknown) +
                    ", expected baseline, avx2, avx512, avx512_bfloat16 or avx512_amx");
    }
  }
}

TEST(instruction_set, in_use_stays_what_it_was_first) {
  const isa_level first = kernel::active_isa();
  const environment cap("no such thing");
  EXPECT_EQ(kernel::active_isa(), first);
}

/// Writes down which instruction set it was compiled for.
struct report {
  template <class Isa>
  static TENSORNORM_INLINE void run(const std::string& greeting, std::string* const& heard) {
    *heard = greeting + (std::is_same_v<Isa, kernel::baseline> ? "baseline"
                         : std::is_same_v<Isa, kernel::avx2>   ? "avx2"
                                                               : "avx512");
  }
};

TEST(instruction_set, of_a_kernel_is_the_one_it_is_sent_to) {
  for (const isa_level level : levels) {
    if (level > kernel::best_isa()) continue;
    std::string heard;
    kernel::dispatch_at<report>(level, std::string("on "), &heard);
    EXPECT_EQ(heard, std::string("on ") + kernel::name(std::max(level, kernel::level_of_flags)));
  }
}

TEST(instruction_set, of_a_kernel_is_never_less_than_the_flags_of_the_build) {
  for (const isa_level level : levels) {
    const auto level_of = [](auto isa) { return decltype(isa)::level; };
    EXPECT_EQ(kernel::with_isa(level, level_of), std::max(level, kernel::level_of_flags))
        << kernel::name(level);
    const auto fused = [](auto isa) { return decltype(isa)::has_fma; };
    EXPECT_GE(kernel::with_isa(level, fused), kernel::baseline::has_fma) << kernel::name(level);
  }
}

TEST(instruction_set, of_a_kernel_is_the_one_in_use_where_none_is_named) {
  std::string heard;
  kernel::dispatch<report>(std::string(), &heard);
  EXPECT_EQ(heard, kernel::name(kernel::active_isa()));
}

TEST(instruction_set, of_rare_paths_has_fused_multiply_add_where_the_common_path_has) {
  static_assert(kernel::baseline::cold::has_fma == kernel::baseline::has_fma);
  static_assert(kernel::avx2::cold::has_fma == kernel::avx2::has_fma);
  static_assert(kernel::avx512::cold::has_fma == kernel::avx512::has_fma);
}

}  // namespace
}  // namespace tensornorm_test
