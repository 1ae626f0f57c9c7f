// The attention layer of transformers: projections, attention, and what stands between them.
#pragma once

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "attention_gradients.hpp"
#include "linear.hpp"

namespace tensornorm::inline TENSORNORM_ABI {

using kernel::attention_path;
using kernel::rotary_pairs;

/// What an Attention is made of.
struct attention_options {
  Eigen::Index dim = 0;  ///< Channels of x.
  Eigen::Index heads = 8;
  Eigen::Index key_heads = 0;    ///< 0: as heads. A divisor of heads.
  Eigen::Index dim_head = 0;     ///< 0: dim / heads.
  Eigen::Index dim_context = 0;  ///< Channels of the context of cross-attention; 0: as dim.
  Eigen::Index dim_out = 0;      ///< Channels of y; 0: as dim.
  bool bias = true;              ///< Of q, k and v.
  bool out_bias = true;
  rotary_pairs rotary = rotary_pairs::none;
  double rotary_base = 10000;
  Eigen::Index rotary_dims = 0;  ///< Dims of a head that turn, an even number; 0: all.
  attention_path path = attention_path::fused;
};

/// Self-attention or cross-attention over batch x tokens x dim:
///
///     q = turn(norm(x · Wqᵀ + bq)),  k likewise,  v = x · Wvᵀ + bv,  y = norm(attention(q, k, v)) · Woᵀ + bo
///
///     tn::Attention<float> attention({.dim = 768, .heads = 12});
///     tn::Attention<float, tn::RmsNorm<float>> other({.dim = 4096, .heads = 32, .key_heads = 8,
///                                                     .bias = false, .rotary = tn::rotary_pairs::halves});
///     auto y = attention.forward(x, tn::causal(tn::align::bottom_right), tn::on(pool));
///     auto dx = attention.backward(dy, x, tn::causal(tn::align::bottom_right), tn::on(pool));
///
/// QkNorm    RmsNorm, SimpleNorm or LayerNorm of a head of q and of k, or none_t.
/// OutNorm   the same for what attention gives, heads · dim_head channels, before the last projection.
/// Shapes    x: batch x tokens x dim; y: batch x tokens x dim_out. Weights are out x in, as linear layers
///           keep them: heads · dim_head rows for q, key_heads · dim_head for k and v.
/// Words     modifiers of attention; on(device); context(c): keys and values come from there;
///           use_cache(cache): the keys and values of x are appended, and all of the cache is seen;
///           use_workspace(ws), else the layer has its own.
/// Types     Scalar: float, double, half, bfloat16; parameters and their gradients of type Parameter, Scalar
///           or wider. Arithmetic in accumulator_t, each step rounded to Scalar.
/// Aliasing  none: y and dx are tensors of their own.
/// Error     that of its steps, one after another; fused and unfused differ as attention() does.
/// Bits      the same on any number of threads, with AVX2 or AVX-512; in bfloat16 as attention().
/// Throws    std::invalid_argument, naming both sizes, before anything is written.
/// Cost      2 · tokens · channels flops for each weight, and the attention. forward() keeps q, k, v and the
///           result; backward() costs about twice as much again.
/// Source    Vaswani et al. 2017, arXiv:1706.03762; Su et al. 2021, arXiv:2104.09864 (rotary embedding).
template <class Scalar, class QkNorm = none_t, class OutNorm = none_t, class Parameter = Scalar>
class Attention {
  static_assert(detail::supported_scalar<Scalar>,
                "tensornorm computes on float, double, Eigen::half and Eigen::bfloat16: choose one of these");

 public:
  using accumulator = accumulator_t<Scalar>;
  using tokens_type = Eigen::Tensor<Scalar, 3, Eigen::RowMajor>;
  using linear = detail::linear_layer<Scalar, Parameter>;

  static constexpr bool has_qk_norm = !std::is_same_v<QkNorm, none_t>;
  static constexpr bool has_out_norm = !std::is_same_v<OutNorm, none_t>;

  linear q, k, v, out;
  QkNorm q_norm, k_norm;
  OutNorm out_norm;

  /// Parameters are uniform in ±1/sqrt(in), the same for the same seed; norms begin at one.
  explicit Attention(const attention_options& options, std::uint64_t seed = 0)
      : Attention(completed(options), seed, 0) {}

