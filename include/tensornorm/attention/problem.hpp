// One attention over one set of tensors, as the kernels take it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <type_traits>

#include "../simd/float16.hpp"
#include "modifier_chain.hpp"
#include "product.hpp"

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Keys are taken in chunks of this many, whose states merge pairwise, neighbours first. What is not visible
/// merges as nothing, so that the bits of a query depend on nothing but what it sees.
inline constexpr index key_chunk = 1024;

/// The scale of the scores: dim_head^-1/2, dim_head the head size of queries and keys. The only one there is.
inline double attention_scale(index dim_head) { return 1 / std::sqrt(static_cast<double>(dim_head)); }

/// How many keys each batch element has, as the caller keeps it: in one of two types, or not at all.
struct length_list {
  const index* wide = nullptr;
  const std::int32_t* narrow = nullptr;

  index at(index batch, index otherwise) const {
    return wide ? wide[batch] : narrow ? index{narrow[batch]} : otherwise;
  }
};

/// o = softmax(scale · q · kᵀ, modified) · v. T is the type of q, k, v and o. o may be q with the same
/// strides; nothing else may overlap. Absent things are null.
template <class T>
struct attention_problem {
  using data_type = T;
  using compute = compute_t<T>;

  heads_shape shape;
  const T* q = nullptr;
  const T* k = nullptr;
  const T* v = nullptr;
  T* o = nullptr;
  heads_strides q_strides;
  heads_strides k_strides;
  heads_strides v_strides;
  heads_strides o_strides;

  modifier_view<compute> modifiers;
  length_list key_lengths;
  const compute* sinks = nullptr;  // one for each head
  compute* lse = nullptr;
  heads_strides lse_strides;  // dim is not used

  double scale() const { return attention_scale(shape.dim); }
  /// Scores come out of the modifiers with this factor still to be applied, to be exponents of base 2.
  compute exponent_scale() const {
    return static_cast<compute>((modifiers.changes_scores() ? 1.0 : scale()) * std::numbers::log2e);
  }
  index keys(index batch) const {
    return std::clamp(key_lengths.at(batch, shape.keys), index{0}, shape.keys);
  }
};

/// The natural logarithm of Σ e^s, from the state of a softmax with exponents of base 2.
template <class T>
T natural_lse(T largest, T sum) {
  return static_cast<T>((static_cast<double>(largest) + std::log2(static_cast<double>(sum))) *
                        std::numbers::ln2);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel
