#define TENSORNORM_TEST_SCALAR double
#include "backward_impl.hpp"
