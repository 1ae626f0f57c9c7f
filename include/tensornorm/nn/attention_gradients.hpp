// The backward pass of the attention layer.
#pragma once

#include <optional>
#include <tuple>

#include "../eigen/attention_backward.hpp"
#include "attention_forward.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

template <class F>
void with_context_gradient(const F&) {}
/// f(the word), if a gradient of the context is asked for.
template <class F, class W, class... Rest>
void with_context_gradient(const F& f, const W& word, const Rest&... rest) {
  if constexpr (is<W, grad_context_t>)
    f(word);
  else
    with_context_gradient(f, rest...);
}

template <class Scalar, class... Words>
void check_context_gradient(const sizes<3>& expected, const Words&... words) {
  with_context_gradient(
      [&](const auto& word) {
        using D = std::remove_cvref_t<decltype(word.to.get())>;
        static_assert(std::is_same_v<scalar_of<D>, Scalar> && rank_of<D> == 3,
                      "grad_context takes a tensor of the scalar and the axes of the context");
        if (const auto size = shape_of(word.to.get()).size; size != expected)
          fail("Attention", "the gradient of the context has shape ", shape_text(size), ", expected ",
               shape_text(expected));
      },
      words...);
}

/// Writes sums to memory of either layout, or adds them there.
template <class Scalar, class D, class Sums, class Device>
void give_tokens(D& to, const Sums& sums, update mode, const Device& device) {
  const auto write = [&](const auto& given) {
    if (mode == update::accumulate)
      to.device(device) = (to.template cast<accumulator_t<Scalar>>() + given).template cast<Scalar>();
    else
      to.device(device) = given.template cast<Scalar>();
  };
  if constexpr (row_major<D>)
    write(sums);
  else
    write(sums.swap_layout().shuffle(Eigen::array<int, 3>{2, 1, 0}));
}

/// A backward pass: dx, and gradients added to those of the parameters.
template <class Scalar>
class layer_gradients {
  using state_type = attention_state<Scalar>;
  using accumulator = accumulator_t<Scalar>;
  using tokens_type = typename state_type::tokens_type;
  using heads_type = typename state_type::heads_type;
  using wide_type = Eigen::Tensor<accumulator, 3, Eigen::RowMajor>;

  state_type& state_;
  heads_type dq_, dk_, dv_;
  tokens_type dresult_;  // of what attention gives, and of its norm

 public:
  explicit layer_gradients(state_type& state) : state_(state) {}

  template <class Layer, class DY, class X, class... Words>
  tokens_type run(Layer& layer, const DY& dy, const X& x, const Words&... words) {
    check_layer_words<Scalar, X, Words...>();
    static_assert(std::is_same_v<scalar_of<DY>, Scalar> && rank_of<DY> == 3,
                  "dy must have the scalar type and the axes of y");
    const auto& device = device_of(words...);
    const auto& options = layer.options();
    const tokens_in_rows<Scalar> rows(x, device), dy_rows(dy, device);
    std::optional<tokens_in_rows<Scalar>> context;
    read_context(context, x, device, words...);
    const tokens_in_rows<Scalar>& from = context ? *context : rows;
    const index batch = state_.q.dimension(0), queries = state_.q.dimension(1);
    rows.check("x", {batch, queries, options.dim});
    from.check("context", {batch, state_.k.dimension(1), options.dim_context});
    dy_rows.check("dy", {batch, queries, options.dim_out});
    check_context_gradient<Scalar>(from.size, words...);
    layer.check_parameters();
    workspace* const given = workspace_of(words...);
    workspace& memory = given ? *given : state_.memory;

    dresult_.resize(batch, queries, options.heads * options.dim_head);
    if (options.path == kernel::attention_path::fused)
      run_attention_gradient<kernel::attention_path::fused>(layer, dy_rows, memory, device, words...);
    else
      run_attention_gradient<kernel::attention_path::unfused>(layer, dy_rows, memory, device, words...);

    state_.turn(options, dq_, 0, true, device);
    state_.turn(options, dk_, 0, true, device);
    if constexpr (Layer::has_qk_norm) {
      layer.q_norm.backward(dq_, state_.q_before, grad_x(dq_), on(device));
      layer.k_norm.backward(dk_, state_.k_before, grad_x(dk_), on(device));
    }
    return project_back(layer, rows, from, memory, device, words...);
  }

