// What the tests of the attention layer share: layers for every pair of options, data for them, and their
// passes.
#pragma once

#define EIGEN_USE_THREADS
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <tensornorm/tensornorm.hpp>

#include "../support/bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {

using index_nn = Eigen::Index;
using tn::align;

inline std::size_t at(index_nn i) { return static_cast<std::size_t>(i); }

/// Which dims of a head turn with their position.
enum class turning { none, interleaved, halves, first_interleaved, first_halves };

struct block_case {
  index_nn heads, key_heads;
  index_nn dim_head;  // 0: dim / heads
  bool bias, out_bias;
  turning turns;
  bool has_context;
  index_nn dim_out;  // 0: dim
  index_nn batch = 2, tokens = 3, context_tokens = 5;

  index_nn dim() const { return dim_head ? 5 : 4 * heads; }
  index_nn dim_context() const { return has_context ? 7 : dim(); }
  index_nn size_of_y() const { return dim_out ? dim_out : dim(); }
  index_nn keys() const { return has_context ? context_tokens : tokens; }

  tn::attention_options options(tn::attention_path path = tn::attention_path::fused) const {
    const bool interleaves = turns == turning::interleaved || turns == turning::first_interleaved;
    const bool first = turns == turning::first_interleaved || turns == turning::first_halves;
    return {.dim = dim(),
            .heads = heads,
            .key_heads = key_heads,
            .dim_head = dim_head,
            .dim_context = has_context ? 7 : 0,
            .dim_out = dim_out,
            .bias = bias,
            .out_bias = out_bias,
            .rotary = turns == turning::none ? tn::rotary_pairs::none
                      : interleaves          ? tn::rotary_pairs::interleaved
                                             : tn::rotary_pairs::halves,
            .rotary_base = 20,  // so that slow pairs turn, too
            .rotary_dims = !first     ? 0
                           : dim_head ? 4
                                      : 2,
            .path = path};
  }
};

inline std::ostream& operator<<(std::ostream& out, const block_case& c) {
  constexpr const char* turns[] = {"none", "interleaved", "halves", "first, interleaved", "first, halves"};
  return out << c.heads << " heads of " << c.key_heads << ", dim_head " << c.dim_head << ", bias " << c.bias
             << " and " << c.out_bias << ", rotary " << turns[static_cast<int>(c.turns)] << ", "
             << (c.has_context ? "context" : "self") << ", dim_out " << c.dim_out;
}

/// Every pair of options stands in one of these.
inline constexpr block_case block_cases[] = {{2, 2, 0, true, false, turning::first_halves, false, 7},
                                             {2, 2, 0, false, true, turning::halves, true, 7},
                                             {2, 2, 6, true, true, turning::none, true, 7},
                                             {2, 2, 6, false, false, turning::interleaved, true, 0},
                                             {2, 2, 6, false, false, turning::first_interleaved, true, 0},
                                             {4, 2, 0, false, true, turning::none, false, 0},
                                             {4, 2, 0, false, true, turning::first_interleaved, true, 7},
                                             {4, 2, 0, false, false, turning::first_halves, true, 0},
                                             {4, 2, 6, true, true, turning::halves, false, 7},
                                             {4, 2, 6, true, false, turning::interleaved, true, 7},
                                             {3, 1, 0, true, true, turning::interleaved, false, 0},
                                             {3, 1, 0, true, false, turning::halves, false, 0},
                                             {3, 1, 0, false, false, turning::none, false, 0},
                                             {3, 1, 6, true, false, turning::first_interleaved, false, 0},
                                             {3, 1, 6, false, true, turning::first_halves, true, 7}};

inline constexpr tn::attention_path block_paths[] = {tn::attention_path::fused, tn::attention_path::unfused};

/// A layer whose norms are not where they begin.
template <class Layer>
struct learned : Layer {
  explicit learned(const tn::attention_options& options, std::uint64_t seed = 7) : Layer(options, seed) {
    std::uint32_t next = 1201;
    for (auto& p : this->parameters()) {
      if (p.name.find("norm") == std::string::npos) continue;
      using P = typename decltype(p.value)::Scalar;
      normal_source noise(next++);
      for (index_nn i = 0; i < p.value.size(); ++i)
        p.value(i) = narrow<P>(static_cast<double>(widen(p.value(i))) + noise(0, 0.25));
    }
  }
};

template <class T>
using tokens = row_major_tensor<T, 3>;

template <class T>
struct block_data {
  tokens<T> x, context, dy;

  explicit block_data(const block_case& c, std::uint32_t seed = 1211)
      : x(normal_tensor<tokens<T>>({c.batch, c.tokens, c.dim()}, seed, 0.25)),
        context(normal_tensor<tokens<T>>({c.batch, c.keys(), c.dim_context()}, seed + 1, -0.25)),
        dy(normal_tensor<tokens<T>>({c.batch, c.tokens, c.size_of_y()}, seed + 2)) {}
};

template <class T>
struct block_gradients {
  tokens<T> x, context;  // the latter for a case that has one
};

/// y for inference, y for training, and the gradients, of x alone or with its context.
template <class Layer, class T, class... Words>
tokens<T> inferred(const Layer& layer, const block_case& c, const block_data<T>& data,
                   const Words&... words) {
  return c.has_context ? layer(data.x, tn::context(data.context), words...) : layer(data.x, words...);
}
template <class Layer, class T, class... Words>
tokens<T> forwarded(Layer& layer, const block_case& c, const block_data<T>& data, const Words&... words) {
  return c.has_context ? layer.forward(data.x, tn::context(data.context), words...)
                       : layer.forward(data.x, words...);
}
template <class Layer, class T, class... Words>
block_gradients<T> backwarded(Layer& layer, const block_case& c, const block_data<T>& data,
                              const Words&... words) {
  if (!c.has_context) return {layer.backward(data.dy, data.x, words...), {}};
  block_gradients<T> result{{}, tokens<T>(data.context.dimensions())};
  result.context.setConstant(quiet_nan<T>());
  result.x =
      layer.backward(data.dy, data.x, tn::context(data.context), tn::grad_context(result.context), words...);
  return result;
}

/// Everything that backward() adds to, by name.
template <class Layer>
auto parameter_gradients(Layer& layer) {
  std::vector<std::pair<std::string, decltype(elements_of(layer.parameters()[0].gradient))>> all;
  for (auto& p : layer.parameters()) all.emplace_back(p.name, elements_of(p.gradient));
  return all;
}

/// Whether a gradient may be nothing but roundings: what is added to all keys moves all scores of a query
/// alike, unless a norm or a turn follows.
inline bool may_vanish(const std::string& name) { return name == "k_bias" || name == "k_norm_bias"; }

/// The call throws exactly this text.
template <class Call>
void expect_error(const std::string& text, const Call& call) {
  EXPECT_THAT(call, testing::ThrowsMessage<std::invalid_argument>(testing::StrEq(text)));
}

/// A layer of a typed test: scalar of the data and of parameters, and two norms.
template <class Scalar, class QkNorm, class OutNorm, class Parameter = Scalar>
struct block_type {
  using scalar = Scalar;
  using layer = tn::Attention<Scalar, QkNorm, OutNorm, Parameter>;
};

}  // namespace tensornorm_test
