// The layer and its gradients with a SimpleNorm of queries and keys.
#include "norms.hpp"

namespace tensornorm_test {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(simple_qk_norm, block_forward, each_out_norm<tn::SimpleNorm<double>>,
                               out_norm_names);
INSTANTIATE_TYPED_TEST_SUITE_P(simple_qk_norm, block_gradient, each_out_norm<tn::SimpleNorm<double>>,
                               out_norm_names);

}  // namespace
}  // namespace tensornorm_test
