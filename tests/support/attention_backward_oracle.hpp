// The gradients of attention from their formulas alone, in long double, a query at a time:
//
//   p = e^(s - lse)   ds = p (dout v - dout o)   dv = sum p dout   dq = scale sum ds' k   dk = scale sum ds'
//   q
//
// where s is the modified score and ds' is ds times the slope of what modifies a scaled score. o and lse are
// arguments, as they are of the library, with which this shares no code.
#pragma once

#include <array>

#include "attention_oracle.hpp"

namespace tensornorm_test {

/// A gradient in logical order with what its error bound depends on. Rows are those of q, k and v; each
/// element of a bias and each sink is a row by itself.
struct gradient_sums {
  std::size_t row_size = 1;
  std::vector<real> value;
  std::vector<real> terms;     // of each element: the sum of |terms|
  std::vector<real> products;  // of each element: the same of |dout|, |v| and |o| for the products with dout
  std::vector<real> lost;      // of each element: what terms of vanishing weights are, but for the weights
  std::vector<real> score_peak;  // of each row: the largest |score| that its terms come from, or |sink|

  gradient_sums() = default;
  gradient_sums(std::size_t rows, std::size_t size)
      : row_size(size),
        value(rows * size, 0),
        terms(rows * size, 0),
        products(rows * size, 0),
        lost(rows * size, 0),
        score_peak(rows, 0) {}
};

struct attention_backward_reference {
  gradient_sums q, k, v;
  gradient_sums bias;   // of the sizes given for it; without elements if there is none
  gradient_sums sinks;  // one for each head, if there are any
};

/// What a backward pass is given beside q, k and v.
struct attention_backward_given {
  const std::vector<real>& dout;
  const std::vector<real>& o;
  const std::vector<real>& lse;
};

using bias_sizes = std::array<std::ptrdiff_t, 4>;

class attention_backward_oracle : private attention_oracle {
 public:
  attention_backward_oracle(const attention_shape& shape, const std::vector<real>& q,
                            const std::vector<real>& k, const std::vector<real>& v,
                            const attention_policy& policy, const attention_backward_given& given,
                            const bias_sizes& bias)
      : attention_oracle(shape, q, k, v, policy), given_(given), bias_size_(bias) {}

  attention_backward_reference answer() {
    const auto dim = static_cast<std::size_t>(shape_.dim),
               dim_v = static_cast<std::size_t>(shape_.size_of_v());
    const auto biases =
        static_cast<std::size_t>(bias_size_[0] * bias_size_[1] * bias_size_[2] * bias_size_[3]);
    sums_ = {{shape_.rows(), dim},
             {shape_.key_rows(), dim},
             {shape_.key_rows(), dim_v},
             {biases, 1},
             {policy_.sinks.size(), 1}};
    score_index at{};
    for (at.batch = 0; at.batch < shape_.batch; ++at.batch)
      for (at.head = 0; at.head < shape_.heads; ++at.head)
        for (at.query = 0; at.query < shape_.queries; ++at.query) differentiate(at);
    return std::move(sums_);
  }

 private:
  /// Something that is summed, and what its error depends on.
  struct term {
    real value = 0;
    real terms = 0;
    real products = 0;
    real lost = 0;

    term times(real factor, real factor_terms) const {
      return {value * factor, terms * factor_terms, products * factor_terms, lost * factor_terms};
    }
  };

  static void add(gradient_sums& to, std::size_t element, const term& t, real factor) {
    const real size = std::abs(factor);
    to.value[element] += t.value * factor;
    to.terms[element] += t.terms * size;
    to.products[element] += t.products * size;
    to.lost[element] += t.lost * size;
  }
  static void raise(gradient_sums& to, std::size_t row, real peak) {
    to.score_peak[row] = std::max(to.score_peak[row], peak);
  }

  std::size_t key_row(const score_index& at) const {
    const std::ptrdiff_t group = shape_.heads / shape_.heads_of_keys();
    return static_cast<std::size_t>((at.batch * shape_.heads_of_keys() + at.head / group) * shape_.keys +
                                    at.key);
  }

  std::size_t bias_element(const score_index& at) const {
    const std::array<std::ptrdiff_t, 4> index{at.batch, at.head, at.query, at.key};
    std::ptrdiff_t element = 0;
    for (std::size_t axis = 0; axis < 4; ++axis)
      element = element * bias_size_[axis] + (bias_size_[axis] == 1 ? 0 : index[axis]);
    return static_cast<std::size_t>(element);
  }

  /// The product of a row of dout with another, and of their magnitudes.
  product with_dout(const score_index& at, const real* other) const {
    const std::ptrdiff_t size = shape_.size_of_v();
    const real* dout = given_.dout.data() + query_row(at) * size;
    product sum;
    for (std::ptrdiff_t d = 0; d < size; ++d) {
      sum.value += dout[d] * other[d];
      sum.terms += std::abs(dout[d] * other[d]);
    }
    return sum;
  }

