// Version, ABI namespace and the few macros of tensornorm. Includes nothing.
#pragma once

#define TENSORNORM_VERSION_MAJOR 0
#define TENSORNORM_VERSION_MINOR 1
#define TENSORNORM_VERSION_PATCH 0
#define TENSORNORM_VERSION_STRING "0.1.0"

// GNU vector extensions, which GCC and Clang share. Define TENSORNORM_NO_GNU_VECTORS to compile
// the portable array form of the vectors instead; it is chosen by itself on other compilers.
#if defined(__GNUC__) && !defined(TENSORNORM_NO_GNU_VECTORS)
#define TENSORNORM_GNU_VECTORS 1
#else
#define TENSORNORM_GNU_VECTORS 0
#endif

// Instruction sets beyond the flags of the translation unit need GNU vectors, x86-64, and target
// attributes on functions.
#if TENSORNORM_GNU_VECTORS && defined(__x86_64__)
#define TENSORNORM_X86_LEVELS 1
#else
#define TENSORNORM_X86_LEVELS 0
#endif

// Products of tiles of bfloat16 need a system that is asked for them as Linux is.
#if TENSORNORM_X86_LEVELS && defined(__linux__)
#define TENSORNORM_AMX 1
#else
#define TENSORNORM_AMX 0
#endif

// GCC on x86, which needs builtins where Clang makes do with operators.
#if TENSORNORM_X86_LEVELS && !defined(__clang__)
#define TENSORNORM_GCC_X86 1
#else
#define TENSORNORM_GCC_X86 0
#endif

// Everything a kernel calls is inlined into the function that carries the target attribute; a
// call that stayed a call would be compiled for the baseline.
#if defined(__GNUC__)
#define TENSORNORM_INLINE inline __attribute__((always_inline))
#define TENSORNORM_INLINE_LAMBDA __attribute__((always_inline))
#define TENSORNORM_NOINLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define TENSORNORM_INLINE __forceinline
#define TENSORNORM_INLINE_LAMBDA
#define TENSORNORM_NOINLINE __declspec(noinline)
#else
#define TENSORNORM_INLINE inline
#define TENSORNORM_INLINE_LAMBDA
#define TENSORNORM_NOINLINE
#endif

// Loops over registers unroll fully; over the arrays that stand for them they need not.
#if TENSORNORM_GNU_VECTORS
#define TENSORNORM_UNROLL _Pragma("GCC unroll 64")
#else
#define TENSORNORM_UNROLL
#endif

// Around code that passes vectors: every such function is inlined, so that none has an ABI to warn of.
#if TENSORNORM_GNU_VECTORS
#define TENSORNORM_VECTORS_BEGIN _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpsabi\"")
#define TENSORNORM_VECTORS_END _Pragma("GCC diagnostic pop")
#else
#define TENSORNORM_VECTORS_BEGIN
#define TENSORNORM_VECTORS_END
#endif

// The width of the registers that the flags of the translation unit allow.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define TENSORNORM_BASELINE_BYTES 64
#elif defined(__AVX2__)
#define TENSORNORM_BASELINE_BYTES 32
#else
#define TENSORNORM_BASELINE_BYTES 16
#endif

// The ABI namespace: code compiled with other -m flags, another version or another vector form has
// other names, so that translation units which differ in these link into one program safely.
#if !TENSORNORM_GNU_VECTORS
#define TENSORNORM_ABI_VECTORS array
#elif defined(__FMA__) && defined(__F16C__)
#define TENSORNORM_ABI_VECTORS fma_f16c
#elif defined(__FMA__)
#define TENSORNORM_ABI_VECTORS fma
#elif defined(__F16C__)
#define TENSORNORM_ABI_VECTORS f16c
#else
#define TENSORNORM_ABI_VECTORS gnu
#endif
#define TENSORNORM_JOIN_NAME(version, bytes, vectors) version##_##bytes##_##vectors
#define TENSORNORM_JOIN(version, bytes, vectors) TENSORNORM_JOIN_NAME(version, bytes, vectors)
#define TENSORNORM_ABI TENSORNORM_JOIN(v0_1_0, TENSORNORM_BASELINE_BYTES, TENSORNORM_ABI_VECTORS)

/// Normalization kernels over Eigen tensors.
namespace tensornorm::inline TENSORNORM_ABI {}