  const attention_options& options() const { return options_; }

  /// The layer on x, without what backward() needs.
  template <detail::any_tensor X, detail::attention_word... Words>
  tokens_type operator()(const X& x, const Words&... words) const {
    detail::attention_state<Scalar> of_this_call;
    return detail::forward_of_layer(*this, of_this_call, x, words...);
  }
  /// The same bits, and backward() can follow.
  template <detail::any_tensor X, detail::attention_word... Words>
  tokens_type forward(const X& x, const Words&... words) {
    static_assert(!detail::has_cache<Words...>,
                  "a cache is for generation: forward() with one has no gradients");
    return detail::forward_of_layer(*this, state_, x, words...);
  }

  /// The gradient of x for dy, that of y, with the x and the words of the last forward(). Adds to the
  /// gradients of all parameters. Words also: grad_context(dc), and grad_score_bias(db) and grad_sinks(ds)
  /// for what modifiers have learned.
  template <detail::any_tensor DY, detail::any_tensor X, detail::attention_backward_words... Words>
  tokens_type backward(const DY& dy, const X& x, const Words&... words) {
    return detail::layer_gradients<Scalar>(state_).run(*this, dy, x, words...);
  }

  void zero_gradients() {
    each_linear(*this, [](const char*, auto& layer) { layer.zero_gradients(); });
    each_norm(*this, [](const char*, auto& norm) { norm.zero_gradients(); });
  }

  /// Every parameter with its gradient, for an optimizer.
  std::vector<named_parameter<Parameter>> parameters() {
    std::vector<named_parameter<Parameter>> all;
    const auto add = [&](const std::string& name, auto& value, auto& gradient) {
      if (value.size() > 0)
        all.push_back({name, {value.data(), value.size()}, {gradient.data(), value.size()}});
    };
    each_linear(*this, [&](const std::string& name, auto& layer) {
      add(name + "_weight", layer.weight, layer.weight_gradient);
      add(name + "_bias", layer.bias, layer.bias_gradient);
    });
    each_norm(*this, [&](const std::string& name, auto& norm) {
      for (auto& p : norm.parameters()) all.push_back({name + "_" + p.name, p.value, p.gradient});
    });
    return all;
  }

  /// Throws std::invalid_argument, naming a parameter or gradient that has another size than options() say.
  void check_parameters() const {
    const index inner = options_.heads * options_.dim_head;
    const index key_inner = options_.key_heads * options_.dim_head;
    q.check("q", options_.dim, inner, options_.bias);
    k.check("k", options_.dim_context, key_inner, options_.bias);
    v.check("v", options_.dim_context, key_inner, options_.bias);
    out.check("out", inner, options_.dim_out, options_.out_bias);
    each_norm(*this, [](const char*, const auto& norm) { norm.check_parameters(); });
  }

  /// All parameters by name, flat: q_weight, q_bias, ..., out_bias, q_norm_weight, ...
  parameter_map<Parameter> save() const {
    parameter_map<Parameter> all;
    for (const auto& p : const_cast<Attention&>(*this).parameters()) all[p.name] = p.value;
    return all;
  }

  /// Takes what save() gave, or q, k and v packed in this order as qkv_weight and qkv_bias. Throws
  /// std::invalid_argument naming what is missing, unknown or of another size; nothing is changed then.
  void load(const parameter_map<Parameter>& values) {
    const parameter_map<Parameter> apart = unpacked(values);
    auto all = parameters();
    for (const auto& p : all) {
      const auto found = apart.find(p.name);
      if (found == apart.end()) detail::fail("Attention", "load: ", p.name, " is missing");
      if (found->second.size() != p.value.size())
        detail::fail("Attention", "load: ", p.name, " has ", found->second.size(), " elements, expected ",
                     p.value.size());
    }
    for (const auto& entry : apart)
      if (std::ranges::none_of(all, [&](const auto& p) { return p.name == entry.first; }))
        detail::fail("Attention", "load: ", entry.first, " is no parameter of it");
    for (auto& p : all) p.value = apart.at(p.name);
  }

