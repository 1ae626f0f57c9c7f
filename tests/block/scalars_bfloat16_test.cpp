// The layer in bfloat16, with parameters of bfloat16 or float.
#include "scalars.hpp"

namespace tensornorm_test {
namespace {

using blocks =
    testing::Types<plain_blocks<Eigen::bfloat16, float>, normed_blocks<Eigen::bfloat16, Eigen::bfloat16>,
                   other_normed_blocks<Eigen::bfloat16, float>>;
INSTANTIATE_TYPED_TEST_SUITE_P(of_bfloat16, block_scalars, blocks);

}  // namespace
}  // namespace tensornorm_test
