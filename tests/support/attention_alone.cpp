// Each modifier alone.
#include "attention_impl.hpp"

namespace tensornorm_test {

template void attend_with<float, softcap_>(const attention_call<float>&);
template void attend_with<float, bias_>(const attention_call<float>&);
template void attend_with<float, alibi_>(const attention_call<float>&);
template void attend_with<float, causal_>(const attention_call<float>&);
template void attend_with<float, window_>(const attention_call<float>&);
template void attend_with<float, mask_>(const attention_call<float>&);
template void attend_with<float, lengths_>(const attention_call<float>&);
template void attend_with<float, sinks_>(const attention_call<float>&);

}  // namespace tensornorm_test
