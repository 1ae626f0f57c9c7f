#include "attention_impl.hpp"

namespace tensornorm_test {

template void attend_with<Eigen::bfloat16, causal_>(const attention_call<Eigen::bfloat16>&);
template void attend_with<Eigen::bfloat16>(const attention_call<Eigen::bfloat16>&);
template void attend_with<Eigen::bfloat16, bias_, mask_, lengths_>(const attention_call<Eigen::bfloat16>&);
template void attend_with<Eigen::bfloat16, softcap_, bias_, alibi_, causal_, window_, mask_, lengths_,
                          sinks_>(const attention_call<Eigen::bfloat16>&);

}  // namespace tensornorm_test
