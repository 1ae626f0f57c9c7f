// One pass through an attention layer, and what it keeps for the way back.
#pragma once

#include <algorithm>
#include <tuple>
#include <vector>

#include "../attention/rotary.hpp"
#include "../eigen/attention_backward.hpp"
#include "attention_words.hpp"
#include "key_value_cache.hpp"
#include "linear.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// cos and sin of the angles of `tokens` positions from `first` on: position · base^(-2i / turned).
template <class T>
std::vector<T> rotary_table(index first, index tokens, index turned, double base) {
  std::vector<T> table(static_cast<std::size_t>(tokens * turned));
  const index half = turned / 2;
  for (index t = 0; t < tokens; ++t)
    for (index i = 0; i < half; ++i) {
      const double angle = static_cast<double>(first + t) *
                           std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(turned));
      T* const row = table.data() + t * turned;
      row[i] = static_cast<T>(std::cos(angle));
      row[half + i] = static_cast<T>(std::sin(angle));
    }
  return table;
}

template <class Layer>
struct attention_pass;

template <template <class, class, class, class> class Layer, class Scalar, class QkNorm, class OutNorm,
          class Parameter>
struct attention_pass<Layer<Scalar, QkNorm, OutNorm, Parameter>> {
  using accumulator = accumulator_t<Scalar>;
  using tokens_type = Eigen::Tensor<Scalar, 3, Eigen::RowMajor>;
  using heads_type = Eigen::Tensor<Scalar, 4, Eigen::RowMajor>;
  static constexpr bool has_qk_norm = !std::is_same_v<QkNorm, none_t>;
  static constexpr bool has_out_norm = !std::is_same_v<OutNorm, none_t>;

  heads_type q_before, k_before;  // their norms
  heads_type q, k, v, o;
  tokens_type normed;
  Eigen::Tensor<accumulator, 3, Eigen::RowMajor> lse;
  workspace memory;

  /// L is the layer, const where nothing is kept for backward().
  template <class L, class X, class... Words>
  tokens_type forward(L& layer, const X& x, const Words&... words) {
    check_words<X, Words...>();
    const auto& device = device_of(words...);
    const auto& options = layer.options();
    const tokens_type x_rows = rows_of(x, device);
    const tokens_type context = rows_of_context(x, device, words...);
    const tokens_type& from = has_context<Words...> ? context : x_rows;
    check("x", x_rows, {x_rows.dimension(0), x_rows.dimension(1), options.dim});
    check("context", from, {x_rows.dimension(0), from.dimension(1), options.dim_context});
    const index first = check_cache(layer, x_rows.dimension(0), words...);

    project(layer.q, x_rows, options.heads, has_qk_norm ? q_before : q, device);
    project(layer.k, from, options.key_heads, has_qk_norm ? k_before : k, device);
    project(layer.v, from, options.key_heads, v, device);
    if constexpr (has_qk_norm) {
      normalize(layer.q_norm, q_before, q, device);
      normalize(layer.k_norm, k_before, k, device);
    }
    turn(options, q, first, false, device);
    turn(options, k, first, false, device);
    attend(options, device, words...);
    const index inner = options.heads * options.dim_head;
    const index tokens = x_rows.dimension(0) * x_rows.dimension(1);
    const Scalar* result = o.data();
    if constexpr (has_out_norm) {
      normed.resize(x_rows.dimension(0), x_rows.dimension(1), inner);
      const Eigen::TensorMap<const tokens_type> flat(o.data(), normed.dimensions());
      normalize(layer.out_norm, flat, normed, device);
      result = normed.data();
    }
    tokens_type y(x_rows.dimension(0), x_rows.dimension(1), options.dim_out);
    layer.out.forward({result, tokens, inner}, y.data(), memory, device);
    return y;
  }

