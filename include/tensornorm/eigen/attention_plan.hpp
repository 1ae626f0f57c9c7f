// From the arguments of attention to a problem for the kernels, with every check on the way.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "attention_modifiers.hpp"
#include "operand.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// How many modifiers a call may have.
inline constexpr std::size_t most_modifiers = 16;

/// A list without an allocation.
struct extents {
  std::array<extent, most_modifiers> list{};
  std::size_t count = 0;

  void add(const extent& e) { list[count++] = e; }
};

/// Everything that an attention computes with but the memory of q and o, and its chain of modifiers.
template <class Scalar>
struct attention_plan {
  using scalar = Scalar;
  using accumulator = accumulator_t<Scalar>;

  const char* function;
  int rank;
  bool tokens_before_heads = false;
  sizes<4> q_size;
  operand<Scalar> k;
  operand<Scalar> v;
  extents others;  // memory of masks, biases, LSE, which o must not touch
  std::vector<std::shared_ptr<const void>> owners;
  kernel::heads_shape shape;
  kernel::length_list key_lengths;
  const accumulator* sinks = nullptr;
  accumulator* lse = nullptr;
  kernel::heads_strides lse_strides;
  attention_workspace* workspace = nullptr;

  template <class Chain>
  auto make_problem(const Chain& modifiers, const Scalar* q, const kernel::heads_strides& q_strides,
                    Scalar* o, const kernel::heads_strides& o_strides) const {
    kernel::attention_problem<stored_t<Scalar>> p;
    p.shape = shape;
    p.q = stored_pointer(q);
    p.k = stored_pointer(k.data);
    p.v = stored_pointer(v.data);
    p.o = stored_pointer(o);
    p.q_strides = q_strides;
    p.k_strides = heads_strides_of(k.stride);
    p.v_strides = heads_strides_of(v.stride);
    p.o_strides = o_strides;
    p.modifiers = kernel::modifier_view<accumulator>(modifiers);
    p.key_lengths = key_lengths;
    p.sinks = sinks;
    p.lse = lse;
    p.lse_strides = lse_strides;
    return p;
  }

  /// o is q exactly, or touches none of the arguments.
  void check_memory(const extent& q, const extent& o, bool same) const {
    if (!same && q.overlaps(o)) fail(function, "o overlaps q in part; they may be the same memory or apart");
    if (k.memory().overlaps(o)) fail(function, "o overlaps k");
    if (v.memory().overlaps(o)) fail(function, "o overlaps v");
    check_modifiers(o);
  }
  void check_modifiers(const extent& o) const {
    for (std::size_t n = 0; n < others.count; ++n)
      if (others.list[n].overlaps(o)) fail(function, "o overlaps an argument of a modifier");
  }
};

/// The sizes of q, k and v fit each other.
template <class Plan>
void check_heads(Plan& plan, const sizes<4>& q) {
  const auto& k = plan.k.size;
  const auto& v = plan.v.size;
  const auto wrong = [&](const char* name, const char* what, index size, const auto&... expected) {
    const auto text = [&](sizes<4> s) {
      if (plan.tokens_before_heads) std::swap(s[1], s[2]);
      return operand_text(s, plan.rank);
    };
    fail(plan.function, name, " has ", what, " ", size, ", expected ", expected..., " (q ", text(q), ", k ",
         text(k), ", v ", text(v), ")");
  };
  if (q[3] == 0) wrong("q", "head size", q[3], "at least 1");
  if (k[0] != q[0]) wrong("k", "batch size", k[0], q[0], ", that of q");
  if (v[0] != q[0]) wrong("v", "batch size", v[0], q[0], ", that of q");
  if (k[3] != q[3]) wrong("k", "head size", k[3], q[3], ", that of q");
  if (k[1] == 0 ? q[1] != 0 : q[1] % k[1] != 0)
    wrong("k", "heads", k[1], "a divisor of ", q[1], ", those of q");
  if (v[1] != k[1]) wrong("v", "heads", v[1], k[1], ", those of k");
  if (v[2] != k[2]) wrong("v", "tokens", v[2], k[2], ", those of k");
  plan.shape = {q[0], q[1], k[1] == 0 ? 1 : k[1], q[2], k[2], q[3], v[3]};
}