 private:
  using index = detail::index;
  Attention(const attention_options& options, std::uint64_t seed, int)
      : q_norm(norm_of<QkNorm>(options.dim_head)),
        k_norm(norm_of<QkNorm>(options.dim_head)),
        out_norm(norm_of<OutNorm>(options.heads * options.dim_head)),
        options_(options) {
    std::mt19937_64 random(seed);
    const index inner = options.heads * options.dim_head;
    const index key_inner = options.key_heads * options.dim_head;
    q.start(options.dim, inner, options.bias, random);
    k.start(options.dim_context, key_inner, options.bias, random);
    v.start(options.dim_context, key_inner, options.bias, random);
    out.start(inner, options.dim_out, options.out_bias, random);
  }

  static attention_options completed(attention_options o) {
    const auto positive = [](const char* option, Eigen::Index value) {
      detail::check_at_least("Attention", option, value, 1);
    };
    positive("dim", o.dim);
    positive("heads", o.heads);
    if (o.dim_head == 0 && o.dim % o.heads != 0)
      detail::fail("Attention", "heads is ", o.heads, ", expected a divisor of dim, ", o.dim,
                   ", or a dim_head");
    const auto otherwise = [](index& value, index other) {
      if (value == 0) value = other;
    };
    otherwise(o.key_heads, o.heads);
    otherwise(o.dim_head, o.dim / o.heads);
    otherwise(o.dim_context, o.dim);
    otherwise(o.dim_out, o.dim);
    otherwise(o.rotary_dims, o.dim_head);
    positive("key_heads", o.key_heads);
    positive("dim_head", o.dim_head);
    positive("dim_context", o.dim_context);
    positive("dim_out", o.dim_out);
    if (o.heads % o.key_heads != 0)
      detail::fail("Attention", "key_heads is ", o.key_heads, ", expected a divisor of the ", o.heads,
                   " heads");
    if (o.rotary != rotary_pairs::none &&
        (o.rotary_dims < 0 || o.rotary_dims % 2 != 0 || o.rotary_dims > o.dim_head))
      detail::fail("Attention", "rotary_dims is ", o.rotary_dims,
                   ", expected an even number up to dim_head, ", o.dim_head);
    if (!(o.rotary_base > 0))
      detail::fail("Attention", "rotary_base is ", o.rotary_base, ", expected a positive number");
    return o;
  }
  template <class Norm>
  static Norm norm_of(index dim) {
    if constexpr (std::is_same_v<Norm, none_t>)
      return {};
    else
      return Norm({.dim = dim});
  }

  template <class Self, class F>
  static void each_linear(Self& self, const F& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
    f("out", self.out);
  }
  template <class Self, class F>
  static void each_norm(Self& self, const F& f) {
    if constexpr (has_qk_norm) {
      f("q_norm", self.q_norm);
      f("k_norm", self.k_norm);
    }
    if constexpr (has_out_norm) f("out_norm", self.out_norm);
  }

  /// q, k and v apart, if they came packed.
  parameter_map<Parameter> unpacked(parameter_map<Parameter> values) const {
    for (const char* const kind : {"weight", "bias"}) {
      const auto packed = values.find(std::string("qkv_") + kind);
      if (packed == values.end()) continue;
      for (const char* const part : {"q_", "k_", "v_"})
        if (values.contains(std::string(part) + kind))
          detail::fail("Attention", "load: ", part, kind, " stands beside qkv_", kind, ": give one of them");
      const bool is_weight = kind == std::string("weight");
      const auto size = [&](const linear& layer) {
        return is_weight ? layer.weight.size() : layer.bias.size();
      };
      const index expected = size(q) + size(k) + size(v);
      if (packed->second.size() != expected || options_.dim != options_.dim_context)
        detail::fail("Attention", "load: qkv_", kind, " has ", packed->second.size(), " elements, expected ",
                     expected, options_.dim == options_.dim_context ? "" : " in q, k and v of their own");
      index first = 0;
      for (const auto& [name, layer] : {std::pair{"q_", &q}, {"k_", &k}, {"v_", &v}}) {
        Eigen::Tensor<Parameter, 1> part(size(*layer));
        std::copy_n(packed->second.data() + first, part.size(), part.data());
        first += part.size();
        values[std::string(name) + kind] = part;
      }
      values.erase(packed);
    }
    return values;
  }

  attention_options options_;
  detail::attention_state<Scalar> state_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI
