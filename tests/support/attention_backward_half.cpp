#include "attention_backward_impl.hpp"

namespace tensornorm_test {

template void differentiate_with<Eigen::half>(const attention_backward_call<Eigen::half>&);
template void differentiate_with<Eigen::half, bias_, mask_, lengths_>(
    const attention_backward_call<Eigen::half>&);
template void differentiate_with<Eigen::half, softcap_, bias_, alibi_, causal_, window_, mask_, lengths_,
                                 sinks_>(const attention_backward_call<Eigen::half>&);

}  // namespace tensornorm_test
