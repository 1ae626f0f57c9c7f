// From the arguments of a backward pass to its results, with every check on the way.
#pragma once

#include "../attention/backward.hpp"
#include "attention_requests.hpp"
#include "device.hpp"
#include "gradient_memory.hpp"
#include "plan_attention.hpp"
#include "sums_destination.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

// Requests are no part of the chain of modifiers.
template <class Plan, attention_gradient_request R>
not_in_chain read_modifier(Plan&, const R&) {
  return {};
}

/// The axes an argument has, with matrices always two.
template <class X>
constexpr int full_rank = any_tensor<X> ? rank_of<X> : 2;

/// A backward pass whose arguments have been read. Everything is checked before anything runs.
template <class Scalar, class Chain>
class attention_gradient_run {
 public:
  using accumulator = accumulator_t<Scalar>;
  using stored = stored_t<Scalar>;
  using problem = kernel::attention_gradient_problem<stored>;

  attention_gradient_run(const attention_plan<Scalar>& plan, const Chain& chain, operand<Scalar> q)
      : plan_(plan) {
    keep(q);
    if (plan.tokens_before_heads) tokens_behind_heads(q);
    static_cast<kernel::attention_problem<stored>&>(p_) =
        plan.make_problem(chain, q.data, heads_strides_of(q.stride), nullptr, {});
    p_.derivatives = kernel::modifier_gradients<accumulator>(chain);
    touch(plan.k.memory());
    touch(plan.v.memory());
    for (std::size_t n = 0; n < plan.others.count; ++n) touch(plan.others.list[n]);
  }

  template <class DO, class O, class L>
  void read(const DO& dout, const O& o, const L& lse) {
    static_assert(std::is_same_v<scalar_of<DO>, Scalar> && std::is_same_v<scalar_of<O>, Scalar>,
                  "dout and o have the scalar type of q: cast them");
    static_assert(any_tensor<L> && std::is_same_v<scalar_of<L>, accumulator>,
                  "lse is the tensor that save_lse() of the forward call received");
    const kernel::heads_shape& s = plan_.shape;
    const sizes<4> result{s.batch, s.heads, s.queries, s.value_dim};
    const auto of_dout = arranged("dout", dout, result);
    const auto of_o = arranged("o", o, result);
    p_.dout = stored_pointer(of_dout.data);
    p_.dout_strides = heads_strides_of(of_dout.stride);
    p_.result = stored_pointer(of_o.data);
    p_.result_strides = heads_strides_of(of_o.stride);
    const auto of_lse = read_operand(lse);
    const sizes<4> expected{1, s.batch, s.heads, s.queries};
    if (of_lse.size != expected)
      fail(plan_.function, "lse has shape ", operand_text(of_lse.size, rank_of<L>), ", expected ",
           operand_text(expected, std::max(plan_.rank - 1, 1)));
    p_.lse = const_cast<accumulator*>(of_lse.data);  // a backward pass reads it
    p_.lse_strides = {of_lse.stride[1], of_lse.stride[2], of_lse.stride[3], 0};
    keep(of_dout);
    keep(of_o);
    keep(of_lse);
  }

  template <class D>
  void want_q(D& to, update mode) {
    const kernel::heads_shape& s = plan_.shape;
    want("the gradient of q", to, mode, {s.batch, s.heads, s.queries, s.dim}, p_.dq);
  }
  template <class D>
  void want_k(D& to, update mode) {
    want("the gradient of k", to, mode, plan_.k.size, p_.dk);
  }
  template <class D>
  void want_v(D& to, update mode) {
    want("the gradient of v", to, mode, plan_.v.size, p_.dv);
  }
  template <class B, class D>
  void want_bias(const B& bias, D& to, update mode) {
    const auto of_bias = read_operand(bias);
    const auto place = read_operand(to);
    if (place.size != of_bias.size)
      fail(plan_.function, "the gradient of score_bias has shape ", operand_text(place.size, full_rank<D>),
           ", expected that of score_bias, ", operand_text(of_bias.size, full_rank<B>));
    claim("the gradient of score_bias", place.memory());
    bias_shape_ = {place.size[0], place.size[1], place.size[2], place.size[3]};
    bias_.mode = mode;
    bias_.set(place);
  }
  template <class D>
  void want_sinks(D& to, update mode) {
    if (!plan_.sinks) fail(plan_.function, "grad_sinks needs the sinks of the forward call");
    const auto place = read_operand(to);
    const index heads = plan_.shape.heads;
    if (count_of(place.size) != heads || (place.size[3] != heads && place.size[2] != heads))
      fail(plan_.function, "the gradient of sinks has shape ", operand_text(place.size, full_rank<D>),
           ", expected ", heads, ", one for each query head");
    claim("the gradient of sinks", place.memory());
    sinks_.mode = mode;
    sinks_.set(place);
  }

