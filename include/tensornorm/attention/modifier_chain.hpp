// Modifiers that act together: a chain of them, and a view of any chain.
#pragma once

#include "modifiers.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Modifiers that act one after another.
template <class... M>
struct modifier_chain {
  static constexpr bool changes_scores = false;
  key_range visible(const query_block& b) const { return every_key(b); }
  template <class T>
  bool needed(const score_tile<T>&) const {
    return false;
  }
  template <class Isa, attention_stage, class T>
  TENSORNORM_INLINE void apply_stage(const score_tile<T>&) const {}
};

template <class M, class... Rest>
struct modifier_chain<M, Rest...> {
  /// Something comes before the masks: scores then take their scale before it, and not inside softmax.
  static constexpr bool changes_scores =
      M::stage != attention_stage::mask || modifier_chain<Rest...>::changes_scores;

  M first;
  modifier_chain<Rest...> rest;

  key_range visible(const query_block& b) const { return intersection(first.visible(b), rest.visible(b)); }

  template <class T>
  bool needed(const score_tile<T>& t) const {
    return first.needed(t) || rest.needed(t);
  }
  template <class Isa, attention_stage Stage, class T>
  TENSORNORM_INLINE void apply_stage(const score_tile<T>& t) const {
    if constexpr (M::stage == Stage)
      if (first.needed(t)) first.template apply<Isa>(t);
    rest.template apply_stage<Isa, Stage>(t);
  }
};

/// Every modifier of a chain in the fixed order. Raw scores are scaled first if something else than a mask
/// follows.
struct modify_kernel {
  template <class Isa, class Chain, class T>
  static TENSORNORM_INLINE void run(const Chain& chain, const score_tile<T>& t, const T& scale) {
    using V = native_vec<Isa, T>;
    if constexpr (Chain::changes_scores) {
      for (index n = 0; n < t.line_count(); ++n)
        update_line<V>(t.line(n), t.lane_count(), [&scale](index, const V& s) TENSORNORM_INLINE_LAMBDA {
          return times(s, V::splat(scale));
        });
      chain.template apply_stage<Isa, attention_stage::softcap>(t);
      chain.template apply_stage<Isa, attention_stage::bias>(t);
      chain.template apply_stage<Isa, attention_stage::alibi>(t);
      chain.template apply_stage<Isa, attention_stage::score>(t);
    }
    chain.template apply_stage<Isa, attention_stage::mask>(t);
  }
};

/// Any chain, behind pointers: kernels are compiled once for all chains. Refers to the chain.
template <class T>
class modifier_view {
 public:
  modifier_view() : modifier_view(empty) {}
  template <class... M>
  explicit modifier_view(const modifier_chain<M...>& chain)
      : chain_(&chain), functions_(&functions_of<modifier_chain<M...>>) {}

  bool changes_scores() const { return functions_->changes_scores; }
  key_range visible(const query_block& b) const { return functions_->visible(chain_, b); }
  bool needed(const score_tile<T>& t) const { return functions_->needed(chain_, t); }
  template <class Isa>
  void modify(const score_tile<T>& t, T scale) const {
    functions_->modify[static_cast<int>(Isa::level)](chain_, t, scale);
  }

 private:
  using modify_function = void (*)(const void*, const score_tile<T>&, T);
  struct functions {
    bool changes_scores;
    key_range (*visible)(const void*, const query_block&);
    bool (*needed)(const void*, const score_tile<T>&);
    modify_function modify[3];  // by level
  };

  template <class Isa, class Chain>
  static void modify_at(const void* chain, const score_tile<T>& t, T scale) {
    enter<modify_kernel>(Isa(), *static_cast<const Chain*>(chain), t, scale);
  }
  template <class Chain>
  static constexpr functions functions_of{
      Chain::changes_scores,
      [](const void* chain, const query_block& b) { return static_cast<const Chain*>(chain)->visible(b); },
      [](const void* chain, const score_tile<T>& t) { return static_cast<const Chain*>(chain)->needed(t); },
      {&modify_at<isa_at<isa_level::baseline>, Chain>, &modify_at<isa_at<isa_level::avx2>, Chain>,
       &modify_at<isa_at<isa_level::avx512>, Chain>}};
  static constexpr modifier_chain<> empty{};

  const void* chain_;
  const functions* functions_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
