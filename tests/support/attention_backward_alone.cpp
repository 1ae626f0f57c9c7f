// Each modifier alone.
#include "attention_backward_impl.hpp"

namespace tensornorm_test {

template void differentiate_with<float, softcap_>(const attention_backward_call<float>&);
template void differentiate_with<float, bias_>(const attention_backward_call<float>&);
template void differentiate_with<float, alibi_>(const attention_backward_call<float>&);
template void differentiate_with<float, causal_>(const attention_backward_call<float>&);
template void differentiate_with<float, window_>(const attention_backward_call<float>&);
template void differentiate_with<float, mask_>(const attention_backward_call<float>&);
template void differentiate_with<float, lengths_>(const attention_backward_call<float>&);
template void differentiate_with<float, sinks_>(const attention_backward_call<float>&);

}  // namespace tensornorm_test
