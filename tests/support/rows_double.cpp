#define TENSORNORM_TEST_SCALAR double
#include "rows_impl.hpp"
