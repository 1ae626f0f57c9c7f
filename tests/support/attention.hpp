// Attention called on plain memory in logical order, beside the oracle's answer to the same call. Each
// set of modifiers is compiled once, in attention_*.cpp, instead of in each program: a kernel is
// compiled for each instruction set and takes its time.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <tensornorm/tensornorm.hpp>
#include <utility>
#include <vector>

#include "attention_oracle.hpp"
#include "data.hpp"

namespace tensornorm_test {

namespace tn = tensornorm;

/// The two functions that must agree.
enum class attention_path { fused, unfused };

inline constexpr attention_path both_paths[] = {attention_path::fused, attention_path::unfused};

inline const char* name_of(attention_path path) {
  return path == attention_path::fused ? "attention" : "attention_unfused";
}

/// Values that are broadcast over batch x heads x queries x keys: each size is that or 1.
template <class V>
struct spread {
  std::array<std::ptrdiff_t, 4> size{1, 1, 1, 1};
  std::shared_ptr<const V[]> data;

  std::size_t count() const { return static_cast<std::size_t>(size[0] * size[1] * size[2] * size[3]); }
  V at(const score_index& i) const {
    const std::array<std::ptrdiff_t, 4> index{i.batch, i.head, i.query, i.key};
    std::ptrdiff_t offset = 0;
    for (std::size_t axis = 0; axis < 4; ++axis)
      offset = offset * size[axis] + (size[axis] == 1 ? 0 : index[axis]);
    return data[offset];
  }
};

/// A spread whose values are made by value(index of the score), as far as its sizes tell them apart.
template <class V, class Value>
spread<V> make_spread(const std::array<std::ptrdiff_t, 4>& size, const Value& value) {
  const spread<V> shape{size, nullptr};
  const std::shared_ptr<V[]> data(new V[std::max<std::size_t>(1, shape.count())]);
  std::ptrdiff_t offset = 0;
  score_index at{};
  for (at.batch = 0; at.batch < size[0]; ++at.batch)
    for (at.head = 0; at.head < size[1]; ++at.head)
      for (at.query = 0; at.query < size[2]; ++at.query)
        for (at.key = 0; at.key < size[3]; ++at.key) data[offset++] = value(at);
  return {size, data};
}

inline std::array<std::ptrdiff_t, 4> scores_of(const attention_shape& s) {
  return {s.batch, s.heads, s.queries, s.keys};
}

/// A rank-1 argument of a modifier.
template <class V>
struct sequence {
  std::shared_ptr<const V[]> data;
  std::ptrdiff_t size = 0;

  sequence() = default;
  sequence(std::shared_ptr<const V[]> values, std::ptrdiff_t count) : data(std::move(values)), size(count) {}
  sequence(const std::vector<V>& values) : size(static_cast<std::ptrdiff_t>(values.size())) {
    const std::shared_ptr<V[]> copy(new V[std::max<std::size_t>(1, values.size())]);
    std::ranges::copy(values, copy.get());
    data = copy;
  }
  sequence(std::initializer_list<V> values) : sequence(std::vector<V>(values)) {}
  std::vector<V> values() const { return {data.get(), data.get() + size}; }
};

struct window_sizes {
  std::ptrdiff_t left;
  std::ptrdiff_t right;
  tn::align align = tn::align::bottom_right;
};

template <class A>
struct alibi_slopes {
  sequence<A> slopes;
  tn::align align = tn::align::bottom_right;
};

/// The modifiers of a call; A is the type in which scores are computed.
template <class A>
struct modifier_list {
  std::optional<double> softcap;
  std::optional<spread<A>> bias;
  std::optional<alibi_slopes<A>> alibi;
  std::optional<tn::align> causal;
  std::optional<window_sizes> window;
  std::optional<spread<bool>> mask;
  std::optional<sequence<std::int32_t>> lengths;
  std::optional<sequence<A>> sinks;
};

/// A modifier by name. A set of them is a sum.
enum modifier : unsigned {
  softcap_ = 1,
  bias_ = 2,
  alibi_ = 4,
  causal_ = 8,
  window_ = 16,
  mask_ = 32,
  lengths_ = 64,
  sinks_ = 128,
  all_modifiers = 255
};

template <class A>
unsigned names_of(const modifier_list<A>& list) {
  return (list.softcap ? softcap_ : 0u) | (list.bias ? bias_ : 0u) | (list.alibi ? alibi_ : 0u) |
         (list.causal ? causal_ : 0u) | (list.window ? window_ : 0u) | (list.mask ? mask_ : 0u) |
         (list.lengths ? lengths_ : 0u) | (list.sinks ? sinks_ : 0u);
}

/// One call of attention on memory in logical order; lse may be null.
template <class T>
struct attention_call {
  using accumulator = tn::accumulator_t<T>;

