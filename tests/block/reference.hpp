// The attention layer from its formulas alone, in long double, with the bounds that its steps promise. Shares
// no code with the library.
#pragma once

#include <optional>

#include "../support/attention_oracle.hpp"
#include "../support/uncertain.hpp"
#include "block.hpp"

namespace tensornorm_test {

struct block_reference {
  std::vector<real> y;
  std::vector<real> bound;      // of the whole layer
  std::vector<real> attention;  // of attention and what follows: what two paths may differ by, each
};

inline std::optional<formula> formula_of(const tn::none_t&) { return {}; }
template <class S, class P>
std::optional<formula> formula_of(const tn::RmsNorm<S, P>& n) {
  return formula{norm::rms, n.options().eps};
}
template <class S, class P>
std::optional<formula> formula_of(const tn::SimpleNorm<S, P>& n) {
  return formula{norm::simple, n.options().eps};
}
template <class S, class P>
std::optional<formula> formula_of(const tn::LayerNorm<S, P>& n) {
  return formula{norm::layer, n.options().eps, static_cast<int>(n.options().correction)};
}

/// Rows of channels, one for each token of the batch, after another.
using uncertain_rows = std::vector<uncertain>;

template <class T, class Layer>
class block_oracle {
 public:
  block_oracle(const Layer& layer, const block_case& c, const attention_policy& policy)
      : layer_(layer), c_(c), policy_(policy), dim_(c.dim_head ? c.dim_head : 4) {}

  block_reference answer(const tokens<T>& x, const tokens<T>& context) const {
    const auto from = exactly(c_.has_context ? context : x);
    const auto head = [&](const auto& norm, const uncertain_rows& rows, index_nn tokens, index_nn heads) {
      return turned(normed(norm, rows, dim_), tokens, heads);
    };
    const auto q = head(layer_.q_norm, projected(layer_.q, exactly(x)), c_.tokens, c_.heads);
    const auto k = head(layer_.k_norm, projected(layer_.k, from), c_.keys(), c_.key_heads);
    const attended_rows o = attended(q, k, projected(layer_.v, from));
    const auto after = [&](const uncertain_rows& rows) {
      return projected(layer_.out, normed(layer_.out_norm, rows, c_.heads * dim_));
    };
    block_reference result;
    for (const uncertain& y : after(o.all)) {
      result.y.push_back(y.value);
      result.bound.push_back(y.error);
    }
    for (const uncertain& y : after(o.own)) result.attention.push_back(y.error);
    return result;
  }

 private:
  using A = tn::accumulator_t<T>;
  struct attended_rows {
    uncertain_rows all, own;  // with all errors, and with those of attention alone
  };

  static uncertain_rows exactly(const tokens<T>& x) {
    uncertain_rows rows;
    for (const T value : elements_of(x)) rows.push_back({widen(value), 0});
    return rows;
  }

  template <class Linear>
  static uncertain_rows projected(const Linear& linear, const uncertain_rows& x) {
    const index_nn in = linear.weight.dimension(1), out = linear.weight.dimension(0);
    uncertain_rows y;
    for (std::size_t row = 0; row < x.size(); row += at(in))
      for (index_nn o = 0; o < out; ++o)
        y.push_back(uncertain_projection<A>(
                        linear.bias.size() ? widen(linear.bias(o)) : 0, in,
                        [&](index_nn i) { return widen(linear.weight(o, i)); },
                        [&](index_nn i) { return x[row + at(i)]; })
                        .template stored<T>());
    return y;
  }

  template <class Norm>
  static uncertain_rows normed(const Norm& norm, const uncertain_rows& x, index_nn dim) {
    const auto f = formula_of(norm);
    if (!f) return x;
    std::vector<real> weight, bias;
    if constexpr (requires { norm.weight; }) weight = widen(elements_of(norm.weight));
    if constexpr (requires { norm.bias; }) bias = widen(elements_of(norm.bias));
    uncertain_rows y;
    for (auto row = x.begin(); row != x.end(); row += dim)
      for (const uncertain& u : uncertain_norm<T>(*f, {row, row + dim}, weight, bias)) y.push_back(u);
    return y;
  }

