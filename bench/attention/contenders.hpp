// Registers what stands side by side for a shape of attention: this library fused and unfused, and Eigen.
#pragma once

#include <array>

#include "../devices.hpp"
#include "add.hpp"
#include "eigen.hpp"

namespace bench {

struct fused {
  static constexpr const char* name = "fused";

  template <class... Args>
  static auto attention(Args&&... args) {
    return tn::attention(std::forward<Args>(args)...);
  }
};

/// Beside types of 16 bits: what the same takes in float.
struct fused_in_float : fused {
  static constexpr const char* name = "fused_in_float";
};

struct unfused {
  static constexpr const char* name = "unfused";

  template <class... Args>
  static auto attention(Args&&... args) {
    return tn::attention_unfused(std::forward<Args>(args)...);
  }
};

/// A function object and how many bytes it needs beside arguments and result.
template <class Pass, class Scratch>
struct pass_with_scratch {
  Pass pass;
  Scratch scratch_bytes;

  void operator()() { pass(); }
  auto scratch() const { return scratch_bytes(); }
};
template <class Pass, class Scratch>
pass_with_scratch(Pass, Scratch) -> pass_with_scratch<Pass, Scratch>;

/// How q, k, v and o lie in memory.
enum class order { heads_first, tokens_first };

template <order Order>
std::array<index, 4> sizes_of(index batch, index heads, index tokens, index dim) {
  if constexpr (Order == order::heads_first)
    return {batch, heads, tokens, dim};
  else
    return {batch, tokens, heads, dim};
}

/// One way to call the library, in the program of a scalar type. The workspace outlives the call, as it would
/// in a program.
template <class Contender, class Scalar, order Order = order::heads_first, class Program = Scalar,
          class Device, class... Modifiers>
void add_library(const attention_shape& s, seen which, const Device& device, const std::string& suffix,
                 const Modifiers&... modifiers) {
  const std::string what = std::string(name(which)) + "/" + Contender::name + suffix;
  const char* const layout = Order == order::heads_first ? "heads_first" : "tokens_first";
  add_attention_benchmark<Program>(s, layout, what, s.work<Scalar>(which), [=, &device] {
    using map = Eigen::TensorMap<Eigen::Tensor<Scalar, 4, Eigen::RowMajor>>;
    const auto memory = attention_operands_for<Scalar>(s);
    const auto q_sizes = sizes_of<Order>(s.batch, s.heads, s.queries, s.dim);
    const auto k_sizes = sizes_of<Order>(s.batch, s.key_heads, s.keys, s.dim);
    tn::attention_workspace& workspace = memory->workspaces[layout + ("/" + what)];
    return pass_with_scratch{
        [=, &device, &workspace, q = map(memory->q.get(), q_sizes), k = map(memory->k.get(), k_sizes),
         v = map(memory->v.get(), k_sizes), o = map(memory->o.get(), q_sizes)]() mutable {
          o.device(device) = Contender::attention(q, k, v, modifiers..., tn::use_workspace(workspace));
        },
        [&workspace] { return workspace.bytes(); }};
  });
}

/// By this library: on one thread, and for some shapes in other orders and on two threads.
template <class Contender, class Scalar>
void add_library_shape(const attention_shape& s, sweep wanted) {
  add_library<Contender, Scalar>(s, seen::dense, one_thread(), "");
  if constexpr (scalars_with<Scalar> == scalars::narrow && std::is_same_v<Contender, fused>)
    add_library<fused_in_float, float, order::heads_first, Scalar>(s, seen::dense, one_thread(), "");
  if constexpr (std::is_same_v<Scalar, float>) {
    const auto causal = tn::causal(tn::align::bottom_right);
    if (has_causal(s)) add_library<Contender, Scalar>(s, seen::causal, one_thread(), "", causal);
    if (!has_variants(s, wanted)) return;
    add_library<Contender, Scalar>(s, seen::dense, two_threads(), two_threads_suffix);
    if (has_causal(s))
      add_library<Contender, Scalar>(s, seen::causal, two_threads(), two_threads_suffix, causal);
    if constexpr (std::is_same_v<Contender, fused>)
      add_library<Contender, Scalar, order::tokens_first>(s, seen::dense, one_thread(), "", tn::tokens_first);
  }
}

/// Eigen's products take no device: they run on one thread.
template <class Scalar>
void add_eigen(const attention_shape& s, seen which) {
  const std::string what = std::string(name(which)) + "/eigen";
  add_attention_benchmark<Scalar>(s, "heads_first", what, s.work<Scalar>(which), [=] {
    const auto memory = attention_operands_for<Scalar>(s);
    return pass_with_scratch{
        [=] { eigen_attention<Scalar>(*memory, s, which); },
        [=] { return static_cast<std::size_t>(memory->scores.size()) * sizeof(*memory->scores.data()); }};
  });
}

template <class Contender, class Scalar>
void add_attention(sweep wanted) {
  for (const attention_shape& s : measured_attention_shapes<Scalar>(wanted)) {
    if constexpr (std::is_same_v<Contender, eigen>) {
      add_eigen<Scalar>(s, seen::dense);
      if (std::is_same_v<Scalar, float> && has_causal(s)) add_eigen<Scalar>(s, seen::causal);
    } else {
      add_library_shape<Contender, Scalar>(s, wanted);
    }
  }
}

}  // namespace bench
