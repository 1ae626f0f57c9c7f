// Instruction-set levels, and the one place where a kernel is compiled for each of them and one is
// picked at run time. Nothing else in the library names an instruction set in an attribute.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "../config.hpp"
#include "amx.hpp"

#if TENSORNORM_X86_LEVELS && !defined(__clang__)
// GCC declares the builtins of an instruction set when it first meets a function compiled for it.
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#pragma GCC pop_options
#endif

namespace tensornorm::inline TENSORNORM_ABI::kernel {

enum class isa_level { baseline, avx2, avx512 };

/// What the flags of the translation unit allow: SSE2 or NEON where there are none.
struct baseline {
  using cold = baseline;
  static constexpr isa_level level = isa_level::baseline;
  static constexpr int bytes = TENSORNORM_BASELINE_BYTES;
#if TENSORNORM_GNU_VECTORS && (defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__))
  static constexpr bool has_fma = true;
#else
  static constexpr bool has_fma = false;
#endif
#if TENSORNORM_X86_LEVELS && defined(__F16C__)
  static constexpr bool has_f16c = true;
#else
  static constexpr bool has_f16c = false;
#endif
};

/// AVX2 with FMA and F16C: x86 since 2013.
struct avx2 {
  static constexpr isa_level level = isa_level::avx2;
  using cold = avx2;  // what rare paths run on: fewer instances to compile, the same bits
  static constexpr int bytes = 32;
  static constexpr bool has_fma = true;
  static constexpr bool has_f16c = true;
};

/// What all that follow have in common.
struct avx512_registers {
  using cold = avx2;
  static constexpr isa_level level = isa_level::avx512;
  static constexpr int bytes = 64;
  static constexpr bool has_fma = true;
  static constexpr bool has_f16c = true;
};

/// AVX-512 F, BW, DQ and VL.
struct avx512 : avx512_registers {};

/// AVX-512 with dot products of pairs of bfloat16: Cooper Lake, Zen 4. No level of its own, but what kernels
/// that have a use for these products enter at the level avx512 (takes_bfloat16_dot).
struct avx512_bfloat16 : avx512_registers {};

/// The same with products of tiles: Sapphire Rapids (takes_amx).
struct avx512_amx : avx512_registers {};

/// The level of all that the flags of the translation unit allow anyway, as -march=native may: no kernel is
/// compiled for less.
inline constexpr isa_level level_of_flags =
    !TENSORNORM_X86_LEVELS || !baseline::has_fma || !baseline::has_f16c ? isa_level::baseline
    : baseline::bytes == avx512::bytes                                  ? isa_level::avx512
    : baseline::bytes == avx2::bytes                                    ? isa_level::avx2
                                                                        : isa_level::baseline;

/// The instruction set on which kernels run at a level.
template <isa_level Level>
using isa_at = std::conditional_t<
    !TENSORNORM_X86_LEVELS || (Level == isa_level::baseline && level_of_flags == isa_level::baseline),
    baseline,
    std::conditional_t<Level == isa_level::avx512 || level_of_flags == isa_level::avx512, avx512, avx2>>;

/// f(isa), with the instruction set on which kernels run at the level.
template <class F>
auto with_isa(isa_level level, const F& f) {
  if (level == isa_level::avx512) return f(isa_at<isa_level::avx512>());
  if (level == isa_level::avx2) return f(isa_at<isa_level::avx2>());
  return f(isa_at<isa_level::baseline>());
}

inline const char* name(isa_level level) {
  return level == isa_level::avx512 ? "avx512" : level == isa_level::avx2 ? "avx2" : "baseline";
}

/// The highest level that the machine has.
inline isa_level best_isa() {
#if TENSORNORM_X86_LEVELS
  __builtin_cpu_init();
  // F16C is older than AVX2, and Clang 14 cannot be asked for it.
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return isa_level::baseline;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return isa_level::avx512;
  return isa_level::avx2;
#else
  return isa_level::baseline;
#endif
}

/// What the environment variable TENSORNORM_ISA says.
inline std::string_view isa_cap() {
  const char* const cap = std::getenv("TENSORNORM_ISA");
  return cap ? cap : "";
}
/// avx512, and dot products of bfloat16 also where they are not the faster way.
inline constexpr std::string_view cap_with_bfloat16_dot = "avx512_bfloat16";
/// avx512, and products of tiles of bfloat16.
inline constexpr std::string_view cap_with_amx = "avx512_amx";

/// best_isa(), or less if the environment says so, but never less than the flags of the translation unit:
/// baseline, avx2, avx512 (which has no products of bfloat16), avx512_bfloat16 or avx512_amx. Any other word
/// throws std::invalid_argument.
inline isa_level capped_isa() {
  const isa_level best = best_isa();
  const std::string_view cap = isa_cap();
  if (cap.empty() || cap == cap_with_bfloat16_dot || cap == cap_with_amx) return best;
  for (isa_level level : {isa_level::baseline, isa_level::avx2, isa_level::avx512})
    if (cap == name(level)) return std::min(std::max(level, level_of_flags), best);
  throw std::invalid_argument("tensornorm: TENSORNORM_ISA is " + std::string(cap) +
                              ", expected baseline, avx2, avx512, avx512_bfloat16 or avx512_amx");
}

/// The level in use; worked out once in a process.
inline isa_level active_isa() {
  static const isa_level level = capped_isa();
  return level;
}

/// Kernel::run<Isa>(args...), compiled for the instruction set Isa. run and all that it calls are
/// TENSORNORM_INLINE; the function made here is the only one with the target attribute.
template <class Kernel, class... Args>
TENSORNORM_NOINLINE void enter(baseline, const Args&... args) {
  Kernel::template run<baseline>(args...);
}

#if TENSORNORM_X86_LEVELS
template <class Kernel, class... Args>
__attribute__((target("avx2,fma,f16c"))) TENSORNORM_NOINLINE void enter(avx2, const Args&... args) {
  Kernel::template run<avx2>(args...);
}

template <class Kernel, class... Args>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))) TENSORNORM_NOINLINE void enter(
    avx512, const Args&... args) {
  Kernel::template run<avx512>(args...);
}