  /// A factor, and the sum of |terms| that it is made of.
  struct slope {
    real value = 1;
    real terms = 1;
  };

  /// What the slope of softcap and those of own modifiers make of ds.
  struct slopes {
    slope cap;
    slope own;
  };
  slopes slopes_at(real s, real added, const score_index& at) const {
    slopes result;
    if (policy_.softcap > 0) {
      const real t = std::tanh(s / policy_.softcap);
      result.cap = {(1 - t) * (1 + t), 1 + t * t};
      s = policy_.softcap * t;
    }
    s += added;
    for (std::size_t n = 0; n < policy_.own.size(); ++n) {
      const real by = policy_.own_slope[n](s, at);
      result.own = {result.own.value * by, result.own.terms * std::abs(by)};
      s = policy_.own[n](s, at);
    }
    return result;
  }

  static real vanishes(real p) { return p < std::ldexp(real{1}, -100) ? 1 : 0; }

  void differentiate(score_index at) {
    const auto row = static_cast<std::size_t>(query_row(at));
    const real lse = given_.lse[row];
    if (lse == -infinity) return;
    const product delta = with_dout(at, given_.o.data() + query_row(at) * shape_.size_of_v());
    real peak = 0;
    std::vector<scored_key> seen;
    for (at.key = 0; at.key < shape_.keys; ++at.key) {
      if (!sees(at)) continue;
      peaks scores;
      const real s = score(at, scores);
      if (s == -infinity) continue;
      seen.push_back({at.key, s});
      peak = std::max(peak, scores.score);
    }
    if (!policy_.sinks.empty()) {
      const auto head = static_cast<std::size_t>(at.head);
      const real sink = policy_.sinks[head];
      if (std::isfinite(sink)) peak = std::max(peak, std::abs(sink));
      const real p = std::exp(sink - lse);
      add(sums_.sinks, head,
          {p * delta.value, p * std::abs(delta.value), p * delta.terms, vanishes(p) * std::abs(delta.value)},
          -1);
      raise(sums_.sinks, head, peak);
    }
    raise(sums_.q, row, peak);
    for (const scored_key& key : seen) {
      at.key = key.key;
      meet(at, std::exp(key.score - lse), delta, peak);
    }
  }

  /// A query and a key that it sees with weight p.
  void meet(const score_index& at, real p, const product& delta, real peak) {
    const product dp = with_dout(at, row_of(v_, at, shape_.size_of_v()));
    const real size = std::abs(dp.value) + std::abs(delta.value);
    const term after{p * (dp.value - delta.value), p * size, p * (dp.terms + delta.terms),
                     vanishes(p) * size};
    const real added = bias(at);
    const slopes by =
        slopes_at(policy_.softcap > 0 || !policy_.own.empty() ? scaled(at).value : 0, added, at);
    const term ds = after.times(by.own.value, by.own.terms);
    if (bias_size_[0] > 0) {
      add(sums_.bias, bias_element(at), ds, 1);
      raise(sums_.bias, bias_element(at), peak);
    }
    spread(at, ds.times(by.cap.value, by.cap.terms), p, peak);
  }

  /// Into dq, dk and dv.
  void spread(const score_index& at, const term& ds, real p, real peak) {
    const auto row = static_cast<std::size_t>(query_row(at));
    const std::size_t key = key_row(at);
    const auto dim = static_cast<std::size_t>(shape_.dim),
               dim_v = static_cast<std::size_t>(shape_.size_of_v());
    const real scale = 1 / std::sqrt(static_cast<real>(shape_.dim));
    for (std::size_t d = 0; d < dim; ++d) {
      add(sums_.q, row * dim + d, ds, scale * k_[key * dim + d]);
      add(sums_.k, key * dim + d, ds, scale * q_[row * dim + d]);
    }
    for (std::size_t d = 0; d < dim_v; ++d)
      add(sums_.v, key * dim_v + d, {p, p, 0, vanishes(p)}, given_.dout[row * dim_v + d]);
    raise(sums_.k, key, peak);
    raise(sums_.v, key, peak);
  }

  const attention_backward_given& given_;
  const bias_sizes bias_size_;
  attention_backward_reference sums_;
};

/// The gradients of attention; everything in logical order, and the numbers that the library is given. The
/// gradient of the bias is summed over the axes in which its size is 1; sizes of 0 leave it out.
inline attention_backward_reference reference_attention_backward(
    const attention_shape& shape, const std::vector<real>& q, const std::vector<real>& k,
    const std::vector<real>& v, const attention_policy& policy, const attention_backward_given& given,
    const bias_sizes& bias = {0, 0, 0, 0}) {
  return attention_backward_oracle(shape, q, k, v, policy, given, bias).answer();
}

}  // namespace tensornorm_test
