// Attention from its formula alone, in long double: softmax(scale q kT, modified) v, a query at a time.
// Shares no code with the library, and is written to be read rather than to be fast.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <ostream>
#include <vector>

#include "scalar.hpp"

namespace tensornorm_test {

/// The sizes of an attention. q is batch x heads x queries x dim, k batch x key heads x keys x dim and
/// v batch x key heads x keys x v's head size, each in logical order.
struct attention_shape {
  std::ptrdiff_t batch = 1;
  std::ptrdiff_t heads = 1;
  std::ptrdiff_t queries = 1;
  std::ptrdiff_t keys = 1;
  std::ptrdiff_t dim = 1;
  std::ptrdiff_t key_heads = 0;  // 0: as many as heads
  std::ptrdiff_t dim_v = 0;      // 0: dim

  std::ptrdiff_t heads_of_keys() const { return key_heads == 0 ? heads : key_heads; }
  std::ptrdiff_t size_of_v() const { return dim_v == 0 ? dim : dim_v; }

  std::size_t rows() const { return static_cast<std::size_t>(batch * heads * queries); }
  std::size_t key_rows() const { return static_cast<std::size_t>(batch * heads_of_keys() * keys); }
  std::size_t q_count() const { return rows() * static_cast<std::size_t>(dim); }
  std::size_t k_count() const { return key_rows() * static_cast<std::size_t>(dim); }
  std::size_t v_count() const { return key_rows() * static_cast<std::size_t>(size_of_v()); }
  std::size_t o_count() const { return rows() * static_cast<std::size_t>(size_of_v()); }
};

inline std::ostream& operator<<(std::ostream& out, const attention_shape& s) {
  return out << "batch " << s.batch << ", heads " << s.heads << " of " << s.heads_of_keys() << ", "
             << s.queries << " queries, " << s.keys << " keys, head sizes " << s.dim << " and "
             << s.size_of_v();
}

/// Which score is meant.
struct score_index {
  std::ptrdiff_t batch;
  std::ptrdiff_t head;
  std::ptrdiff_t query;
  std::ptrdiff_t key;
};

/// What happens to the scores, in the order of the fields. Whatever is empty does not happen.
struct attention_policy {
  real softcap = 0;                                                      // s = cap tanh(s / cap)
  std::vector<std::function<real(const score_index&)>> bias;             // each is added
  std::vector<std::function<real(real, const score_index&)>> own;        // each changes the score
  std::vector<std::function<real(real, const score_index&)>> own_slope;  // their derivatives, for gradients
  std::vector<std::function<bool(const score_index&)>> keep;             // a key is seen if all hold
  std::vector<std::ptrdiff_t> key_lengths;                               // of each batch element
  std::vector<real> sinks;                                               // of each query head
};

/// An attention in logical order, with what its error bound depends on.
struct attention_reference {
  std::size_t dim_v = 0;
  std::vector<real> o;
  std::vector<real> o_terms;     // of each element of o: the same sum of |v|
  std::vector<real> lse;         // of each query
  std::vector<real> score_peak;  // of each query: the largest |score| of a key it sees, or |sink|
  std::vector<real> term_peak;   // of each query: the same of sums of |q k|, and of the sink
  std::vector<real> o_peak;      // of each query: its largest |o|
  std::vector<real> v_sum;       // of each query: the largest sum of |v| over the keys it sees
};

/// A key that a query sees, and its score.
struct scored_key {
  std::ptrdiff_t key;
  real score;
};

class attention_oracle {
 public:
  attention_oracle(const attention_shape& shape, const std::vector<real>& q, const std::vector<real>& k,
                   const std::vector<real>& v, const attention_policy& policy)
      : shape_(shape), q_(q), k_(k), v_(v), policy_(policy) {}

  attention_reference answer() {
    result_.dim_v = static_cast<std::size_t>(shape_.size_of_v());
    result_.o.assign(shape_.o_count(), 0);
    result_.o_terms.assign(shape_.o_count(), 0);
    score_index at{};
    for (at.batch = 0; at.batch < shape_.batch; ++at.batch)
      for (at.head = 0; at.head < shape_.heads; ++at.head)
        for (at.query = 0; at.query < shape_.queries; ++at.query) attend(at);
    return std::move(result_);
  }

 protected:
  static constexpr real infinity = std::numeric_limits<real>::infinity();

  const real* row_of(const std::vector<real>& keys, const score_index& at, std::ptrdiff_t size) const {
    const std::ptrdiff_t group = shape_.heads / shape_.heads_of_keys();
    const std::ptrdiff_t head = at.batch * shape_.heads_of_keys() + at.head / group;
    return keys.data() + (head * shape_.keys + at.key) * size;
  }

  std::ptrdiff_t query_row(const score_index& at) const {
    return (at.batch * shape_.heads + at.head) * shape_.queries + at.query;
  }

