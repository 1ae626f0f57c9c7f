// The kernels of backward passes that tests call are compiled once, in backward_<scalar>.cpp, as those of
// kernels.hpp are.
#pragma once

#include "kernels.hpp"

// The three formulas for data of type T with a weight of type W; linkage is extern or nothing.
#define TENSORNORM_TEST_BACKWARD_KERNEL(linkage, formula, T, W)                                        \
  linkage template void tensornorm::kernel::differentiate<tensornorm::kernel::formula>(                \
      const tensornorm::kernel::gradient_problem<T, W>&, tensornorm::kernel::index,                    \
      tensornorm::kernel::index, tensornorm::kernel::compute_t<T>*, tensornorm::kernel::compute_t<T>*, \
      tensornorm::kernel::isa_level);
#define TENSORNORM_TEST_BACKWARD_KERNELS(linkage, T, W)          \
  TENSORNORM_TEST_BACKWARD_KERNEL(linkage, rms_formula, T, W)    \
  TENSORNORM_TEST_BACKWARD_KERNEL(linkage, simple_formula, T, W) \
  TENSORNORM_TEST_BACKWARD_KERNEL(linkage, layer_formula, T, W)

TENSORNORM_TEST_BACKWARD_KERNELS(extern, float, float)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, float, double)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, double, double)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, tensornorm::kernel::float16, tensornorm::kernel::float16)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, tensornorm::kernel::float16, float)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, tensornorm::kernel::bfloat16, tensornorm::kernel::bfloat16)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, tensornorm::kernel::bfloat16, float)
