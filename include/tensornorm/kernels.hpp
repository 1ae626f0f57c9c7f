// Kernels compiled once, for programs of many translation units. Each unit that calls a norm or attention
// compiles its kernels again, for every instruction set. To have that done in one place:
//
//   - define TENSORNORM_EXTERN_KERNELS wherever tensornorm/tensornorm.hpp is included, and
//   - write for each scalar type that the program uses, in a source file,
//
//         #include <tensornorm/kernels.hpp>
//         TENSORNORM_COMPILE_KERNELS(float)      // likewise double, bfloat16, and float16 for Eigen::half
//
// The CMake targets tensornorm::kernels_float, _double, _half and _bfloat16, and tensornorm::kernels for all
// four, do both. The same -m flags are used everywhere, or names differ and the linker says so. What is not
// listed here (weights of a type wider than usual, functions and modifiers of one's own) is compiled where it
// is used, as ever.
#pragma once

#include "attention/backward.hpp"
#include "attention/linear.hpp"
#include "attention/projection.hpp"
#include "attention/rotary.hpp"
#include "norm/differentiate.hpp"
#include "norm/residual.hpp"

// In each of these LINKAGE is extern or nothing, T one of float, double, float16 and bfloat16, and the place
// within namespace tensornorm::kernel.

#define TENSORNORM_NORM_KERNEL(LINKAGE, FORMULA, T, W, B, Y) \
  LINKAGE template void normalize<FORMULA>(const norm_problem<T, W, B, Y>&, index, index, isa_level);

/// The norms, with parameters of type W and results of type Y.
#define TENSORNORM_NORM_KERNELS_OF(LINKAGE, T, W, Y)          \
  TENSORNORM_NORM_KERNEL(LINKAGE, rms_formula, T, W, T, Y)    \
  TENSORNORM_NORM_KERNEL(LINKAGE, simple_formula, T, W, T, Y) \
  TENSORNORM_NORM_KERNEL(LINKAGE, layer_formula, T, W, W, Y)

/// The norms with parameters of the type of the data.
#define TENSORNORM_NORM_KERNELS(LINKAGE, T)    \
  TENSORNORM_NORM_KERNELS_OF(LINKAGE, T, T, T) \
  LINKAGE template void dispatch<add_residual>(const pieces&, const piece&, const residual_piece<T>&);

#define TENSORNORM_NORM_GRADIENT_KERNEL(LINKAGE, FORMULA, T)                                            \
  LINKAGE template void differentiate<FORMULA>(const gradient_problem<T>&, index, index, compute_t<T>*, \
                                               compute_t<T>*, isa_level);

/// Their gradients.
#define TENSORNORM_NORM_GRADIENT_KERNELS(LINKAGE, T)          \
  TENSORNORM_NORM_GRADIENT_KERNEL(LINKAGE, rms_formula, T)    \
  TENSORNORM_NORM_GRADIENT_KERNEL(LINKAGE, simple_formula, T) \
  TENSORNORM_NORM_GRADIENT_KERNEL(LINKAGE, layer_formula, T)

#define TENSORNORM_ATTENTION_KERNEL(LINKAGE, PATH, T)                                           \
  LINKAGE template void attend<attention_path::PATH>(const attention_problem<T>&, index, index, \
                                                     compute_t<T>*, compute_t<T>*, isa_level);

/// Attention, and the linear layers and rotary embedding of its blocks.
#define TENSORNORM_ATTENTION_KERNELS(LINKAGE, T)                                                            \
  TENSORNORM_ATTENTION_KERNEL(LINKAGE, fused, T)                                                            \
  TENSORNORM_ATTENTION_KERNEL(LINKAGE, unfused, T)                                                          \
  LINKAGE template void write_decoded(const attention_problem<T>&, index, index, compute_t<T>*, isa_level); \
  LINKAGE template void project(const projection_problem<T>&, index, index, compute_t<T>*, isa_level);      \
  LINKAGE template void dispatch<linear_kernel>(const linear_problem<T, T>&, const index&, const index&,    \
                                                compute_t<T>* const&);                                      \
  LINKAGE template void dispatch<rotary_kernel>(const rotary_problem<T>&, const index&, const index&);

#define TENSORNORM_ATTENTION_GRADIENT_KERNEL(LINKAGE, PATH, T)         \
  LINKAGE template void differentiate_attention<attention_path::PATH>( \
      const attention_gradient_problem<T>&, index, index, compute_t<T>*, isa_level);

/// Gradients of attention and of linear layers.
#define TENSORNORM_ATTENTION_GRADIENT_KERNELS(LINKAGE, T)                                                    \
  TENSORNORM_ATTENTION_GRADIENT_KERNEL(LINKAGE, fused, T)                                                    \
  TENSORNORM_ATTENTION_GRADIENT_KERNEL(LINKAGE, unfused, T)                                                  \
  LINKAGE template void dispatch<bias_gradient>(const attention_gradient_problem<T>&, const bias_shape&,     \
                                                const index&, const index&, double* const&,                  \
                                                compute_t<T>* const&);                                       \
  LINKAGE template void dispatch<sink_gradient>(const attention_gradient_problem<T>&, const index&,          \
                                                const index&, double* const&, compute_t<T>* const&);         \
  LINKAGE template void dispatch<linear_gradient_kernel>(const linear_gradient_problem<T, T>&, const index&, \
                                                         const index&, compute_t<T>* const&);

/// Of 16-bit data what meets float: parameters of norms and linear layers, norms that something follows, and
/// gradients of tokens that are summed.
#define TENSORNORM_MIXED_KERNELS(LINKAGE, T)                                                                 \
  TENSORNORM_NORM_KERNELS_OF(LINKAGE, T, float, T)                                                           \
  TENSORNORM_NORM_KERNELS_OF(LINKAGE, T, T, float)                                                           \
  LINKAGE template void dispatch<linear_kernel>(const linear_problem<T, float>&, const index&, const index&, \
                                                float* const&);                                              \
  LINKAGE template void dispatch<linear_gradient_kernel>(const linear_gradient_problem<T, float>&,           \
                                                         const index&, const index&, float* const&);

#define TENSORNORM_KERNELS(LINKAGE, T)         \
  TENSORNORM_NORM_KERNELS(LINKAGE, T)          \
  TENSORNORM_NORM_GRADIENT_KERNELS(LINKAGE, T) \
  TENSORNORM_ATTENTION_KERNELS(LINKAGE, T)     \
  TENSORNORM_ATTENTION_GRADIENT_KERNELS(LINKAGE, T)
#define TENSORNORM_KERNELS_OF_float TENSORNORM_KERNELS(, float)
#define TENSORNORM_KERNELS_OF_double TENSORNORM_KERNELS(, double)
#define TENSORNORM_KERNELS_OF_float16 TENSORNORM_KERNELS(, float16) TENSORNORM_MIXED_KERNELS(, float16)
#define TENSORNORM_KERNELS_OF_bfloat16 TENSORNORM_KERNELS(, bfloat16) TENSORNORM_MIXED_KERNELS(, bfloat16)

/// Compiles the kernels of a scalar here.
#define TENSORNORM_COMPILE_KERNELS(T)                   \
  namespace tensornorm::inline TENSORNORM_ABI::kernel { \
  TENSORNORM_KERNELS_OF_##T                             \
  }

#if defined(TENSORNORM_EXTERN_KERNELS)
namespace tensornorm::inline TENSORNORM_ABI::kernel {

TENSORNORM_KERNELS(extern, float)
TENSORNORM_KERNELS(extern, double)
TENSORNORM_KERNELS(extern, float16)
TENSORNORM_KERNELS(extern, bfloat16)
TENSORNORM_MIXED_KERNELS(extern, float16)
TENSORNORM_MIXED_KERNELS(extern, bfloat16)

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
#endif
