// A tile of attention scores in memory, and which queries and keys it is about. Modifiers change it.
#pragma once

#include <cstddef>
#include <limits>

#include "../simd/exp.hpp"
#include "../simd/transpose.hpp"
#include "../view/heads.hpp"

TENSORNORM_VECTORS_BEGIN

namespace tensornorm::inline TENSORNORM_ABI::kernel {

/// Queries [first, last) of one head. queries and keys count all that the batch element has.
struct query_block {
  index batch;
  index head;
  index first;
  index last;
  index queries;
  index keys;
};

/// Keys [first, last).
struct key_range {
  index first;
  index last;
};

constexpr key_range intersection(key_range a, key_range b) {
  return {a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
}

constexpr key_range hull(key_range a, key_range b) {
  return {a.first < b.first ? a.first : b.first, a.last > b.last ? a.last : b.last};
}

/// Whose score it is.
struct score_place {
  index batch;
  index head;
  index query;
  index key;
};

/// When a modifier has its turn. The scale comes before all of them.
enum class attention_stage { softcap, bias, alibi, score, mask };

/// Keys of a tile at most; also the number of keys after which a softmax looks at its maximum again.
inline constexpr index key_block = 64;

/// The scores of some queries and at most key_block keys. Either the queries lie side by side, a line of
/// them for each key, or the keys do, a line for each query. Lines may be read and written up to a multiple
/// of the vector size.
template <class T>
struct score_tile {
  using scalar = T;

  T* score;
  index line_step;
  bool queries_side_by_side;
  query_block at;
  key_range keys;

  index line_count() const { return queries_side_by_side ? keys.last - keys.first : at.last - at.first; }
  index lane_count() const { return queries_side_by_side ? at.last - at.first : keys.last - keys.first; }
  T* line(index n) const { return score + n * line_step; }
  score_place place(index line, index lane) const {
    return {at.batch, at.head, at.first + (queries_side_by_side ? lane : line),
            keys.first + (queries_side_by_side ? line : lane)};
  }
};

/// What stands for a key that is not there: e to its power is exactly zero, and its value is not looked at.
template <class T>
inline constexpr T absent = -std::numeric_limits<T>::infinity();

/// Calls f(lane, scores) on each vector of a line; what it returns is stored.
template <class V, class T, class F>
TENSORNORM_INLINE void update_line(T* line, index lanes, const F& f) {
  for (index lane = 0; lane < lanes; lane += V::size) f(lane, V::load(line + lane)).store(line + lane);
}

/// Lanes [first, last) of a line stay, the others become absent.
template <class V, class T>
TENSORNORM_INLINE void keep_lanes(T* line, index lanes, index first, index last) {
  const auto bounded = [](index lane) TENSORNORM_INLINE_LAMBDA {
    return static_cast<int>(lane < 0 ? 0 : lane > V::size ? V::size : lane);
  };
  const V gone = V::splat(absent<T>);
  update_line<V>(line, lanes, [&](index lane, const V& s) TENSORNORM_INLINE_LAMBDA {
    const V up_to_last = select(lanes_from<V>(bounded(last - lane)), gone, s);
    return select(lanes_from<V>(bounded(first - lane)), up_to_last, gone);
  });
}

/// Calls combine(scores, numbers) on all of a tile, packet by packet or vector by vector; what it returns is
/// stored. read(query, first, count, to) brings the numbers of `count` keys for a query of the tile, from key
/// `first` of it on.
template <class Isa, class T, class Read, class Combine>
TENSORNORM_INLINE void update_by_query(const score_tile<T>& t, const Read& read, const Combine& combine) {
  using V = native_vec<Isa, T>;
  using P = packet<Isa, T>;
  const index queries = t.at.last - t.at.first;
  const index keys = t.keys.last - t.keys.first;
  T rows[static_cast<std::size_t>(P::size)][static_cast<std::size_t>(key_block)] = {};
  if (!t.queries_side_by_side) {
    for (index n = 0; n < queries; ++n) {
      read(n, index{0}, keys, rows[0]);
      update_line<V>(t.line(n), keys, [&](index lane, const V& s) TENSORNORM_INLINE_LAMBDA {
        return combine(s, V::load(rows[0] + lane));
      });
    }
    return;
  }
  for (index first = 0; first < keys; first += key_block) {
    const index count = keys - first < key_block ? keys - first : key_block;
    for (index n = 0; n < queries; n += P::size) {
      for (int r = 0; r < P::size; ++r)
        if (n + r < queries) read(n + r, first, count, rows[r]);
      for (index j = 0; j < count; j += P::size) {
        P block[static_cast<std::size_t>(P::size)];
        TENSORNORM_UNROLL
        for (int r = 0; r < P::size; ++r) block[r] = P::load(rows[r] + j);
        transpose(block);
        TENSORNORM_UNROLL
        for (int r = 0; r < P::size; ++r) {
          if (j + r >= count) continue;
          T* const place = t.line(first + j + r) + n;
          combine(P::load(place), block[r]).store(place);
        }
      }
    }
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::kernel

TENSORNORM_VECTORS_END
