#include "attention_backward_impl.hpp"

namespace tensornorm_test {

template void differentiate_with<double>(const attention_backward_call<double>&);
template void differentiate_with<double, bias_, mask_, lengths_>(const attention_backward_call<double>&);
template void differentiate_with<double, softcap_, bias_, alibi_, causal_, window_, mask_, lengths_, sinks_>(
    const attention_backward_call<double>&);

}  // namespace tensornorm_test
