// Keys and values of the tokens that a model has seen, for generation.
#pragma once

#include <cstdint>

#include "../eigen/argument.hpp"
#include "../eigen/errors.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

/// What a KeyValueCache is made of.
struct key_value_cache_options {
  Eigen::Index batch = 1;
  Eigen::Index key_heads = 0;
  Eigen::Index dim_head = 0;
  Eigen::Index value_dim = 0;  ///< 0: as dim_head.
  Eigen::Index block = 256;    ///< Tokens by which it grows.
};

/// Keys and values in the order in which they came. Attention over it:
///
///     cache.append(k, v);
///     o = tn::attention(q, cache.keys(), cache.values(), tn::key_lengths(cache.lengths()),
///                       tn::causal(tn::align::bottom_right));
///
/// Shapes    append takes what projections leave, k: batch x tokens x key_heads x dim_head and
///           v: batch x tokens x key_heads x value_dim. keys() and values() are batch x key_heads x
///           capacity() x dim, of whose tokens size() are there: decoding reads a head at a time, and memory
///           is fastest when its tokens follow each other.
/// Throws    std::invalid_argument: sizes that are not positive; k or v of other sizes. Nothing is changed.
/// Cost      append copies its tokens, and what is there when capacity() grows, by a block at least.
template <class Scalar>
class KeyValueCache {
 public:
  using tensor = Eigen::Tensor<Scalar, 4, Eigen::RowMajor>;

  explicit KeyValueCache(const key_value_cache_options& options) : options_(options) {
    if (options_.value_dim == 0) options_.value_dim = options_.dim_head;
    const auto positive = [](const char* option, Eigen::Index value) {
      detail::check_at_least("KeyValueCache", option, value, 1);
    };
    positive("batch", options_.batch);
    positive("key_heads", options_.key_heads);
    positive("dim_head", options_.dim_head);
    positive("value_dim", options_.value_dim);
    positive("block", options_.block);
    lengths_.resize(options_.batch);
    lengths_.setZero();
    resize(0);
  }

  const key_value_cache_options& options() const { return options_; }
  Eigen::Index size() const { return size_; }
  Eigen::Index capacity() const { return keys_.dimension(2); }
  const tensor& keys() const { return keys_; }
  const tensor& values() const { return values_; }
  /// size() for each batch element.
  const Eigen::Tensor<std::int32_t, 1>& lengths() const { return lengths_; }

  /// Forgets all tokens but the first `tokens`, and keeps the memory.
  void truncate(Eigen::Index tokens = 0) {
    if (tokens < 0 || tokens > size_)
      detail::fail("KeyValueCache", "truncate: tokens is ", tokens, ", expected 0 to ", size_);
    set_size(tokens);
  }

  /// The keys and values of the next tokens.
  template <detail::any_tensor K, detail::any_tensor V>
  void append(const K& k, const V& v) {
    static_assert(detail::rank_of<K> == 4 && detail::rank_of<V> == 4,
                  "KeyValueCache takes keys and values of batch x tokens x key_heads x dim: reshape them");
    static_assert(
        std::is_same_v<detail::scalar_of<K>, Scalar> && std::is_same_v<detail::scalar_of<V>, Scalar>,
        "keys and values must have the scalar type of the cache: cast them");
    const auto k_size = detail::shape_of(k).size;
    const auto v_size = detail::shape_of(v).size;
    check("k", k_size, options_.dim_head, k_size[1]);
    check("v", v_size, options_.value_dim, k_size[1]);
    const Eigen::Index tokens = k_size[1];
    if (size_ + tokens > capacity())
      resize((size_ + tokens + options_.block - 1) / options_.block * options_.block);
    put(k, keys_, tokens);
    put(v, values_, tokens);
    set_size(size_ + tokens);
  }

 private:
  void check(const char* name, const detail::sizes<4>& size, Eigen::Index dim, Eigen::Index tokens) const {
    const detail::sizes<4> expected{options_.batch, tokens, options_.key_heads, dim};
    if (size != expected)
      detail::fail("KeyValueCache", "append: ", name, " has shape ", detail::shape_text(size), ", expected ",
                   detail::shape_text(expected));
  }
  template <class From>
  void put(const From& from, tensor& to, Eigen::Index tokens) {
    using order = Eigen::array<int, 4>;
    auto part = part_of(to, size_, tokens);
    if constexpr (detail::row_major<From>)
      part = from.shuffle(order{0, 2, 1, 3});
    else
      part = from.swap_layout().shuffle(order{3, 1, 2, 0});
  }
  void resize(Eigen::Index tokens) {
    for (auto [to, dim] : {std::pair{&keys_, options_.dim_head}, {&values_, options_.value_dim}}) {
      tensor grown(options_.batch, options_.key_heads, tokens, dim);
      if (size_ > 0) part_of(grown, 0, size_) = part_of(*to, 0, size_);
      *to = std::move(grown);
    }
  }
  static auto part_of(tensor& x, Eigen::Index first, Eigen::Index tokens) {
    return x.slice(Eigen::array<Eigen::Index, 4>{0, 0, first, 0},
                   Eigen::array<Eigen::Index, 4>{x.dimension(0), x.dimension(1), tokens, x.dimension(3)});
  }
  void set_size(Eigen::Index tokens) {
    size_ = tokens;
    lengths_.setConstant(static_cast<std::int32_t>(tokens));
  }

  key_value_cache_options options_;
  tensor keys_, values_;
  Eigen::Tensor<std::int32_t, 1> lengths_;
  Eigen::Index size_ = 0;
};

}  // namespace tensornorm::inline TENSORNORM_ABI