  attention_path path;
  attention_shape shape;
  const T* q;
  const T* k;
  const T* v;
  T* o;
  std::vector<accumulator>* lse = nullptr;
  modifier_list<accumulator> modifiers = {};
  const Eigen::ThreadPoolDevice* pool = nullptr;
};

/// Calls the public function with the modifiers named. Compiled in attention_*.cpp.
template <class T, modifier... Names>
void attend_with(const attention_call<T>& call);

/// Calls the public function with the modifiers that the list has. Throws std::logic_error for a set of
/// modifiers that was not compiled.
template <class T>
void attend(const attention_call<T>& call);

template <class T>
struct attention_inputs {
  attention_shape shape;
  std::vector<T> q, k, v;
};

/// Where v has a few numbers a row, they are positive: the bound goes by the largest |o| of a query, which
/// must not be what is left of terms that cancel.
template <class T>
attention_inputs<T> make_inputs(const attention_shape& shape, std::uint32_t seed, double q_deviation = 1,
                                double k_deviation = 1) {
  return {shape, normal<T>(shape.q_count(), seed, 0, q_deviation),
          normal<T>(shape.k_count(), seed + 1, 0, k_deviation),
          normal<T>(shape.v_count(), seed + 2, shape.size_of_v() < 8 ? 4 : 0)};
}

template <class T>
struct attention_result {
  std::vector<T> o;
  std::vector<tn::accumulator_t<T>> lse;
  attention_path path = attention_path::unfused;
};

/// attend into new vectors, which were full of NaN before.
template <class T>
attention_result<T> attended(attention_path path, const attention_inputs<T>& in,
                             const modifier_list<tn::accumulator_t<T>>& modifiers = {},
                             const Eigen::ThreadPoolDevice* pool = nullptr) {
  attention_result<T> result{std::vector<T>(in.shape.o_count(), quiet_nan<T>()), {}, path};
  attend<T>(
      {path, in.shape, in.q.data(), in.k.data(), in.v.data(), result.o.data(), &result.lse, modifiers, pool});
  return result;
}

/// The modifiers as the oracle takes them, from their formulas.
template <class A>
attention_policy policy_of(const modifier_list<A>& list, const attention_shape& shape) {
  attention_policy policy;
  const auto lengths = list.lengths ? list.lengths->values() : std::vector<std::int32_t>();
  // How far a query is moved along the keys: bottom_right lets the last query meet the last key.
  const auto shift = [lengths, shape](tn::align align, const score_index& at) {
    if (align == tn::align::top_left) return std::ptrdiff_t{0};
    return (lengths.empty() ? shape.keys : lengths[static_cast<std::size_t>(at.batch)]) - shape.queries;
  };
  if (list.softcap) policy.softcap = static_cast<real>(*list.softcap);
  if (list.bias)
    policy.bias.push_back([bias = *list.bias](const score_index& at) { return widen(bias.at(at)); });
  if (list.alibi)
    policy.bias.push_back([alibi = *list.alibi, shift](const score_index& at) {
      const std::ptrdiff_t distance = at.query + shift(alibi.align, at) - at.key;
      return -widen(alibi.slopes.data[at.head]) * static_cast<real>(std::abs(distance));
    });
  if (list.causal)
    policy.keep.push_back([align = *list.causal, shift](const score_index& at) {
      return at.key <= at.query + shift(align, at);
    });
  if (list.window)
    policy.keep.push_back([w = *list.window, shift](const score_index& at) {
      const std::ptrdiff_t i = at.query + shift(w.align, at);
      return (w.left < 0 || i - w.left <= at.key) && (w.right < 0 || at.key <= i + w.right);
    });
  if (list.mask) policy.keep.push_back([mask = *list.mask](const score_index& at) { return mask.at(at); });
  policy.key_lengths.assign(lengths.begin(), lengths.end());
  if (list.sinks) policy.sinks = widen(list.sinks->values());
  return policy;
}

/// The answer of the oracle to the same call.
template <class T>
attention_reference expected_attention(const attention_inputs<T>& in,
                                       const modifier_list<tn::accumulator_t<T>>& modifiers = {}) {
  return reference_attention(in.shape, widen(in.q), widen(in.k), widen(in.v), policy_of(modifiers, in.shape));
}

}  // namespace tensornorm_test