  template <kernel::attention_path Path, class Device>
  void run(const Device& device) const {
    const kernel::heads_shape& s = plan_.shape;
    const double product = 2.0 * double(s.queries) * double(s.keys) * double(s.dim);
    const auto work = kernel::gradient_work_of<Path>(p_);
    run_units_in_memory(work.units, work.memory, 5 * product * double(s.group()), device,
                        [&](index first, index last, accumulator* memory) {
                          kernel::differentiate_attention<Path>(p_, first, last, memory);
                        });
    const index memory_size = kernel::bias_gradient_memory<problem>::size(p_);
    if (bias_.wanted())
      with_sums(bias_shape_.size(), bias_, [&](double* sums) {
        run_units_in_memory(kernel::bias_gradient_units(p_, bias_shape_), memory_size, 2 * product, device,
                            [&](index first, index last, accumulator* memory) {
                              kernel::dispatch<kernel::bias_gradient>(p_, bias_shape_, first, last, sums,
                                                                      memory);
                            });
      });
    if (sinks_.wanted())
      with_sums(s.heads, sinks_, [&](double* sums) {
        run_units_in_memory(s.heads, memory_size, double(s.batch * s.queries * s.value_dim), device,
                            [&](index first, index last, accumulator* memory) {
                              kernel::dispatch<kernel::sink_gradient>(p_, first, last, sums, memory);
                            });
      });
  }

 private:
  template <class D>
  using Scalar_of = scalar_of<std::remove_cvref_t<D>>;

  template <class T>
  void keep(const operand<T>& x) {
    owners_[owners_count_++] = x.owner;
    touch(x.memory());
  }

  /// An argument with these sizes of batch, heads, tokens and dim.
  template <class X>
  operand<scalar_of<X>> arranged(const char* name, const X& x, const sizes<4>& expected) const {
    auto from = read_operand(x);
    sizes<4> in_order = expected;
    if (plan_.tokens_before_heads) std::swap(in_order[1], in_order[2]);
    if (from.size != in_order || full_rank<X> != plan_.rank)
      fail(plan_.function, name, " has shape ", operand_text(from.size, full_rank<X>), ", expected ",
           operand_text(in_order, plan_.rank));
    if (plan_.tokens_before_heads) tokens_behind_heads(from);
    return from;
  }

  template <class D>
  void want(const char* name, D& to, update mode, const sizes<4>& expected,
            kernel::gradient_array<stored>& array) {
    static_assert(std::is_same_v<Scalar_of<D>, Scalar>, "a gradient of q, k or v has their scalar type");
    const auto place = arranged(name, to, expected);
    claim(name, place.memory());
    array = {stored_pointer(const_cast<Scalar*>(place.data)), heads_strides_of(place.stride),
             mode == update::accumulate};
  }

  void touch(const extent& memory) { touched_[touched_count_++] = memory; }
  /// What is written overlaps nothing else.
  void claim(const char* name, const extent& memory) {
    for (std::size_t n = 0; n < touched_count_; ++n)
      if (memory.overlaps(touched_[n]))
        fail(plan_.function, name, " overlaps an argument, or another gradient");
    touch(memory);
  }

