#include "attention_impl.hpp"

namespace tensornorm_test {

template void attend_with<float>(const attention_call<float>&);
template void attend_with<float, bias_, mask_, lengths_>(const attention_call<float>&);
template void attend_with<float, softcap_, bias_, alibi_, causal_, window_, mask_, lengths_, sinks_>(
    const attention_call<float>&);
template void attend_with<float, causal_, mask_, lengths_, sinks_>(const attention_call<float>&);

}  // namespace tensornorm_test