  uncertain_rows turned(uncertain_rows x, index_nn tokens, index_nn heads) const {
    if (c_.turns == turning::none) return x;
    const bool interleaved = c_.turns == turning::interleaved || c_.turns == turning::first_interleaved;
    const bool all = c_.turns == turning::interleaved || c_.turns == turning::halves;
    const index_nn dims = all ? dim_ : c_.dim_head ? 4 : 2;
    for (std::size_t row = 0; row < x.size() / at(dim_); ++row) {
      const auto position = static_cast<real>(row / at(heads) % at(tokens));
      for (index_nn i = 0; i < dims / 2; ++i) {
        uncertain& a = x[row * at(dim_) + at(interleaved ? 2 * i : i)];
        uncertain& b = x[row * at(dim_) + at(interleaved ? 2 * i + 1 : i + dims / 2)];
        const real frequency = 1 / std::pow(real{20}, static_cast<real>(2 * i) / static_cast<real>(dims));
        const auto pair = uncertain_turn<A>(a, b, position, frequency);
        a = pair.first.template stored<T>();
        b = pair.second.template stored<T>();
      }
    }
    return x;
  }

  uncertain score(const score_index& i, const uncertain* q, const uncertain* k) const {
    const real scale = 1 / std::sqrt(static_cast<real>(dim_));
    uncertain s;
    for (index_nn d = 0; d < dim_; ++d) {
      s.value += scale * q[d].value * k[d].value;
      s.error += scale * (std::abs(q[d].value) * k[d].error + q[d].error * k[d].reach());
    }
    if (policy_.softcap > 0) s.value = policy_.softcap * std::tanh(s.value / policy_.softcap);
    for (const auto& bias : policy_.bias) s.value += bias(i);
    const bool is_there = policy_.key_lengths.empty() || i.key < policy_.key_lengths[at(i.batch)];
    if (!is_there || !std::ranges::all_of(policy_.keep, [&](const auto& keep) { return keep(i); }))
      s.value = -std::numeric_limits<real>::infinity();
    return s;
  }

  attended_rows attended(const uncertain_rows& q, const uncertain_rows& k, const uncertain_rows& v) const {
    attended_rows o;
    score_index i{};
    for (i.batch = 0; i.batch < c_.batch; ++i.batch)
      for (i.query = 0; i.query < c_.tokens; ++i.query)
        for (i.head = 0; i.head < c_.heads; ++i.head) {
          const auto of_key = [&](const uncertain_rows& rows, index_nn key) {
            const index_nn key_head = i.head / (c_.heads / c_.key_heads);
            return &rows[at(((i.batch * c_.keys() + key) * c_.key_heads + key_head) * dim_)];
          };
          const uncertain* const query = &q[at(((i.batch * c_.tokens + i.query) * c_.heads + i.head) * dim_)];
          const attended_row row = uncertain_attention<A>(
              c_.keys(), dim_,
              [&](index_nn key) {
                i.key = key;
                return score(i, query, of_key(k, key));
              },
              [&](index_nn key, index_nn d) { return of_key(v, key)[d]; });
          for (const uncertain& u : row.moved) {
            o.all.push_back(uncertain{u.value, u.error + row.own}.template stored<T>());
            o.own.push_back(uncertain{u.value, row.own}.template stored<T>());
          }
        }
    return o;
  }

  const Layer& layer_;
  const block_case& c_;
  const attention_policy& policy_;
  const index_nn dim_;
};

template <class Layer, class T>
block_reference reference_block(const Layer& layer, const block_case& c, const block_data<T>& data,
                                const attention_policy& policy = {}) {
  return block_oracle<T, Layer>(layer, c, policy).answer(data.x, data.context);
}

/// How many times its bound the worst element is away.
template <class T>
real worst_of_bounds(const tokens<T>& y, const block_reference& expected) {
  if (y.size() != static_cast<index_nn>(expected.y.size())) return std::numeric_limits<real>::infinity();
  real worst = 0;
  for (std::size_t i = 0; i < expected.y.size(); ++i) {
    const real error = std::abs(widen(y.data()[i]) - expected.y[i]);
    if (!(error <= worst * expected.bound[i])) worst = error / expected.bound[i];  // a NaN stays
  }
  return worst;
}

/// What two paths may differ by: each is within its own bound.
template <class T>
testing::AssertionResult paths_agree(const tokens<T>& y, const tokens<T>& z,
                                     const block_reference& expected) {
  for (std::size_t i = 0; i < expected.y.size(); ++i) {
    const real distance = std::abs(widen(y.data()[i]) - widen(z.data()[i]));
    if (!(distance <= 2 * expected.attention[i]))
      return testing::AssertionFailure() << "element " << i << " differs by " << distance
                                         << ", more than twice " << expected.attention[i];
  }
  return testing::AssertionSuccess();
}

}  // namespace tensornorm_test