  workspace& memory() const { return plan_.workspace ? *plan_.workspace : own_; }

  template <class Work>
  void with_sums(index count, const sums_destination<Scalar>& to, const Work& work) const {
    const workspace::lease lease(memory(), static_cast<std::size_t>(count) * sizeof(double));
    double* const sums = static_cast<double*>(lease.data());
    std::fill_n(sums, count, 0.0);
    work(sums);
    to.write(sums);
  }

  /// work(first, last, memory) for ranges of units, with memory of their own.
  template <class Device, class Work>
  void run_units_in_memory(index units, index numbers, double flops, const Device& device,
                           const Work& work) const {
    if (units == 0) return;
    run_units(
        units, Eigen::TensorOpCost(0, 0, flops, true, 16), device,
        [&](index first, index last) {
          const workspace::lease own(memory(), static_cast<std::size_t>(numbers) * sizeof(accumulator));
          work(first, last, static_cast<accumulator*>(own.data()));
        },
        [](index block) { return block; });
  }

  const attention_plan<Scalar>& plan_;
  problem p_;
  std::array<extent, 32> touched_{};  // what is read, and then what is written
  std::size_t touched_count_ = 0;
  std::array<std::shared_ptr<const void>, 4> owners_;  // of q, dout, o and lse
  std::size_t owners_count_ = 0;
  kernel::bias_shape bias_shape_{};
  sums_destination<Scalar> bias_;
  sums_destination<Scalar> sinks_;
  mutable workspace own_;
};

/// The score_bias of a call.
template <class M>
constexpr bool is_score_bias = false;
template <class B>
constexpr bool is_score_bias<score_bias_t<B>> = true;
template <class F>
void with_score_bias(const F&) {}
template <class F, class M, class... Rest>
void with_score_bias(const F& f, const M& m, const Rest&... rest) {
  if constexpr (is_score_bias<M>)
    f(m.bias);
  else
    with_score_bias(f, rest...);
}

/// Reads requests, runs, and returns what is to be returned.
template <kernel::attention_path Path, class DO, class Q, class K, class V, class O, class L, class... M>
auto make_attention_backward(const char* function, const DO& dout, const Q& q, const K& k, const V& v,
                             const O& o, const L& lse, const M&... words) {
  check_attention_requests<M...>();
  static_assert((std::size_t{0} + ... + std::size_t{attention_modifier<M>}) <= most_modifiers,
                "attention takes at most 16 modifiers");
  auto plan = plan_attention(function, q, k, v, words...);
  const auto chain = make_chain(plan, words...);
  attention_gradient_run<scalar_of<Q>, std::remove_const_t<decltype(chain)>> run(plan, chain,
                                                                                 read_operand(q));
  run.read(dout, o, lse);
  const auto& device = device_of(words...);
  if constexpr (names_attention_gradient<M...>) {
    with_request<grad_q_t>([&](const auto& r) { run.want_q(r.to.get(), r.mode); }, words...);
    with_request<grad_k_t>([&](const auto& r) { run.want_k(r.to.get(), r.mode); }, words...);
    with_request<grad_v_t>([&](const auto& r) { run.want_v(r.to.get(), r.mode); }, words...);
    with_request<grad_sinks_t>([&](const auto& r) { run.want_sinks(r.to.get(), r.mode); }, words...);
    with_request<grad_score_bias_t>(
        [&](const auto& r) {
          bool found = false;
          with_score_bias(
              [&](const auto& bias) {
                found = true;
                run.want_bias(bias, r.to.get(), r.mode);
              },
              words...);
          if (!found) fail(function, "grad_score_bias needs the score_bias of the forward call");
        },
        words...);
    run.template run<Path>(device);
  } else {
    attention_gradients<owned_t<Q>, owned_t<K>, owned_t<V>> result{like(q), like(k), like(v)};
    run.want_q(result.q, overwrite);
    run.want_k(result.k, overwrite);
    run.want_v(result.v, overwrite);
    run.template run<Path>(device);
    return result;
  }
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
