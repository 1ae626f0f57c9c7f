// Attention as a good Eigen user writes it: head by head with Eigen's own products, into one matrix of
// scores.
#pragma once

#include <cmath>

#include "operands.hpp"

namespace bench {

template <class Scalar>
using row_major = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Softmax of each row over the keys that its query sees. What it does not see is left as it was.
template <class Scalar>
void softmax_rows(row_major<Scalar>& scores, seen which) {
  const index keys = scores.cols();
  for (index i = 0; i < scores.rows(); ++i) {
    const index visible = which == seen::causal ? i + 1 : keys;
    auto row = scores.row(i).head(visible).array();
    row = (row - row.maxCoeff()).exp();
    row *= 1 / row.sum();
  }
}

/// o = softmax(q·kᵀ / √dim)·v of one head. All of one scalar type, float or double. With causal there are as
/// many queries as keys: Eigen's product with a triangle is worth it, while that into a triangle is not.
template <class Q, class K, class V, class O>
void eigen_head(const Q& q, const K& k, const V& v, O&& o, row_major<typename Q::Scalar>& scores,
                seen which) {
  using scalar = typename Q::Scalar;
  const scalar scale = 1 / std::sqrt(static_cast<scalar>(q.cols()));
  scores.noalias() = (scale * q) * k.transpose();
  softmax_rows(scores, which);
  if (which == seen::causal)
    o.noalias() = scores.template triangularView<Eigen::Lower>() * v;
  else
    o.noalias() = scores * v;
}

/// All heads. 16-bit numbers are cast to float and back, head by head: Eigen multiplies them one at a time.
template <class Scalar>
void eigen_attention(attention_operands<Scalar>& memory, const attention_shape& s, seen which) {
  const index group = s.heads / s.key_heads;
  for (index h = 0; h < s.batch * s.heads; ++h) {
    const index key_start = h / group * s.keys * s.dim;
    const Eigen::Map<const row_major<Scalar>> q(memory.q.get() + h * s.queries * s.dim, s.queries, s.dim);
    const Eigen::Map<const row_major<Scalar>> k(memory.k.get() + key_start, s.keys, s.dim);
    const Eigen::Map<const row_major<Scalar>> v(memory.v.get() + key_start, s.keys, s.dim);
    Eigen::Map<row_major<Scalar>> o(memory.o.get() + h * s.queries * s.dim, s.queries, s.dim);
    if constexpr (sizeof(Scalar) > 2) {
      eigen_head(q, k, v, o, memory.scores, which);
    } else {
      using wide = row_major<float>;
      const wide wide_q = q.template cast<float>();
      const wide wide_k = k.template cast<float>();
      const wide wide_v = v.template cast<float>();
      wide result(s.queries, s.dim);
      eigen_head(wide_q, wide_k, wide_v, result, memory.scores, which);
      o = result.template cast<Scalar>();
    }
  }
}

}  // namespace bench
