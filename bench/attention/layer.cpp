// The attention layer of language models, fused and unfused: forward, backward, and a token after a cache.
#include <algorithm>

#include "../peaks.hpp"
#include "add.hpp"

namespace bench {
namespace {

/// One sequence, causal. x and y of tokens x dim.
struct layer_shape {
  const char* key;    // starts the name of every benchmark of the shape
  const char* title;  // for people
  tn::attention_options options;
  index tokens;
  sweep smallest;

  index dim_head() const { return options.dim_head ? options.dim_head : options.dim / options.heads; }
  index key_heads() const { return options.key_heads ? options.key_heads : options.heads; }

  /// Of q, k, v and out, without biases.
  double weights() const {
    return 2 * static_cast<double>(options.dim) *
           static_cast<double>((options.heads + key_heads()) * dim_head());
  }
  /// A multiply-add for each weight and row, `products` times, and those of attention.
  amount work(double rows, double products, double attention) const {
    return {.flops = 2 * rows * weights() * products + attention};
  }
  /// Q·Kᵀ and P·V, for each pair of a query and a key that it sees.
  double attention_flops(double pairs) const {
    return 4 * pairs * static_cast<double>(options.heads * dim_head());
  }

  amount forward_work() const {
    const auto n = static_cast<double>(tokens);
    return work(n, 1, attention_flops(n * (n + 1) / 2));
  }
  /// Each projection once for its x and once for its weight; attention as its backward pass counts it.
  amount backward_work() const {
    const auto n = static_cast<double>(tokens);
    return work(n, 2, 2.5 * attention_flops(n * (n + 1) / 2));
  }
  amount decode_work() const { return work(1, 1, attention_flops(cached + 1)); }

  static constexpr index cached = 1023;  // the tokens before the one that is decoded
};

constexpr layer_shape gpt2_small = {"attention_layer_gpt2_small",
                                    "GPT-2 small, 1024 tokens, dim 768, 12 heads of 64",
                                    {.dim = 768, .heads = 12},
                                    1024,
                                    sweep::quick};

constexpr layer_shape llama_like = {"attention_layer_llama_like",
                                    "like LLaMA, 512 tokens, dim 2048, 16 over 4 heads of 128, QK RMSNorm",
                                    {.dim = 2048,
                                     .heads = 16,
                                     .key_heads = 4,
                                     .dim_head = 128,
                                     .bias = false,
                                     .out_bias = false,
                                     .rotary = tn::rotary_pairs::halves},
                                    512,
                                    sweep::quick};

using tokens_tensor = Eigen::Tensor<float, 3, Eigen::RowMajor>;
using heads_tensor = Eigen::Tensor<float, 4, Eigen::RowMajor>;

template <class Tensor>
Tensor noise_of(Tensor tensor, unsigned seed) {
  std::copy_n(noise<float>(tensor.size(), seed).get(), tensor.size(), tensor.data());
  return tensor;
}

template <class Layer>
struct layer_operands {
  explicit layer_operands(const layer_shape& s)
      : x(noise_of(tokens_tensor(1, s.tokens, s.options.dim), 1)),
        dy(noise_of(tokens_tensor(1, s.tokens, s.options.dim), 2)),
        token(noise_of(tokens_tensor(1, 1, s.options.dim), 3)),
        fused(of_path(s, tn::attention_path::fused)),
        unfused(of_path(s, tn::attention_path::unfused)),
        cache({.key_heads = s.key_heads(), .dim_head = s.dim_head()}) {
    const heads_tensor before(1, layer_shape::cached, s.key_heads(), s.dim_head());
    cache.append(noise_of(before, 4), noise_of(before, 5));
  }

  static Layer of_path(const layer_shape& s, tn::attention_path path) {
    tn::attention_options options = s.options;
    options.path = path;
    return Layer(options);
  }

  tokens_tensor x, dy, y, dx, token;
  Layer fused, unfused;  // with the same parameters
  tn::KeyValueCache<float> cache;
};

template <class Layer>
std::shared_ptr<layer_operands<Layer>> layer_operands_for(const layer_shape& s) {
  return std::static_pointer_cast<layer_operands<Layer>>(
      only_alive(s.key, [&s] { return std::make_shared<layer_operands<Layer>>(s); }));
}

constexpr auto causal = tn::causal(tn::align::bottom_right);

/// By one path.
template <class Layer>
void add_path(const layer_shape& s, const char* contender, Layer layer_operands<Layer>::*path) {
  const auto add = [&](const char* what, const amount& work, auto make) {
    add_benchmark(std::string(s.key) + "/float/tokens/" + what + "/" + contender, s.title, work, make);
  };
  add("forward", s.forward_work(), [=] {
    const auto memory = layer_operands_for<Layer>(s);
    return [=] { memory->y = ((*memory).*path).forward(memory->x, causal); };
  });
  add("backward", s.backward_work(), [=] {
    const auto memory = layer_operands_for<Layer>(s);
    ((*memory).*path).forward(memory->x, causal);
    return [=] { memory->dx = ((*memory).*path).backward(memory->dy, memory->x, causal); };
  });
  add("decode", s.decode_work(), [=] {
    const auto memory = layer_operands_for<Layer>(s);
    return [=] {
      memory->cache.truncate(layer_shape::cached);
      memory->y = ((*memory).*path)(memory->token, causal, tn::use_cache(memory->cache));
    };
  });
}

template <class Layer>
void add_layer(const layer_shape& s, sweep wanted) {
  if (s.smallest > wanted) return;
  add_path<Layer>(s, "fused", &layer_operands<Layer>::fused);
  add_path<Layer>(s, "unfused", &layer_operands<Layer>::unfused);
  add_benchmark(std::string(s.key) + "/float/tokens/peak/multiply_adds", s.title,
                {.flops = multiply_add_flops()}, [] { return [] { multiply_adds(); }; });
}

}  // namespace

void add_attention_layer(sweep wanted) {
  add_layer<tn::Attention<float>>(gpt2_small, wanted);
  add_layer<tn::Attention<float, tn::RmsNorm<float>>>(llama_like, wanted);
}

}  // namespace bench
