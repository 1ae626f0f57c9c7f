// Attention: causal, one token at a time from a cache, with a mask, with a rule of your own.
#include <array>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <limits>
#include <string>
#include <tensornorm/tensornorm.hpp>
#include <vector>

namespace tn = tensornorm;

/// batch x heads x tokens x dim, as q, k, v and the output are.
using tensor = Eigen::Tensor<float, 4, Eigen::RowMajor>;
using Eigen::Index;

constexpr Index tokens = 5, dim = 2, heads = 4, key_heads = 2;

tensor waves(Index head_count, float frequency) {
  tensor result(1, head_count, tokens, dim);
  for (Index i = 0; i < result.size(); ++i)
    result.data()[i] = 2 * std::sin(frequency * static_cast<float>(i + 1));
  return result;
}

/// Values of head size 1, the number of their token: an output says where its query looked, on average.
tensor token_numbers() {
  tensor result(1, key_heads, tokens, 1);
  for (Index i = 0; i < result.size(); ++i) result.data()[i] = static_cast<float>(i % tokens + 1);
  return result;
}

/// A number for each query of the first head.
void print(const std::string& what, const float* numbers, Index count = tokens) {
  std::cout << std::setw(28) << std::left << what << std::right;
  for (Index i = 0; i < count; ++i) std::cout << std::setw(7) << numbers[i];
  std::cout << '\n';
}

/// A rule of your own: a query attends within its document. (The stage score would change scores; a
/// member visible() would let whole blocks of keys be skipped.)
struct same_document {
  static constexpr tn::attention_stage stage = tn::attention_stage::mask;
  std::vector<int> document;

  template <class T>
  T operator()(T score, tn::score_place at) const {
    const bool same =
        document[static_cast<std::size_t>(at.query)] == document[static_cast<std::size_t>(at.key)];
    return same ? score : -std::numeric_limits<T>::infinity();
  }
};

/// The query of the last token alone, against a cache with room for more keys and values. What lies
/// behind the key length may be anything.
tensor decode_last(const tensor& q, const tensor& k, const tensor& v) {
  constexpr Index room = 8;
  tensor k_cache(1, key_heads, room, dim), v_cache(1, key_heads, room, 1);
  k_cache.setConstant(std::numeric_limits<float>::quiet_NaN());
  v_cache.setConstant(std::numeric_limits<float>::quiet_NaN());
  const std::array<Index, 4> start{0, 0, 0, 0}, last{0, 0, tokens - 1, 0}, one_query{1, heads, 1, dim};
  k_cache.slice(start, k.dimensions()) = k;
  v_cache.slice(start, v.dimensions()) = v;
  Eigen::Tensor<std::int32_t, 1> length(1);
  length(0) = tokens;

  const tensor query = q.slice(last, one_query);
  return tn::attention(query, k_cache, v_cache, tn::key_lengths(length), tn::causal(tn::align::bottom_right));
}

int main() {
  std::cout << std::fixed << std::setprecision(2);
  // Fewer key heads than query heads: two neighbours share each.
  const tensor q = waves(heads, 0.7f), k = waves(key_heads, 1.1f), v = token_numbers();

  // A query sees the keys up to its own. The log of the softmax's denominator comes with the output.
  tensor o;
  Eigen::Tensor<float, 3, Eigen::RowMajor> lse;
  o = tn::attention(q, k, v, tn::causal(tn::align::bottom_right), tn::save_lse(lse));
  print("causal", o.data());
  print("log-sum-exp", lse.data());

  // One token at a time. With bottom_right the last query sees the last key, however many queries
  // there are, and it has the same bits alone as among the others.
  const tensor decoded = decode_last(q, k, v);
  print("the last query from a cache", decoded.data(), 1);
  std::cout << "same bits: " << (decoded(0, 0, 0, 0) == o(0, 0, tokens - 1, 0) ? "yes" : "no") << '\n';

  // True means attend. This mask is the same for every head; the third query sees nothing.
  Eigen::Matrix<bool, tokens, tokens> keep;
  keep << 1, 1, 0, 0, 0,  //
      1, 1, 1, 0, 0,      //
      0, 0, 0, 0, 0,      //
      0, 0, 1, 1, 1,      //
      0, 0, 0, 1, 1;
  o = tn::attention(q, k, v, tn::keep_mask(keep));
  print("with a mask", o.data());

  // Modifiers compose.
  o = tn::attention(q, k, v, same_document{{0, 0, 1, 1, 1}}, tn::causal(tn::align::top_left));
  print("causal, in two documents", o.data());
}
