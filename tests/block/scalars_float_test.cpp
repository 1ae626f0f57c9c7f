// The layer in float, with parameters of float or double.
#include "scalars.hpp"

namespace tensornorm_test {
namespace {

using blocks = testing::Types<plain_blocks<float, float>, normed_blocks<float, float>,
                              other_normed_blocks<float, double>>;
INSTANTIATE_TYPED_TEST_SUITE_P(of_float, block_scalars, blocks);

}  // namespace
}  // namespace tensornorm_test
