// The kernels that tests call are compiled once, in rows_<scalar>.cpp, instead of in each program: a
// kernel is compiled for each instruction set and takes its time.
#pragma once

#include <tensornorm/tensornorm.hpp>

// The three formulas for data of type T with parameters of type W; linkage is extern or nothing.
#define TENSORNORM_TEST_KERNEL(linkage, formula, T, W, B)                           \
  linkage template void tensornorm::kernel::normalize<tensornorm::kernel::formula>( \
      const tensornorm::kernel::norm_problem<T, W, B>&, tensornorm::kernel::index,  \
      tensornorm::kernel::index, tensornorm::kernel::isa_level);
#define TENSORNORM_TEST_KERNELS(linkage, T, W)             \
  TENSORNORM_TEST_KERNEL(linkage, rms_formula, T, W, T)    \
  TENSORNORM_TEST_KERNEL(linkage, simple_formula, T, W, T) \
  TENSORNORM_TEST_KERNEL(linkage, layer_formula, T, W, W)

TENSORNORM_TEST_KERNELS(extern, float, float)
TENSORNORM_TEST_KERNELS(extern, float, double)
TENSORNORM_TEST_KERNELS(extern, double, double)
TENSORNORM_TEST_KERNELS(extern, tensornorm::kernel::float16, tensornorm::kernel::float16)
TENSORNORM_TEST_KERNELS(extern, tensornorm::kernel::float16, float)
TENSORNORM_TEST_KERNELS(extern, tensornorm::kernel::bfloat16, tensornorm::kernel::bfloat16)
TENSORNORM_TEST_KERNELS(extern, tensornorm::kernel::bfloat16, float)
