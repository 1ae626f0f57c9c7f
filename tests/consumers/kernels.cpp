// The other file of a newcomer whose program has many: the kernels of one scalar, compiled here alone.
#include <tensornorm/kernels.hpp>

TENSORNORM_COMPILE_KERNELS(float)
