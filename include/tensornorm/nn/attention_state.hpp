// What a pass through an attention layer keeps, and the steps that both ways take.
#pragma once

#include <algorithm>

#include "../attention/rotary.hpp"
#include "../eigen/attention_expression.hpp"
#include "attention_words.hpp"
#include "key_value_cache.hpp"
#include "linear.hpp"
#include "rotary_table.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// Tokens in row-major memory: where they lie, or in a copy.
template <class Scalar>
class tokens_in_rows {
 public:
  template <class X, class Device>
  tokens_in_rows(const X& x, const Device& device) : size(shape_of(x).size) {
    if constexpr (row_major<X> && plain_tensor<X>) {
      data = x.data();
    } else {
      copy_.resize(size[0], size[1], size[2]);
      if constexpr (row_major<X>)
        copy_.device(device) = x;
      else
        copy_.device(device) = x.swap_layout().shuffle(Eigen::array<int, 3>{2, 1, 0});
      data = copy_.data();
    }
  }
  tokens_in_rows(const tokens_in_rows&) = delete;
  tokens_in_rows& operator=(const tokens_in_rows&) = delete;

  index tokens() const { return size[0] * size[1]; }
  token_matrix<const Scalar> matrix() const { return {data, tokens(), size[2]}; }
  /// These are its sizes.
  void check(const char* name, const sizes<3>& expected) const {
    if (size != expected)
      fail("Attention", name, " has shape ", shape_text(size), ", expected ", shape_text(expected));
  }

  const Scalar* data;
  sizes<3> size;

 private:
  Eigen::Tensor<Scalar, 3, Eigen::RowMajor> copy_;
};

/// Of batch x tokens x heads x dim_head without gaps, seen as batch x heads x tokens x dim_head.
inline sizes<4> heads_step(index tokens, index heads, index dim) {
  return {tokens * heads * dim, dim, heads * dim, 1};
}

template <class Scalar>
struct attention_state {
  using accumulator = accumulator_t<Scalar>;
  using tokens_type = Eigen::Tensor<Scalar, 3, Eigen::RowMajor>;
  using heads_type = Eigen::Tensor<Scalar, 4, Eigen::RowMajor>;

  heads_type q_before, k_before;  // their norms
  heads_type q, k, v, o;
  tokens_type normed;
  Eigen::Tensor<accumulator, 3, Eigen::RowMajor> lse;
  rotary_table<accumulator> angles;
  workspace memory;

  /// to = the tokens times a weight, a head of it in each row of the last axis.
  template <class Linear, class Device>
  static void project(const Linear& linear, const tokens_in_rows<Scalar>& x, index heads, heads_type& to,
                      workspace& memory, const Device& device) {
    to.resize(x.size[0], x.size[1], heads, linear.out() / heads);
    linear.forward(x.matrix(), to.data(), memory, device);
  }

  /// A norm that is const keeps no statistics.
  template <class Norm, class X, class Y, class Device>
  static void normalize(Norm& norm, const X& x, Y& y, const Device& device) {
    y.resize(x.dimensions());
    if constexpr (std::is_const_v<Norm>)
      y.device(device) = norm(x);
    else
      y.device(device) = norm.forward(x);
  }

  /// Rotary position embedding of tokens from position `first` on, or its gradient.
  template <class Options, class Device>
  void turn(const Options& options, heads_type& x, index first, bool back, const Device& device) {
    if (options.rotary == kernel::rotary_pairs::none || x.size() == 0) return;
    const index tokens = x.dimension(1);
    const accumulator* const table =
        angles.rows(first, std::max(tokens, q.dimension(1)), options.rotary_dims, options.rotary_base);
    const kernel::rotary_problem<stored_t<Scalar>> p{
        stored_pointer(x.data()), tokens,         x.dimension(2), x.dimension(3),
        options.rotary_dims,      options.rotary, table,          back};
    const double numbers = static_cast<double>(x.dimension(2) * x.dimension(3));
    run_evenly(x.dimension(0) * tokens,
               Eigen::TensorOpCost(numbers * sizeof(Scalar), numbers * sizeof(Scalar), 2 * numbers), device,
               [&](index begin, index end) { kernel::dispatch<kernel::rotary_kernel>(p, begin, end); });
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
