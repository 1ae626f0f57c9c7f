// The layer in half, with parameters of half or float.
#include "scalars.hpp"

namespace tensornorm_test {
namespace {

using blocks = testing::Types<plain_blocks<Eigen::half, Eigen::half>, normed_blocks<Eigen::half, float>,
                              other_normed_blocks<Eigen::half, Eigen::half>>;
INSTANTIATE_TYPED_TEST_SUITE_P(of_half, block_scalars, blocks);

}  // namespace
}  // namespace tensornorm_test