  template <class L, class DY, class X, class... Words>
  tokens_type backward(L& layer, const DY& dy, const X& x, const Words&... words) {
    check_words<X, Words...>();
    const auto& device = device_of(words...);
    const auto& options = layer.options();
    const tokens_type x_rows = rows_of(x, device);
    const tokens_type context = rows_of_context(x, device, words...);
    const tokens_type& from = has_context<Words...> ? context : x_rows;
    const tokens_type dy_rows = rows_of(dy, device);
    const index batch = q.dimension(0);
    check("x", x_rows, {batch, q.dimension(1), options.dim});
    check("context", from, {batch, k.dimension(1), options.dim_context});
    check("dy", dy_rows, {batch, q.dimension(1), options.dim_out});
    const index tokens = batch * q.dimension(1);
    const index key_tokens = batch * k.dimension(1);
    const index inner = options.heads * options.dim_head;
    const index key_inner = options.key_heads * options.dim_head;

    tokens_type dresult(batch, q.dimension(1), inner);
    const token_matrix<const Scalar> of_dy{dy_rows.data(), tokens, options.dim_out};
    layer.out.backward_to_x(of_dy, dresult.data(), false, memory, device);
    layer.out.backward_to_parameters(of_dy, has_out_norm ? normed.data() : o.data(), memory, device);
    if constexpr (has_out_norm) {
      const Eigen::TensorMap<const tokens_type> flat(o.data(), dresult.dimensions());
      layer.out_norm.backward(dresult, flat, grad_x(dresult), on(device));
    }
    heads_type dq(q.dimensions()), dk(k.dimensions()), dv(v.dimensions());
    const Eigen::TensorMap<const heads_type> dout(dresult.data(), o.dimensions());
    std::apply(
        [&](const auto&... m) {
          const auto run = [&](const auto& differentiate) {
            differentiate(dout, q, k, v, o, lse, m..., tokens_first, grad_q(dq), grad_k(dk), grad_v(dv),
                          on(device), use_workspace(memory));
          };
          if (options.path == kernel::attention_path::fused)
            run([](const auto&... all) { attention_backward(all...); });
          else
            run([](const auto&... all) { attention_unfused_backward(all...); });
        },
        modifiers_of(words...));
    turn(options, dq, 0, true, device);
    turn(options, dk, 0, true, device);
    if constexpr (has_qk_norm) {
      layer.q_norm.backward(dq, q_before, grad_x(dq), on(device));
      layer.k_norm.backward(dk, k_before, grad_x(dk), on(device));
    }
    const token_matrix<const Scalar> of_q{dq.data(), tokens, inner}, of_k{dk.data(), key_tokens, key_inner},
        of_v{dv.data(), key_tokens, key_inner};
    layer.q.backward_to_parameters(of_q, x_rows.data(), memory, device);
    layer.k.backward_to_parameters(of_k, from.data(), memory, device);
    layer.v.backward_to_parameters(of_v, from.data(), memory, device);

    // Sums of several products are rounded once.
    using wide_type = Eigen::Tensor<accumulator, 3, Eigen::RowMajor>;
    wide_type dx(x_rows.dimensions());
    layer.q.backward_to_x(of_q, dx.data(), false, memory, device);
    if constexpr (has_context<Words...>) {
      wide_type dcontext(from.dimensions());
      layer.k.backward_to_x(of_k, dcontext.data(), false, memory, device);
      layer.v.backward_to_x(of_v, dcontext.data(), true, memory, device);
      (give_context(words, dcontext, device), ...);
    } else {
      layer.k.backward_to_x(of_k, dx.data(), true, memory, device);
      layer.v.backward_to_x(of_v, dx.data(), true, memory, device);
    }
    if constexpr (std::is_same_v<Scalar, accumulator>) {
      return dx;
    } else {
      tokens_type result(dx.dimensions());
      result.device(device) = dx.template cast<Scalar>();
      return result;
    }
  }

 private:
  template <class X, class... Words>
  static constexpr void check_words() {
    static_assert(std::is_same_v<scalar_of<X>, Scalar>, "x must have the scalar type of the layer: cast it");
    static_assert(rank_of<X> == 3, "Attention takes batch x tokens x dim: reshape x");
    static_assert(!(has_cache<Words...> && has_context<Words...>),
                  "a cache keeps the keys of x, not of a context");
    static_assert(!(... || std::is_same_v<Words, tokens_first_t>),
                  "the order of heads and tokens is Attention's own");
    static_assert(has_context<Words...> || !(... || is<Words, grad_context_t>),
                  "grad_context needs the context of the forward call: pass context(c) as well");
  }

  /// Row-major tokens, as they are or in a copy.
  template <class X, class Device>
  static tokens_type rows_of(const X& x, const Device& device) {
    tokens_type rows;
    if constexpr (row_major<X>) {
      const auto size = shape_of(x).size;
      rows.resize(size[0], size[1], size[2]);
      rows.device(device) = x;
    } else {
      rows = x.swap_layout().shuffle(Eigen::array<int, 3>{2, 1, 0});
    }
    return rows;
  }
  template <class X, class Device, class... Words>
  static tokens_type rows_of_context(const X& x, const Device& device, const Words&... words) {
    if constexpr (has_context<Words...>)
      return rows_of(context_of(x, words...), device);
    else
      return {};
  }

