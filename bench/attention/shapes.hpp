// The shapes of attention that are measured, and what their formula asks for.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "../suite.hpp"

namespace bench {

/// Which keys a query sees: all, or with causal those up to its own place.
enum class seen { dense, causal };

inline const char* name(seen keys) { return keys == seen::causal ? "causal" : "dense"; }

/// The types in which a shape is measured; each has those before it, too. Narrow are those of 16 bits.
enum class scalars { only_float, narrow, all };

/// q of batch x heads x queries x dim, k and v of batch x key_heads x keys x dim.
struct attention_shape {
  index batch;
  index heads;
  index key_heads;
  index queries;
  index keys;
  index dim;
  sweep smallest;  // the smallest sweep that has this shape
  scalars measured_in = scalars::only_float;
  bool in_grid = false;

  bool is_decode() const { return queries < keys; }

  /// Starts the name of every benchmark of the shape.
  std::string key() const {
    const auto number = [](index n) { return std::to_string(n); };
    const std::string all_heads =
        number(heads) + (key_heads == heads ? std::string() : "over" + number(key_heads));
    return (is_decode() ? "attention_decode_"
            : in_grid   ? "attention_grid_"
                        : "attention_") +
           number(batch) + "x" + all_heads + "x" + number(keys) + "x" + number(dim);
  }

  /// For people.
  std::string title() const {
    const auto number = [](index n) { return std::to_string(n); };
    const std::string of_batch = batch == 1 ? std::string() : number(batch) + " x ";
    const std::string tokens = is_decode() ? "1 query, " + number(keys) + " keys" : number(keys) + " tokens";
    const std::string over = key_heads == heads ? std::string() : " over " + number(key_heads);
    return of_batch + tokens + ", " + number(heads) + over + " heads of " + number(dim);
  }

  index query_count() const { return batch * heads * queries * dim; }
  index key_count() const { return batch * key_heads * keys * dim; }

  /// The pairs of a query and a key that it sees. Causal is aligned at the last query and the last key.
  double pairs(seen which) const {
    const auto q = static_cast<double>(queries);
    const auto k = static_cast<double>(keys);
    const double of_a_head = which == seen::causal ? q * (k - q) + q * (q + 1) / 2 : q * k;
    return static_cast<double>(batch * heads) * of_a_head;
  }

  /// A multiply-add for each pair and each of dim, in Q·Kᵀ and again in P·V. The softmax is not counted.
  template <class Scalar>
  amount work(seen which) const {
    const auto bytes =
        static_cast<double>(sizeof(Scalar)) * static_cast<double>(2 * (query_count() + key_count()));
    return {.bytes = bytes, .flops = 4 * pairs(which) * static_cast<double>(dim)};
  }
};

/// One sequence: batch x heads x tokens x dim.
constexpr attention_shape tokens_of(index batch, index heads, index tokens, index dim, sweep smallest,
                                    scalars measured_in = scalars::only_float) {
  return {batch, heads, heads, tokens, tokens, dim, smallest, measured_in};
}

inline constexpr attention_shape attention_shapes[] = {
    tokens_of(1, 12, 128, 64, sweep::quick),
    tokens_of(1, 12, 512, 64, sweep::quick),
    tokens_of(1, 12, 1024, 64, sweep::quick, scalars::all),
    tokens_of(1, 12, 2048, 64, sweep::quick, scalars::narrow),
    tokens_of(1, 12, 4096, 64, sweep::full),
    tokens_of(1, 8, 128, 128, sweep::full),
    tokens_of(1, 8, 512, 128, sweep::full),
    tokens_of(1, 8, 1024, 128, sweep::quick),
    tokens_of(1, 8, 2048, 128, sweep::full),
    tokens_of(1, 8, 4096, 128, sweep::full),
    {1, 32, 32, 1, 4096, 128, sweep::quick, scalars::narrow},
    {1, 32, 8, 1, 4096, 128, sweep::full, scalars::narrow},
    {8, 32, 8, 1, 4096, 128, sweep::full},
};

/// What has to be measured for a shape to be measured in a type.
template <class Scalar>
inline constexpr scalars scalars_with = std::is_same_v<Scalar, float> ? scalars::only_float
                                        : sizeof(Scalar) == 2         ? scalars::narrow
                                                                      : scalars::all;

/// The shapes above that a type has in a sweep; float has batch x tokens x heads, too, in the full one.
template <class Scalar>
std::vector<attention_shape> measured_attention_shapes(sweep wanted) {
  std::vector<attention_shape> shapes;
  for (const attention_shape& s : attention_shapes)
    if (s.smallest <= wanted && s.measured_in >= scalars_with<Scalar>) shapes.push_back(s);
  if (std::is_same_v<Scalar, float> && wanted == sweep::full)
    for (const index batch : {1, 4, 16})
      for (const index tokens : {64, 256, 1024})
        for (const index heads : {4, 16})
          if (batch * heads * tokens * tokens <= 64 * 1024 * 1024)
            shapes.push_back(
                {batch, heads, heads, tokens, tokens, 64, sweep::full, scalars::only_float, true});
  return shapes;
}

/// Whether float is also measured with causal masks.
inline bool has_causal(const attention_shape& s) { return !s.is_decode() && !s.in_grid; }

/// Whether float is also measured with the tokens before the heads, and on two threads.
inline bool has_variants(const attention_shape& s, sweep wanted) {
  return !s.in_grid && (wanted == sweep::full || s.keys == 1024 || s.is_decode());
}

}  // namespace bench
