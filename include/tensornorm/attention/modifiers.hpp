// What may happen to scores between Q·Kᵀ and softmax. A modifier answers which keys a block of queries can
// see at all, whether a tile needs it, and how it changes the tile.
#pragma once

#include <type_traits>

#include "score_tile.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

constexpr key_range every_key(const query_block& b) { return {0, b.keys}; }

/// Query i sees keys i' - left to i' + right, where i' is i, or what makes the last query stand at the last
/// key.
struct band_mask {
  static constexpr attention_stage stage = attention_stage::mask;
  static constexpr index unlimited = std::numeric_limits<index>::max() / 4;

  index left;
  index right;
  bool bottom_right;

  index offset(const query_block& b) const { return bottom_right ? b.keys - b.queries : 0; }

  key_range visible(const query_block& b) const {
    return {b.first + offset(b) - left, b.last + offset(b) + right};
  }
  template <class T>
  bool needed(const score_tile<T>& t) const {
    return t.keys.first < t.at.last - 1 + offset(t.at) - left ||
           t.keys.last - 1 > t.at.first + offset(t.at) + right;
  }
  template <class Isa, class T>
  TENSORNORM_INLINE void apply(const score_tile<T>& t) const {
    using V = native_vec<Isa, T>;
    const index shift = offset(t.at);
    for (index n = 0; n < t.line_count(); ++n) {
      if (t.queries_side_by_side) {
        const index first = t.keys.first + n - right - shift - t.at.first;
        keep_lanes<V>(t.line(n), t.lane_count(), first, t.keys.first + n + left - shift - t.at.first + 1);
      } else {
        const index first = t.at.first + n + shift - left - t.keys.first;
        keep_lanes<V>(t.line(n), t.lane_count(), first, t.at.first + n + shift + right - t.keys.first + 1);
      }
    }
  }
};

/// s = cap · tanh(s / cap).
template <class T>
struct softcap_scores {
  static constexpr attention_stage stage = attention_stage::softcap;

  T cap;

  key_range visible(const query_block& b) const { return every_key(b); }
  bool needed(const score_tile<T>&) const { return true; }

  template <class Isa>
  TENSORNORM_INLINE void apply(const score_tile<T>& t) const {
    using V = native_vec<Isa, T>;
    for (index n = 0; n < t.line_count(); ++n)
      update_line<V>(t.line(n), t.lane_count(), [this](index, const V& s) TENSORNORM_INLINE_LAMBDA {
        return times(tanh(s / V::splat(cap)), V::splat(cap));
      });
  }
};

/// A number for every score, in memory; a step of 0 repeats it.
template <class S>
struct score_table {
  const S* data;
  index batch_step;
  index head_step;
  index query_step;
  index key_step;

  /// That of a query of a tile and its first key.
  template <class T>
  const S* row(const score_tile<T>& t, index query) const {
    return data + t.at.batch * batch_step + t.at.head * head_step + (t.at.first + query) * query_step +
           t.keys.first * key_step;
  }
};

/// s += bias.
template <class S>
struct bias_scores {
  static constexpr attention_stage stage = attention_stage::bias;

  score_table<S> bias;

  key_range visible(const query_block& b) const { return every_key(b); }
  template <class T>
  bool needed(const score_tile<T>&) const {
    return true;
  }
  template <class Isa, class T>
  TENSORNORM_INLINE void apply(const score_tile<T>& t) const {
    update_by_query<Isa>(
        t,
        [&](index query, index first, index count, T* to) TENSORNORM_INLINE_LAMBDA {
          const S* const from = bias.row(t, query) + first * bias.key_step;
          if (bias.key_step == 1)
            for (index j = 0; j < count; ++j) to[j] = widen<T>(from[j]);
          else
            for (index j = 0; j < count; ++j) to[j] = widen<T>(from[j * bias.key_step]);
        },
        [](const auto& s, const auto& b) TENSORNORM_INLINE_LAMBDA {
          using V = std::remove_cvref_t<decltype(s)>;
          // What is not there stays so, even if its score is NaN.
          return select(b < V::splat(std::numeric_limits<T>::lowest()), b, s + b);
        });
  }
};

