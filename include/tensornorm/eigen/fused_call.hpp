// A norm with what is fused before and after it: piece by piece, so that each step finds in the cache what
// the one before it left there.
#pragma once

#include <array>
#include <memory>
#include <new>

#include "../norm/after.hpp"
#include "expression.hpp"
#include "residual.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// Memory for a piece, on the stack unless a row alone is larger.
template <class T>
class piece_buffer {
 public:
  explicit piece_buffer(index count) {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    if (bytes > sizeof(own_)) more_.reset(static_cast<T*>(::operator new(bytes, std::align_val_t(64))));
    data_ = more_ ? more_.get() : reinterpret_cast<T*>(own_);
  }
  T* data() const { return data_; }

 private:
  struct release {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  alignas(64) std::byte own_[std::size_t{32} << 10];
  std::unique_ptr<T, release> more_;
  T* data_;
};

/// The arrays that a fused norm reads, by piece.
template <class Call, class Sum>
class fused_reader {
 public:
  using scalar = typename Call::scalar;
  using stored = stored_t<scalar>;
  static constexpr bool has_sum = !std::is_same_v<Sum, no_sum<typename Call::source>>;

  fused_reader(const Call& call, const Sum& sum, const scalar* x, bool past_cache)
      : x_(stored_pointer(x)), x_strides_(call.plan.strides(call.plan.shape.stride)) {
    if constexpr (has_sum)
      sum_ = {stored_pointer(sum.skip_data),
              stored_pointer(sum.s_data),
              call.plan.strides(sum.skip.stride),
              call.plan.strides(sum.s.stride),
              past_cache && sum.s_data != x && sum.s_data != sum.skip_data,
              sum.alpha};
  }

  /// How the rows are taken for results of `bytes` for each number, with these strides.
  template <class P>
  kernel::pieces pieces(const P& p, std::size_t bytes, const kernel::rows_strides& y) const {
    if constexpr (has_sum)
      return {p, bytes, {sum_.s_strides, x_strides_, sum_.skip_strides, y}};
    else
      return {p, bytes, {x_strides_, y}};
  }
  /// The numbers of work memory that read() needs.
  index work_size(const kernel::pieces& all) const {
    if constexpr (has_sum)
      return sum_.past_cache ? all.work_size() : 0;
    else
      return 0;
  }

  /// What the norm reads of a piece; a sum is worked out first.
  kernel::piece_memory<const stored> read(const kernel::pieces& all, const kernel::piece& at,
                                          stored* work) const {
    const auto x = all.memory(x_, x_strides_, at);
    if constexpr (has_sum) {
      kernel::residual_piece<stored> p{x,
                                       all.memory(sum_.skip, sum_.skip_strides, at),
                                       all.memory(sum_.s, sum_.s_strides, at),
                                       {},
                                       sum_.alpha};
      const bool dense = all.run_step(p.x) == 1 && all.run_step(p.skip) == 1 && all.run_step(p.s) == 1;
      if (sum_.past_cache && dense) p.kept = all.work(work);
      kernel::dispatch<kernel::add_residual>(all, at, p);
      const auto& from = p.kept.data ? p.kept : p.s;
      return {from.data, from.row, from.block, from.element};
    } else {
      return x;
    }
  }

  /// What will be read next, if it lies behind this.
  const stored* ahead(const kernel::pieces& all, const kernel::piece& at) const {
    return all.memory(x_, x_strides_, at).data + (all.along() ? all.work_size() : 0);
  }

 private:
  struct residual_arrays {
    const stored* skip;
    stored* s;
    kernel::rows_strides skip_strides;
    kernel::rows_strides s_strides;
    bool past_cache;
    accumulator_t<scalar> alpha;
  };
  struct nothing {};

  const stored* x_;
  kernel::rows_strides x_strides_;
  std::conditional_t<has_sum, residual_arrays, nothing> sum_{};
};

/// Runs a norm piece by piece. output.memory(all, at, work) is where it leaves a piece, and
/// output.finish(all, at, memory) what follows.
template <class Call, class Sum, class Output, class Device>
void run_pieces(const Call& call, const Sum& sum, const typename Call::scalar* x, bool past_cache,
                const Output& output, const Device& device) {
  using result = typename Output::result;
  using reader_type = fused_reader<Call, Sum>;
  auto p = call.template make_problem<result>(x);
  if (p.rows.rows() == 0) return;
  p.past_cache = past_cache && !Output::has_work;
  const reader_type reader(call, sum, x, past_cache);
  const auto all = reader.pieces(p, sizeof(result), output.strides);
  const double bytes = static_cast<double>(all.work_size()) * sizeof(typename Call::scalar);
  const Eigen::TensorOpCost cost(bytes * (reader.has_sum ? 2 : 1), bytes, bytes);
  run_evenly(all.size(), cost, device, [&](index first, index last) {
    const piece_buffer<result> results(output.has_work ? all.work_size() : 0);
    const piece_buffer<typename reader_type::stored> sums(reader.work_size(all));
    for (index n = first; n < last; ++n) {
      const auto at = all.at(n);
      const auto from = reader.read(all, at, sums.data());
      const auto to = output.memory(all, at, results.data());
      const auto part = all.problem(p, at, from, to);
      kernel::normalize<typename Call::formula>(part, 0, kernel::norm_units(part));
      output.finish(all, at, to, reader.ahead(all, at));
    }
    if (past_cache) kernel::stream_fence();
  });
}

/// y, written by the norm itself.
template <class T>
struct plain_output {
  using result = T;
  static constexpr bool has_work = false;
  T* y;
  kernel::rows_strides strides;