// ---- modifiers: from what a caller says to what a kernel takes ----

/// Numbers in the type that kernels read, where they lie or, if they must be converted, owned by the plan.
template <class T, class Plan, class X>
const T* read_list(Plan& plan, const char* name, const char* of_what, index expected, const X& x) {
  const auto from = read_operand(x);
  const index count = count_of(from.size);
  const index longest = from.size[3] > 1 || from.size[2] == 1 ? from.size[3] : from.size[2];
  if (count != expected || longest != expected)
    fail(plan.function, name, " has shape ", operand_text(from.size, any_tensor<X> ? rank_of<X> : 2),
         ", expected ", expected, ", one for each ", of_what);
  const index stride = from.size[3] == expected ? from.stride[3] : from.stride[2];
  if constexpr (std::is_same_v<scalar_of<X>, T>)
    if (!from.owner && (stride == 1 || expected == 1)) {
      plan.others.add(from.memory());
      return from.data;
    }
  const auto list = std::shared_ptr<T[]>(new T[static_cast<std::size_t>(expected)]);
  for (index n = 0; n < expected; ++n) list[n] = static_cast<T>(from.data[n * stride]);
  plan.owners.push_back(list);
  return list.get();
}

/// A mask or bias, broadcast over batch, heads, queries and keys.
template <class Scalar, class Plan, class X>
kernel::score_table<Scalar> read_table(Plan& plan, const char* name, const X& x) {
  const auto from = read_operand(x);
  const kernel::heads_shape& s = plan.shape;
  const sizes<4> full{s.batch, s.heads, s.queries, s.keys};
  sizes<4> step{};
  for (std::size_t axis = 0; axis < 4; ++axis) {
    if (from.size[axis] != full[axis] && from.size[axis] != 1)
      fail(plan.function, name, " has shape ", operand_text(from.size, any_tensor<X> ? rank_of<X> : 2),
           ", expected ", shape_text(full), " (batch, heads, queries, keys) or 1 in place of any of these");
    step[axis] = from.size[axis] == 1 ? 0 : from.stride[axis];
  }
  if (from.owner) plan.owners.push_back(from.owner);
  plan.others.add(from.memory());
  return {reinterpret_cast<const Scalar*>(from.data), step[0], step[1], step[2], step[3]};
}

inline index checked_reach(const char* function, const char* side, index reach) {
  if (reach < unlimited)
    fail(function, "window reaches ", reach, " to the ", side, ", expected 0 or more, or unlimited");
  return reach == unlimited || reach > kernel::band_mask::unlimited ? kernel::band_mask::unlimited : reach;
}

template <class Plan>
kernel::band_mask read_modifier(Plan&, const causal_t& m) {
  return {kernel::band_mask::unlimited, 0, m.alignment == align::bottom_right};
}
template <class Plan>
kernel::band_mask read_modifier(Plan& plan, const window_t& m) {
  return {checked_reach(plan.function, "left", m.left), checked_reach(plan.function, "right", m.right),
          m.alignment == align::bottom_right};
}
template <class Plan, class M>
kernel::keep_scores read_modifier(Plan& plan, const keep_mask_t<M>& m) {
  static_assert(std::is_same_v<scalar_of<M>, bool>,
                "keep_mask takes bool, true where a query may see a key: cast it");
  return {read_table<bool>(plan, "keep_mask", m.mask)};
}
template <class Plan, class B>
auto read_modifier(Plan& plan, const score_bias_t<B>& m) {
  using S = stored_t<scalar_of<B>>;
  static_assert(
      std::is_same_v<S, stored_t<typename Plan::scalar>> || std::is_same_v<S, typename Plan::accumulator>,
      "score_bias takes the scalar type of q, or float for half and bfloat16: cast it");
  return kernel::bias_scores<S>{read_table<S>(plan, "score_bias", m.bias)};
}
template <class Plan>
auto read_modifier(Plan& plan, const softcap_t& m) {
  if (!(m.cap > 0) || !std::isfinite(m.cap))
    fail(plan.function, "softcap is ", m.cap, ", expected a positive number");
  return kernel::softcap_scores<typename Plan::accumulator>{static_cast<typename Plan::accumulator>(m.cap)};
}
template <class Plan, class S>
auto read_modifier(Plan& plan, const alibi_t<S>& m) {
  using T = typename Plan::accumulator;
  return kernel::alibi_scores<T>{read_list<T>(plan, "alibi", "query head", plan.shape.heads, m.slopes),
                                 m.alignment == align::bottom_right};
}
template <class Plan, class F>
requires requires { F::stage; }
kernel::own_scores<F> read_modifier(Plan&, const F& f) { return {f}; }

