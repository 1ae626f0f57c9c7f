#define TENSORNORM_TEST_SCALAR Eigen::bfloat16
#define TENSORNORM_TEST_WIDER float
#include "rows_impl.hpp"