 private:
  /// dq, dk and dv, from dy; and the gradients of what follows attention. All that can be refused is before
  /// the first gradient is written.
  template <kernel::attention_path Path, class Layer, class Device, class... Words>
  void run_attention_gradient(Layer& layer, const tokens_in_rows<Scalar>& dy, workspace& memory,
                              const Device& device, const Words&... words) {
    std::apply(
        [&](const auto&... m) {
          auto plan = plan_attention("Attention", state_.q, state_.k, state_.v, tokens_first);
          const auto chain = make_chain(plan, m...);
          plan.workspace = &memory;
          dq_.resize(state_.q.dimensions());
          dk_.resize(state_.k.dimensions());
          dv_.resize(state_.v.dimensions());
          attention_gradient_run<Scalar, std::remove_const_t<decltype(chain)>> attention(
              plan, chain, read_operand(state_.q));
          const Eigen::TensorMap<const heads_type> dout(dresult_.data(), state_.o.dimensions());
          attention.read(dout, state_.o, state_.lse);
          attention.want_q(dq_, overwrite);
          attention.want_k(dk_, overwrite);
          attention.want_v(dv_, overwrite);
          want_modifiers(attention, plan.function, words...);

          layer.out.backward_to_x(dy.matrix(), dresult_.data(), false, memory, device);
          const Scalar* const result = Layer::has_out_norm ? state_.normed.data() : state_.o.data();
          layer.out.backward_to_parameters(dy.matrix(), result, memory, device);
          if constexpr (Layer::has_out_norm) {
            const Eigen::TensorMap<const tokens_type> flat(state_.o.data(), dresult_.dimensions());
            layer.out_norm.backward(dresult_, flat, grad_x(dresult_), on(device));
          }
          attention.template run<Path>(device);
        },
        modifiers_of(words...));
  }

  /// Back through the first projections.
  template <class Layer, class Device, class... Words>
  tokens_type project_back(Layer& layer, const tokens_in_rows<Scalar>& x, const tokens_in_rows<Scalar>& from,
                           workspace& memory, const Device& device, const Words&... words) {
    const token_matrix<const Scalar> of_q{dq_.data(), x.tokens(), layer.q.out()},
        of_k{dk_.data(), from.tokens(), layer.k.out()}, of_v{dv_.data(), from.tokens(), layer.v.out()};
    layer.q.backward_to_parameters(of_q, x.data, memory, device);
    layer.k.backward_to_parameters(of_k, from.data, memory, device);
    layer.v.backward_to_parameters(of_v, from.data, memory, device);

    // Sums of several products are rounded once.
    wide_type dx(x.size[0], x.size[1], x.size[2]);
    layer.q.backward_to_x(of_q, dx.data(), false, memory, device);
    if constexpr (!has_context<Words...>) {
      layer.k.backward_to_x(of_k, dx.data(), true, memory, device);
      layer.v.backward_to_x(of_v, dx.data(), true, memory, device);
    }
    with_context_gradient(
        [&](const auto& word) {
          wide_type dcontext(from.size[0], from.size[1], from.size[2]);
          layer.k.backward_to_x(of_k, dcontext.data(), false, memory, device);
          layer.v.backward_to_x(of_v, dcontext.data(), true, memory, device);
          give_tokens<Scalar>(word.to.get(), dcontext, word.mode, device);
        },
        words...);
    if constexpr (std::is_same_v<Scalar, accumulator>) {
      return dx;
    } else {
      tokens_type result(dx.dimensions());
      result.device(device) = dx.template cast<Scalar>();
      return result;
    }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
