#define TENSORNORM_TEST_SCALAR Eigen::bfloat16
#define TENSORNORM_TEST_WIDER float
#include "backward_impl.hpp"
