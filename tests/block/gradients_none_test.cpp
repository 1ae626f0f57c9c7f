// Gradients of the layer without a norm of queries and keys.
#include "gradients.hpp"

namespace tensornorm_test {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(no_qk_norm, block_gradient, each_out_norm<tn::none_t>, out_norm_names);

}  // namespace
}  // namespace tensornorm_test
