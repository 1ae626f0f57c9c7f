#include "copies.hpp"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace bench {
namespace {

struct copy_variant {
  void (*copy_lines)(char* to, const char* from, std::size_t lines);  // `to` starts on a 64-byte line
  const char* name;
};

#if defined(__x86_64__) && defined(__GNUC__)

__attribute__((target("avx512f"))) void copy_lines_avx512(char* to, const char* from, std::size_t lines) {
  for (std::size_t i = 0; i < lines; ++i, to += 64, from += 64)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
  _mm_sfence();
}

__attribute__((target("avx"))) void copy_lines_avx(char* to, const char* from, std::size_t lines) {
  for (std::size_t i = 0; i < lines; ++i, to += 64, from += 64)
    for (int part = 0; part < 64; part += 32)
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + part),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + part)));
  _mm_sfence();
}

void copy_lines_sse2(char* to, const char* from, std::size_t lines) {
  for (std::size_t i = 0; i < lines; ++i, to += 64, from += 64)
    for (int part = 0; part < 64; part += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + part),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + part)));
  _mm_sfence();
}

copy_variant best_variant() {
  if (__builtin_cpu_supports("avx512f")) return {copy_lines_avx512, "64-byte streaming stores"};
  if (__builtin_cpu_supports("avx")) return {copy_lines_avx, "32-byte streaming stores"};
  return {copy_lines_sse2, "16-byte streaming stores"};
}

#elif defined(__clang__)

void copy_lines_builtin(char* to, const char* from, std::size_t lines) {
  using vector = float __attribute__((vector_size(16)));
  for (std::size_t i = 0; i < lines; ++i, to += 64, from += 64)
    for (int part = 0; part < 64; part += 16) {
      vector value;
      std::memcpy(&value, from + part, sizeof value);
      __builtin_nontemporal_store(value, reinterpret_cast<vector*>(to + part));
    }
}

copy_variant best_variant() { return {copy_lines_builtin, "non-temporal stores of the compiler"}; }

#else

copy_variant best_variant() { return {nullptr, "std::memcpy: no streaming stores known for this machine"}; }

#endif

const copy_variant& variant() {
  static const copy_variant best = best_variant();
  return best;
}

}  // namespace

bool has_non_temporal_copy() { return variant().copy_lines != nullptr; }

const char* non_temporal_copy_name() { return variant().name; }

void non_temporal_copy(void* to, const void* from, std::size_t bytes) {
  auto* y = static_cast<char*>(to);
  auto* x = static_cast<const char*>(from);
  if (!has_non_temporal_copy()) {
    std::memcpy(y, x, bytes);
    return;
  }
  std::size_t head = (64 - reinterpret_cast<std::uintptr_t>(y) % 64) % 64;
  if (head > bytes) head = bytes;
  const std::size_t lines = (bytes - head) / 64;
  std::memcpy(y, x, head);
  variant().copy_lines(y + head, x + head, lines);
  std::memcpy(y + head + lines * 64, x + head + lines * 64, bytes - head - lines * 64);
}

}  // namespace bench
