#define TENSORNORM_TEST_SCALAR Eigen::half
#define TENSORNORM_TEST_WIDER float
#include "rows_impl.hpp"