/// Where the table says false the key is absent.
struct keep_scores {
  static constexpr attention_stage stage = attention_stage::mask;

  score_table<bool> keep;

  key_range visible(const query_block& b) const { return every_key(b); }
  template <class T>
  bool needed(const score_tile<T>& t) const {
    const index keys = t.keys.last - t.keys.first;
    for (index query = 0; query < t.at.last - t.at.first; ++query) {
      const bool* const from = keep.row(t, query);
      bool all = true;
      if (keep.key_step == 1)
        for (index j = 0; j < keys; ++j) all = all & from[j];
      else
        for (index j = 0; j < keys; ++j) all = all & from[j * keep.key_step];
      if (!all) return true;
    }
    return false;
  }
  template <class Isa, class T>
  TENSORNORM_INLINE void apply(const score_tile<T>& t) const {
    update_by_query<Isa>(
        t,
        [&](index query, index first, index count, T* to) TENSORNORM_INLINE_LAMBDA {
          const bool* const from = keep.row(t, query) + first * keep.key_step;
          if (keep.key_step == 1)
            for (index j = 0; j < count; ++j) to[j] = from[j] ? T{0} : absent<T>;
          else
            for (index j = 0; j < count; ++j) to[j] = from[j * keep.key_step] ? T{0} : absent<T>;
        },
        [](const auto& s, const auto& kept) TENSORNORM_INLINE_LAMBDA {
          using V = std::remove_cvref_t<decltype(s)>;
          return select(kept < V::splat(0), kept, s);
        });
  }
};

/// s -= slope · |i' - j| (ALiBi), i' as in band_mask.
template <class T>
struct alibi_scores {
  static constexpr attention_stage stage = attention_stage::alibi;

  const T* slopes;
  bool bottom_right;

  key_range visible(const query_block& b) const { return every_key(b); }
  bool needed(const score_tile<T>&) const { return true; }

  template <class Isa>
  TENSORNORM_INLINE void apply(const score_tile<T>& t) const {
    using V = native_vec<Isa, T>;
    T ramp[static_cast<std::size_t>(V::size)];
    for (int lane = 0; lane < V::size; ++lane) ramp[lane] = static_cast<T>(lane);
    const V slope = V::splat(-slopes[t.at.head]);
    const index shift = bottom_right ? t.at.keys - t.at.queries : 0;
    for (index n = 0; n < t.line_count(); ++n) {
      const score_place p = t.place(n, 0);
      const index start = t.queries_side_by_side ? p.query + shift - p.key : p.key - p.query - shift;
      update_line<V>(t.line(n), t.lane_count(), [&](index lane, const V& s) TENSORNORM_INLINE_LAMBDA {
        return fma(slope, abs(V::load(ramp) + V::splat(static_cast<T>(start + lane))), s);
      });
    }
  }
};

/// A modifier that a user wrote: a function of one score and its place.
template <class F>
struct own_scores {
  static constexpr attention_stage stage = F::stage;
  static_assert(stage == attention_stage::score || stage == attention_stage::mask,
                "a modifier of your own has its turn at attention_stage::score or attention_stage::mask");

  F f;

  key_range visible(const query_block& b) const {
    if constexpr (requires { f.visible(b); })
      return f.visible(b);
    else
      return every_key(b);
  }
  template <class T>
  bool needed(const score_tile<T>&) const {
    return true;
  }
  template <class Isa, class T>
  TENSORNORM_INLINE void apply(const score_tile<T>& t) const {
    for (index n = 0; n < t.line_count(); ++n)
      for (index lane = 0; lane < t.lane_count(); ++lane)
        t.line(n)[lane] = f(t.line(n)[lane], t.place(n, lane));
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
