// From the modifiers of a backward pass to the function that was compiled for them.
#include "attention_backward.hpp"

#include <stdexcept>

namespace tensornorm_test {
namespace {

template <class T>
struct compiled_set {
  unsigned names;
  void (*differentiate)(const attention_backward_call<T>&);
};

template <class T, modifier... Names>
constexpr compiled_set<T> set_of{(0u | ... | Names), differentiate_with<T, Names...>};

/// What every scalar is tried with.
template <class T>
constexpr compiled_set<T> common_sets[] = {
    set_of<T>, set_of<T, bias_, mask_, lengths_>,
    set_of<T, softcap_, bias_, alibi_, causal_, window_, mask_, lengths_, sinks_>};

/// What only float is: each modifier alone, and those that can leave a query without keys.
constexpr compiled_set<float> float_sets[] = {
    set_of<float, softcap_>, set_of<float, bias_>,   set_of<float, alibi_>,
    set_of<float, causal_>,  set_of<float, window_>, set_of<float, mask_>,
    set_of<float, lengths_>, set_of<float, sinks_>,  set_of<float, causal_, mask_, lengths_, sinks_>};

}  // namespace

template <class T>
void differentiate(const attention_backward_call<T>& call) {
  const unsigned names = names_of(call.modifiers);
  for (const auto& set : common_sets<T>)
    if (set.names == names) return set.differentiate(call);
  if constexpr (std::is_same_v<T, float>)
    for (const auto& set : float_sets)
      if (set.names == names) return set.differentiate(call);
  throw std::logic_error("this set of modifiers was not compiled");
}

template void differentiate(const attention_backward_call<float>&);
template void differentiate(const attention_backward_call<double>&);
template void differentiate(const attention_backward_call<Eigen::half>&);
template void differentiate(const attention_backward_call<Eigen::bfloat16>&);

}  // namespace tensornorm_test