template <class Kernel, class... Args>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")))
TENSORNORM_NOINLINE void
enter(avx512_bfloat16, const Args&... args) {
  Kernel::template run<avx512_bfloat16>(args...);
}
#endif

#if TENSORNORM_AMX
template <class Kernel, class... Args>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16,avx2,fma,f16c")))
TENSORNORM_NOINLINE void
enter(avx512_amx, const Args&... args) {
  const amx::session tiles;
  Kernel::template run<avx512_amx>(args...);
}
#endif

/// Whether kernels can enter avx512_bfloat16 at this level.
inline bool has_bfloat16_dot(isa_level level) {
#if TENSORNORM_X86_LEVELS
  static const bool machine_has = (__builtin_cpu_init(), __builtin_cpu_supports("avx512bf16") != 0);
  return level == isa_level::avx512 && machine_has;
#else
  static_cast<void>(level);
  return false;
#endif
}

inline bool on_intel() {
#if TENSORNORM_X86_LEVELS
  static const bool is_intel = (__builtin_cpu_init(), __builtin_cpu_is("intel") != 0);
  return is_intel;
#else
  return false;
#endif
}

inline bool on_amd() {
#if TENSORNORM_X86_LEVELS
  static const bool is_amd = (__builtin_cpu_init(), __builtin_cpu_is("amd") != 0);
  return is_amd;
#else
  return false;
#endif
}

/// Whether kernels can enter avx512_amx at this level.
inline bool has_amx(isa_level level) {
#if TENSORNORM_AMX
  return has_bfloat16_dot(level) && amx::is_there();
#else
  static_cast<void>(level);
  return false;
#endif
}

/// Whether kernels that multiply bfloat16 are to enter it: where they can.
inline bool takes_amx(isa_level level) {
  static const bool wanted = isa_cap().empty() || isa_cap() == cap_with_amx;
  return wanted && has_amx(level);
}

/// Whether kernels that multiply bfloat16 are to enter avx512_bfloat16: where dot products are the faster
/// way. Measured: Zen 4 begins as many dot products as fused multiply-adds, Granite Rapids one for four.
inline bool takes_bfloat16_dot(isa_level level) {
  static const bool pays = isa_cap().empty() ? !on_intel() : isa_cap() == cap_with_bfloat16_dot;
  return pays && has_bfloat16_dot(level) && !takes_amx(level);
}

/// Whether memory is read faster as some streams side by side than as one. Measured: on Intel by a tenth to a
/// fifth (Cascade Lake, Granite Rapids); not on AMD (Zen 4).
inline bool reads_streams_side_by_side() { return on_intel(); }

/// Whether a prefetch is forgotten while many others are under way. Measured: on AMD (Zen 4) a loop of nothing
/// else is done in a third of the time that memory takes to deliver.
inline bool forgets_requests() { return on_amd(); }

#if TENSORNORM_X86_LEVELS
#if defined(__clang__)
// Clang takes no operands wider than the registers of the function they are written in, not even if that is
// to be inlined. This one is, since it is small, as soon as its caller is part of a function like itself.
#define TENSORNORM_BFLOAT16_INSTRUCTION \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c"))) inline
#else
// GCC has builtins, but not for a function that is yet to be inlined where the instruction is.
#define TENSORNORM_BFLOAT16_INSTRUCTION TENSORNORM_INLINE
#endif

/// sum += the dot product of each pair of bfloat16 in the lanes of a and b, which may be vectors of float or
/// one: the second product, then the first, each added with one rounding. Subnormal numbers count as 0. For
/// kernels that are entered as avx512_bfloat16.
template <class Lanes>
TENSORNORM_BFLOAT16_INSTRUCTION void add_bfloat16_dot(Lanes& sum, const Lanes& a, const Lanes& b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}

/// Each lane becomes the pair of the bfloat16 nearest to those of `first` and `second`, 16 lanes of float.
/// Subnormal numbers become 0. For kernels that are entered as avx512_bfloat16 or avx512_amx.
template <class Lanes>
TENSORNORM_BFLOAT16_INSTRUCTION void round_bfloat16_pairs(Lanes& pairs, const Lanes& first,
                                                          const Lanes& second) {
  typedef short shorts __attribute__((vector_size(64)));
  const shorts interleaved = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                              8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  asm("vcvtne2ps2bf16 %1, %2, %0\n\tvpermw %0, %3, %0"
      : "=&v"(pairs)
      : "v"(first), "v"(second), "v"(interleaved));
}
#undef TENSORNORM_BFLOAT16_INSTRUCTION
#endif

/// Runs the kernel at a level that the machine has.
template <class Kernel, class... Args>
void dispatch_at(isa_level level, const Args&... args) {
  with_isa(level, [&](auto isa) { enter<Kernel>(isa, args...); });
}

/// Runs the kernel at the level in use.
template <class Kernel, class... Args>
void dispatch(const Args&... args) {
  dispatch_at<Kernel>(active_isa(), args...);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
