#include "attention_backward_impl.hpp"

namespace tensornorm_test {

template void differentiate_with<float>(const attention_backward_call<float>&);
template void differentiate_with<float, bias_, mask_, lengths_>(const attention_backward_call<float>&);
template void differentiate_with<float, softcap_, bias_, alibi_, causal_, window_, mask_, lengths_, sinks_>(
    const attention_backward_call<float>&);

template void differentiate_with<float, causal_, mask_, lengths_, sinks_>(
    const attention_backward_call<float>&);

}  // namespace tensornorm_test
