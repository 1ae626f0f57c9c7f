#include "attention_impl.hpp"

namespace tensornorm_test {

template void attend_with<double>(const attention_call<double>&);
template void attend_with<double, bias_, mask_, lengths_>(const attention_call<double>&);
template void attend_with<double, softcap_, bias_, alibi_, causal_, window_, mask_, lengths_, sinks_>(
    const attention_call<double>&);

}  // namespace tensornorm_test