// What is said about the whole call is no part of the chain.
struct not_in_chain {};

template <class Plan, class S>
not_in_chain read_modifier(Plan& plan, const sinks_t<S>& m) {
  using T = typename Plan::accumulator;
  plan.sinks = read_list<T>(plan, "sinks", "query head", plan.shape.heads, m.sinks);
  return {};
}
template <class Plan, class L>
not_in_chain read_modifier(Plan& plan, const key_lengths_t<L>& m) {
  static_assert(std::is_integral_v<scalar_of<L>>, "key_lengths takes integers, one for each batch element");
  if constexpr (std::is_same_v<scalar_of<L>, std::int32_t>)
    plan.key_lengths.narrow =
        read_list<std::int32_t>(plan, "key_lengths", "batch element", plan.shape.batch, m.lengths);
  else
    plan.key_lengths.wide =
        read_list<index>(plan, "key_lengths", "batch element", plan.shape.batch, m.lengths);
  for (index n = 0; n < plan.shape.batch; ++n)
    if (const index length = plan.key_lengths.at(n, 0); length < 0 || length > plan.shape.keys)
      fail(plan.function, "key_lengths[", n, "] is ", length, ", expected 0 to ", plan.shape.keys);
  return {};
}
template <class Plan>
not_in_chain read_modifier(Plan&, const tokens_first_t&) {
  return {};  // read before everything else
}
template <class Plan>
not_in_chain read_modifier(Plan& plan, const use_workspace_t& m) {
  plan.workspace = &m.workspace;
  return {};
}
template <class Plan, class L>
not_in_chain read_modifier(Plan&, const save_lse_t<L>&) {
  return {};  // resized after everything else
}

template <class Plan, class M>
void save_to(Plan&, const M&) {}
/// Makes room for the LSE, when nothing can go wrong any more.
template <class Plan, class L>
void save_to(Plan& plan, const save_lse_t<L>& m) {
  static_assert(owns_memory<L>::value && std::is_same_v<scalar_of<L>, typename Plan::accumulator>,
                "save_lse takes an Eigen::Tensor of float (double for double), with one axis less than q");
  const index all[] = {plan.shape.batch, plan.shape.heads, plan.shape.queries};
  const std::size_t rank = static_cast<std::size_t>(rank_of<L>);
  Eigen::DSizes<Eigen::Index, rank_of<L>> size;
  for (std::size_t axis = 0; axis < rank; ++axis) size[axis] = all[3 - rank + axis];
  m.lse.resize(size);
  const auto s = shape_of(m.lse);
  plan.lse = m.lse.data();
  plan.lse_strides = {rank > 2 ? s.stride[0] : 0, rank > 1 ? s.stride[rank - 2] : 0, s.stride[rank - 1], 0};
  plan.others.add(extent_of(m.lse.data(), s.size, s.stride));
}

template <class Plan>
kernel::modifier_chain<> make_chain(Plan&) {
  return {};
}
/// Reads all modifiers; those that act on scores become a chain.
template <class Plan, class M, class... Rest>
auto make_chain(Plan& plan, const M& m, const Rest&... rest) {
  const auto first = read_modifier(plan, m);
  const auto others = make_chain(plan, rest...);
  if constexpr (std::is_same_v<decltype(first), const not_in_chain>)
    return others;
  else
    return [&]<class F, class... Others>(const F& f, const kernel::modifier_chain<Others...>& o) {
      return kernel::modifier_chain<F, Others...>{f, o};
    }(first, others);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
