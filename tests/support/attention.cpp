// From the modifiers of a call to the function that was compiled for them.
#include "attention.hpp"

#include <stdexcept>

namespace tensornorm_test {
namespace {

template <class T>
struct compiled_set {
  unsigned names;
  void (*attend)(const attention_call<T>&);
};

template <class T, modifier... Names>
constexpr compiled_set<T> set_of{(0u | ... | Names), attend_with<T, Names...>};

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

/// Keys that are not seen, next to a tile in which all are.
constexpr compiled_set<Eigen::bfloat16> bfloat16_sets[] = {set_of<Eigen::bfloat16, causal_>};

}  // namespace

template <class T>
void attend(const attention_call<T>& call) {
  const unsigned names = names_of(call.modifiers);
  for (const auto& set : common_sets<T>)
    if (set.names == names) return set.attend(call);
  if constexpr (std::is_same_v<T, float>)
    for (const auto& set : float_sets)
      if (set.names == names) return set.attend(call);
  if constexpr (std::is_same_v<T, Eigen::bfloat16>)
    for (const auto& set : bfloat16_sets)
      if (set.names == names) return set.attend(call);
  throw std::logic_error("this set of modifiers was not compiled");
}

template void attend(const attention_call<float>&);
template void attend(const attention_call<double>&);
template void attend(const attention_call<Eigen::half>&);
template void attend(const attention_call<Eigen::bfloat16>&);

}  // namespace tensornorm_test
