#define TENSORNORM_TEST_SCALAR Eigen::half
#define TENSORNORM_TEST_WIDER float
#include "backward_impl.hpp"
