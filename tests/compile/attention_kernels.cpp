// Attention and its gradients. Only compiled, to hear what the compiler says where there are no instruction
// sets to choose from.
#include <tensornorm/kernels.hpp>

namespace tensornorm::inline TENSORNORM_ABI::kernel {

TENSORNORM_ATTENTION_KERNELS(, float)
TENSORNORM_ATTENTION_KERNELS(, bfloat16)
TENSORNORM_ATTENTION_GRADIENT_KERNELS(, bfloat16)

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
