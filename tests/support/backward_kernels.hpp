// The kernels of backward passes that tests call are compiled once, in backward_<scalar>.cpp, as those of
// kernels.hpp are.
#pragma once

#include "kernels.hpp"

// The three formulas for data of type T; linkage is extern or nothing.
#define TENSORNORM_TEST_BACKWARD_KERNEL(linkage, formula, T)                                           \
  linkage template void tensornorm::kernel::differentiate<tensornorm::kernel::formula>(                \
      const tensornorm::kernel::gradient_problem<T>&, tensornorm::kernel::index,                       \
      tensornorm::kernel::index, tensornorm::kernel::compute_t<T>*, tensornorm::kernel::compute_t<T>*, \
      tensornorm::kernel::isa_level);
#define TENSORNORM_TEST_BACKWARD_KERNELS(linkage, T)          \
  TENSORNORM_TEST_BACKWARD_KERNEL(linkage, rms_formula, T)    \
  TENSORNORM_TEST_BACKWARD_KERNEL(linkage, simple_formula, T) \
  TENSORNORM_TEST_BACKWARD_KERNEL(linkage, layer_formula, T)

TENSORNORM_TEST_BACKWARD_KERNELS(extern, float)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, double)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, tensornorm::kernel::float16)
TENSORNORM_TEST_BACKWARD_KERNELS(extern, tensornorm::kernel::bfloat16)