  kernel::piece_memory<T> memory(const kernel::pieces& all, const kernel::piece& at, T*) const {
    return all.memory(y, strides, at);
  }
  void finish(const kernel::pieces&, const kernel::piece&, const kernel::piece_memory<T>&, const T*) const {}
};

/// y = chain(norm).
template <class T, class Chain>
struct chain_output {
  using result = kernel::compute_t<T>;
  static constexpr bool has_work = true;
  T* y;
  kernel::rows_strides strides;
  Chain chain;
  bool past_cache;

  kernel::piece_memory<result> memory(const kernel::pieces& all, const kernel::piece&, result* work) const {
    return all.work(work);
  }
  void finish(const kernel::pieces& all, const kernel::piece& at, const kernel::piece_memory<result>& work,
              const T* ahead) const {
    const kernel::write_mode mode{past_cache, reinterpret_cast<const char*>(ahead), sizeof(T)};
    kernel::dispatch<kernel::write_after>(all, at, chain, work, all.memory(y, strides, at), mode);
  }
};

/// Nothing after a norm.
struct nothing_after {
  kernel::unchanged kernel() const { return {}; }
  bool overlaps(const extent&) const { return false; }
};
/// First, then Step: each makes a step for the kernel, and knows the memory that it reads.
template <class First, class Step>
struct then_after {
  First first;
  Step step;

  auto kernel() const {
    return kernel::chained<decltype(first.kernel()), decltype(step.kernel())>{first.kernel(), step.kernel()};
  }
  bool overlaps(const extent& y) const { return first.overlaps(y) || step.overlaps(y); }
};

/// A norm with a residual before it, functions after it, or both.
template <class Call, class Sum, class After>
struct fused_call : Call {
  using typename Call::scalar;
  Sum sum;
  After after;

  template <class Device>
  void run(const scalar* x, scalar* y, const kernel::rows_strides& y_strides, const Device& device) const {
    using stored = stored_t<scalar>;
    const bool past_cache = kernel::has_stream && y != x && !sum.reads(y) && passes_cache(sizeof(scalar));
    if constexpr (std::is_same_v<After, nothing_after>) {
      const plain_output<stored> output{stored_pointer(y), y_strides};
      run_pieces(static_cast<const Call&>(*this), sum, x, past_cache, output, device);
    } else {
      const auto chain = after.kernel();
      const chain_output<stored, std::remove_const_t<decltype(chain)>> output{stored_pointer(y), y_strides,
                                                                              chain, past_cache};
      run_pieces(static_cast<const Call&>(*this), sum, x, past_cache, output, device);
    }
  }

  /// Results of so many bytes for each number are larger than the cache.
  bool passes_cache(std::size_t bytes) const {
    return static_cast<std::size_t>(count_of(this->plan.shape.size)) * bytes > kernel::past_cache_bytes;
  }

  template <class Y>
  void check_memory(const placed<rank_of<typename Call::source>>& x, const Y& y) const {
    Call::check_memory(x, y);
    sum.check_memory(this->plan.function, y);
    check_after("y", y.memory);
  }
  void check_after(const char* name, const extent& to) const {
    if (after.overlaps(to)) fail(this->plan.function, name, " overlaps a parameter of what follows the norm");
  }
};

/// A call as one that things are fused with.
template <class Call>
auto fused(const Call& call) {
  return fused_call<Call, no_sum<typename Call::source>, nothing_after>{call, {}, {}};
}
template <class Call, class Sum, class After>
const fused_call<Call, Sum, After>& fused(const fused_call<Call, Sum, After>& call) {
  return call;
}

/// The call with a step more at its end.
template <class Call, class Sum, class After, class Step>
auto with_step(const fused_call<Call, Sum, After>& call, Step step) {
  return fused_call<Call, Sum, then_after<After, Step>>{
      static_cast<const Call&>(call), call.sum, {call.after, std::move(step)}};
}

/// What makes an expression that of a norm: its call, and its x.
template <class E>
struct norm_expression_parts {
  static constexpr bool is_norm = false;
};
template <class Call, class X>
struct norm_expression_parts<Eigen::TensorCustomUnaryOp<const tensor_norm<Call>, const X>> {
  static constexpr bool is_norm = true;
  template <class E>
  static const Call& call(const E& e) {
    return e.func().call;
  }
  template <class E>
  static const auto& x(const E& e) {
    return e.expression();
  }
};
template <class Call, class X>
struct norm_expression_parts<matrix_norm<Call, X>> {
  static constexpr bool is_norm = true;
  static const Call& call(const matrix_norm<Call, X>& e) { return e.call(); }
  static const X& x(const matrix_norm<Call, X>& e) { return e.x(); }
};
template <class E>
concept norm_expression = norm_expression_parts<E>::is_norm;

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
