#define TENSORNORM_TEST_SCALAR float
#define TENSORNORM_TEST_WIDER double
#include "backward_impl.hpp"