  bool sees(const score_index& at) const {
    if (!policy_.key_lengths.empty() && at.key >= policy_.key_lengths[static_cast<std::size_t>(at.batch)])
      return false;
    return std::ranges::all_of(policy_.keep, [&](const auto& keep) { return keep(at); });
  }

  /// What the biases add; -inf hides the key, whatever its score would be.
  real bias(const score_index& at) const {
    real sum = 0;
    for (const auto& bias : policy_.bias) sum += bias(at);
    return sum;
  }

  /// scale q k, and the same of |q| and |k|.
  struct product {
    real value = 0;
    real terms = 0;
  };

  product scaled(const score_index& at) const {
    const real* q = q_.data() + query_row(at) * shape_.dim;
    const real* k = row_of(k_, at, shape_.dim);
    product s;
    for (std::ptrdiff_t d = 0; d < shape_.dim; ++d) {
      s.value += q[d] * k[d];
      s.terms += std::abs(q[d] * k[d]);
    }
    const real root = std::sqrt(static_cast<real>(shape_.dim));
    return {s.value / root, s.terms / root};
  }

  /// What becomes of a scaled score.
  real modified(real s, real added, const score_index& at) const {
    if (policy_.softcap > 0) s = policy_.softcap * std::tanh(s / policy_.softcap);
    s += added;
    for (const auto& own : policy_.own) s = own(s, at);
    return s;
  }

  /// The largest magnitudes among the scores of a query, and among scores of its |q| and |k|.
  struct peaks {
    real score = 0;
    real terms = 0;
  };

  /// The modified score.
  real score(const score_index& at, peaks& peak) const {
    const real added = bias(at);
    if (added == -infinity) return added;
    const product raw = scaled(at);
    const real s = modified(raw.value, added, at);
    if (s == -infinity) return s;
    peak.score = std::max({peak.score, std::abs(raw.value), std::abs(s)});
    peak.terms = std::max({peak.terms, raw.terms, std::abs(s)});
    return s;
  }

  const attention_shape& shape_;
  const std::vector<real>& q_;
  const std::vector<real>& k_;
  const std::vector<real>& v_;
  const attention_policy& policy_;

 private:
  void attend(score_index at) {
    std::vector<scored_key> seen;
    peaks peak;
    real highest = -infinity;
    bool has_nan = false;
    for (at.key = 0; at.key < shape_.keys; ++at.key) {
      if (!sees(at)) continue;
      const real s = score(at, peak);
      if (s == -infinity) continue;
      seen.push_back({at.key, s});
      highest = std::max(highest, s);
      has_nan = has_nan || std::isnan(s);
    }
    const real sink = policy_.sinks.empty() ? -infinity : policy_.sinks[static_cast<std::size_t>(at.head)];
    if (std::isfinite(sink)) {
      peak.score = std::max(peak.score, std::abs(sink));
      peak.terms = std::max(peak.terms, std::abs(sink));
    }
    highest = has_nan ? std::numeric_limits<real>::quiet_NaN() : std::max(highest, sink);
    result_.score_peak.push_back(peak.score);
    result_.term_peak.push_back(peak.terms);
    weigh(at, seen, highest, sink);
  }

  void weigh(score_index at, const std::vector<scored_key>& seen, real highest, real sink) {
    if (highest == -infinity) {
      result_.lse.push_back(-infinity);
      result_.o_peak.push_back(0);
      result_.v_sum.push_back(0);
      return;
    }
    const std::ptrdiff_t size = shape_.size_of_v();
    real* o = result_.o.data() + query_row(at) * size;
    real* terms = result_.o_terms.data() + query_row(at) * size;
    std::vector<real> sum(static_cast<std::size_t>(size), 0);
    real denominator = sink == -infinity ? 0 : std::exp(sink - highest);
    for (const scored_key& key : seen) {
      const real weight = std::exp(key.score - highest);
      denominator += weight;
      at.key = key.key;
      const real* v = row_of(v_, at, size);
      for (std::ptrdiff_t d = 0; d < size; ++d) {
        o[d] += weight * v[d];
        terms[d] += weight * std::abs(v[d]);
        sum[static_cast<std::size_t>(d)] += std::abs(v[d]);
      }
    }
    real peak = 0;
    for (std::ptrdiff_t d = 0; d < size; ++d) {
      o[d] /= denominator;
      terms[d] /= denominator;
      peak = std::max(peak, std::abs(o[d]));
    }
    result_.o_peak.push_back(peak);
    result_.v_sum.push_back(size == 0 ? 0 : std::ranges::max(sum));
    result_.lse.push_back(highest + std::log(denominator));
  }

  attention_reference result_;
};

/// Attention of q, k and v in logical order, which are the numbers that the library is given.
inline attention_reference reference_attention(const attention_shape& shape, const std::vector<real>& q,
                                               const std::vector<real>& k, const std::vector<real>& v,
                                               const attention_policy& policy = {}) {
  return attention_oracle(shape, q, k, v, policy).answer();
}

}  // namespace tensornorm_test