  static void check(const char* name, const tokens_type& x, const sizes<3>& expected) {
    if (shape_of(x).size != expected)
      fail("Attention", name, " has shape ", shape_text(shape_of(x).size), ", expected ",
           shape_text(expected));
  }
  /// The position of the first token.
  template <class L>
  static index check_cache(const L&, index) {
    return 0;
  }
  template <class L, class W, class... Rest>
  static index check_cache(const L& layer, index batch, const W& word, const Rest&... rest) {
    if constexpr (is<W, use_cache_t>) {
      const auto& has = word.cache.options();
      const auto& o = layer.options();
      if (has.batch != batch || has.key_heads != o.key_heads || has.dim_head != o.dim_head ||
          has.value_dim != o.dim_head)
        fail("Attention", "the cache is for ", has.batch, " x ", has.key_heads, " heads of ", has.dim_head,
             " and ", has.value_dim, ", expected ", batch, " x ", o.key_heads, " heads of ", o.dim_head,
             " and ", o.dim_head);
      return word.cache.size();
    } else {
      return check_cache(layer, batch, rest...);
    }
  }

  template <class Linear, class Device>
  void project(const Linear& linear, const tokens_type& x, index heads, heads_type& to,
               const Device& device) {
    to.resize(x.dimension(0), x.dimension(1), heads, linear.out() / heads);
    linear.forward({x.data(), x.dimension(0) * x.dimension(1), linear.in()}, to.data(), memory, device);
  }
  template <class Norm, class X, class Y, class Device>
  static void normalize(Norm& norm, const X& x, Y& y, const Device& device) {
    y.resize(x.dimensions());
    if constexpr (std::is_const_v<Norm>)
      y.device(device) = norm(x);
    else
      y.device(device) = norm.forward(x);
  }
  template <class Options, class Device>
  static void turn(const Options& options, heads_type& x, index first, bool back, const Device& device) {
    if (options.rotary == kernel::rotary_pairs::none || x.size() == 0) return;
    const auto table =
        rotary_table<accumulator>(first, x.dimension(1), options.rotary_dims, options.rotary_base);
    kernel::rotary_problem<stored_t<Scalar>> p{
        stored_pointer(x.data()), x.dimension(1), x.dimension(2), x.dimension(3),
        options.rotary_dims,      options.rotary, table.data(),   back};
    const double numbers = static_cast<double>(x.dimension(2) * x.dimension(3));
    run_evenly(x.dimension(0) * x.dimension(1),
               Eigen::TensorOpCost(numbers * sizeof(Scalar), numbers * sizeof(Scalar), 2 * numbers), device,
               [&](index begin, index end) { kernel::dispatch<kernel::rotary_kernel>(p, begin, end); });
  }

  template <class Options, class Device, class... Words>
  void attend(const Options& options, const Device& device, const Words&... words) {
    o.resize(q.dimension(0), q.dimension(1), options.heads, options.dim_head);
    const auto over = [&](const heads_type& keys, const heads_type& values, const auto&... more) {
      std::apply(
          [&](const auto&... m) {
            if (options.path == kernel::attention_path::fused)
              o.device(device) = attention(q, keys, values, m..., more..., tokens_first, save_lse(lse),
                                           use_workspace(memory));
            else
              o.device(device) = attention_unfused(q, keys, values, m..., more..., tokens_first,
                                                   save_lse(lse), use_workspace(memory));
          },
          modifiers_of(words...));
    };
    if constexpr (has_cache<Words...>)
      (append(words, over), ...);
    else
      over(k, v);
  }
  template <class W, class F>
  void append(const W& word, const F& over) {
    if constexpr (is<W, use_cache_t>) {
      const index before = word.cache.size();
      word.cache.append(k, v);
      try {
        over(word.cache.keys(), word.cache.values(), key_lengths(word.cache.lengths()));
      } catch (...) {
        word.cache.truncate(before);
        throw;
      }
    }
  }

  template <class W, class C, class Device>
  static void give_context(const W& word, const C& dcontext, const Device& device) {
    if constexpr (is<W, grad_context_t>) {
      auto& to = word.to.get();
      if (shape_of(to).size != shape_of(dcontext).size)
        fail("Attention", "the gradient of the context has shape ", shape_text(shape_of(to).size),
             ", expected ", shape_text(shape_of(dcontext).size));
      if (word.mode == update::accumulate)
        to.device(device) = (to.template cast<accumulator>() + dcontext).template cast<Scalar>();
      else
        to.device(device) = dcontext.template cast<Scalar>();
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
