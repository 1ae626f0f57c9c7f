// Row-major and column-major tensors of rank 2, 3 and 4, matrices, maps, blocks, and tokens first: all
// gradients have the shape and layout of what they are gradients of, and the bits of the row-major tensor of
// batch x heads x tokens x dim.
#include <gtest/gtest.h>

#include "../support/attention_backward_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

constexpr attention_shape shapes[] = {
    {.batch = 2, .heads = 4, .queries = 1, .keys = 70, .dim = 8, .key_heads = 2, .dim_v = 5},
    {.batch = 2, .heads = 2, .queries = 67, .keys = 130, .dim = 17},
    {.batch = 1, .heads = 2, .queries = 130, .keys = 33, .dim = 16, .key_heads = 1, .dim_v = 20},
    {.batch = 2, .heads = 2, .queries = 201, .keys = 130, .dim = 9, .key_heads = 2, .dim_v = 6}};

struct backward_layouts : testing::TestWithParam<attention_path> {
  /// run(the function under test).
  template <class Run>
  static void with_path(const Run& run) {
    if (GetParam() == attention_path::fused)
      run([](const auto&... arguments) { return tn::attention_backward(arguments...); });
    else
      run([](const auto&... arguments) { return tn::attention_unfused_backward(arguments...); });
  }
};

INSTANTIATE_TEST_SUITE_P(paths, backward_layouts, testing::ValuesIn(both_paths),
                         [](const auto& path) { return name_of_backward(path.param); });

modifier_list<float> causal_list() {
  modifier_list<float> m;
  m.causal = align::bottom_right;
  return m;
}

attention_backward_inputs<float> causal_inputs(const attention_shape& shape, std::uint32_t seed) {
  return make_backward_inputs<float>(shape, seed, causal_list());
}

/// The sizes of a tensor of rank 2, 3 or 4, of heads of tokens; tokens first or not.
template <class Tensor>
indices_of<Tensor> sizes_of(const attention_shape& s, std::ptrdiff_t heads, std::ptrdiff_t tokens,
                            std::ptrdiff_t size, bool tokens_first) {
  std::array<Eigen::Index, 4> all{s.batch, tokens_first ? tokens : heads, tokens_first ? heads : tokens,
                                  size};
  indices_of<Tensor> result;
  std::copy(all.end() - Tensor::NumDimensions, all.end(), result.begin());
  return result;
}

/// Everything of a call in tensors of one type, from and to memory in logical order.
template <class Tensor>
struct call_in_tensors {
  static constexpr int rank = Tensor::NumDimensions;
  using lse_tensor = Eigen::Tensor<float, rank - 1, Tensor::Layout>;

  const attention_shape& s;
  bool tokens_first;
  Tensor dout, q, k, v, o;
  lse_tensor lse;

  call_in_tensors(const attention_backward_inputs<float>& in, bool tokens_before_heads = false)
      : s(in.shape),
        tokens_first(tokens_before_heads),
        dout(make(in.dout, s.heads, s.queries, s.size_of_v())),
        q(make(in.q, s.heads, s.queries, s.dim)),
        k(make(in.k, s.heads_of_keys(), s.keys, s.dim)),
        v(make(in.v, s.heads_of_keys(), s.keys, s.size_of_v())),
        o(make(in.o, s.heads, s.queries, s.size_of_v())) {
    const std::array<Eigen::Index, 3> all{s.batch, s.heads, s.queries};
    indices_of<lse_tensor> size;
    std::copy(all.end() - (rank - 1), all.end(), size.begin());
    lse = tensor_of<lse_tensor>(size, in.lse);
  }

  Tensor make(const std::vector<float>& values, std::ptrdiff_t heads, std::ptrdiff_t tokens,
              std::ptrdiff_t size) const {
    Tensor tensor(sizes_of<Tensor>(s, heads, tokens, size, tokens_first));
    for_each_element(tensor, [&](std::size_t element, float& value) {
      value = values[place(element, heads, tokens, size)];
    });
    return tensor;
  }
  /// Back into the order of batch, heads, tokens and size.
  std::vector<float> values_of(const Tensor& tensor, std::ptrdiff_t heads, std::ptrdiff_t tokens,
                               std::ptrdiff_t size) const {
    std::vector<float> values(static_cast<std::size_t>(tensor.size()));
    for_each_element(tensor, [&](std::size_t element, const float& value) {
      values[place(element, heads, tokens, size)] = value;
    });
    return values;
  }

  template <class Gradients>
  void expect(const Gradients& result, const attention_gradients<float>& expected) const {
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(result.q)>, Tensor>);
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(result.k)>, Tensor>);
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(result.v)>, Tensor>);
    EXPECT_EQ(extents_of(result.q), extents_of(q));
    EXPECT_EQ(extents_of(result.k), extents_of(k));
    EXPECT_EQ(extents_of(result.v), extents_of(v));
    EXPECT_TRUE(same_bits(values_of(result.q, s.heads, s.queries, s.dim), expected.q)) << "dq, " << s;
    EXPECT_TRUE(same_bits(values_of(result.k, s.heads_of_keys(), s.keys, s.dim), expected.k)) << "dk, " << s;
    EXPECT_TRUE(same_bits(values_of(result.v, s.heads_of_keys(), s.keys, s.size_of_v()), expected.v))
        << "dv, " << s;
  }

 private:
  std::size_t place(std::size_t element, std::ptrdiff_t heads, std::ptrdiff_t tokens,
                    std::ptrdiff_t size) const {
    if (!tokens_first) return element;
    const auto h = static_cast<std::size_t>(heads), t = static_cast<std::size_t>(tokens),
               n = static_cast<std::size_t>(size);
    const std::size_t batch = element / (h * t * n), token = element / (h * n) % t, head = element / n % h;
    return ((batch * h + head) * t + token) * n + element % n;
  }
};

/// Three destinations of a type.
template <class Tensor>
struct destinations {
  Tensor q, k, v;
};

/// Returned gradients, and those in destinations that were full of NaN.
template <class Tensor, class Function, class... More>
void expect_layout(const Function& function, const attention_backward_inputs<float>& in,
                   const attention_gradients<float>& expected, bool tokens_first, const More&... more) {
  const call_in_tensors<Tensor> c(in, tokens_first);
  c.expect(function(c.dout, c.q, c.k, c.v, c.o, c.lse, tn::causal(align::bottom_right), more...), expected);
  destinations<Tensor> to{c.q, c.k, c.v};
  for (Tensor* t : {&to.q, &to.k, &to.v}) t->setConstant(quiet_nan<float>());
  function(c.dout, c.q, c.k, c.v, c.o, c.lse, more..., tn::grad_v(to.v), tn::grad_q(to.q), tn::grad_k(to.k),
           tn::causal(align::bottom_right));
  c.expect(to, expected);
}

TEST_P(backward_layouts, of_tensors_of_four_axes) {
  for (const attention_shape& shape : shapes) {
    const auto in = causal_inputs(shape, 931);
    const auto expected = differentiated(GetParam(), in, causal_list());
    with_path([&](const auto& function) {
      expect_layout<row_major_tensor<float, 4>>(function, in, expected, false);
      expect_layout<col_major_tensor<float, 4>>(function, in, expected, false);
    });
  }
}

TEST_P(backward_layouts, of_tensors_of_heads_tokens_and_dim) {
  for (attention_shape shape : shapes) {
    shape.batch = 1;
    const auto in = causal_inputs(shape, 932);
    const auto expected = differentiated(GetParam(), in, causal_list());
    with_path([&](const auto& function) {
      expect_layout<row_major_tensor<float, 3>>(function, in, expected, false);
      expect_layout<col_major_tensor<float, 3>>(function, in, expected, false);
    });
  }
}

/// The shapes as of one head.
attention_shape one_head(attention_shape shape) {
  shape.batch = shape.heads = shape.key_heads = 1;
  return shape;
}

TEST_P(backward_layouts, of_tensors_of_tokens_and_dim) {
  for (const attention_shape& shape : shapes) {
    const auto in = causal_inputs(one_head(shape), 933);
    const auto expected = differentiated(GetParam(), in, causal_list());
    with_path([&](const auto& function) {
      expect_layout<row_major_tensor<float, 2>>(function, in, expected, false);
      expect_layout<col_major_tensor<float, 2>>(function, in, expected, false);
    });
  }
}

TEST_P(backward_layouts, of_tokens_before_heads) {
  for (attention_shape shape : shapes) {
    const auto in = causal_inputs(shape, 934);
    const auto expected = differentiated(GetParam(), in, causal_list());
    shape.batch = 1;
    const auto in_one = causal_inputs(shape, 935);
    const auto expected_one = differentiated(GetParam(), in_one, causal_list());
    with_path([&](const auto& function) {
      expect_layout<row_major_tensor<float, 4>>(function, in, expected, true, tn::tokens_first);
      expect_layout<col_major_tensor<float, 4>>(function, in, expected, true, tn::tokens_first);
      expect_layout<row_major_tensor<float, 3>>(function, in_one, expected_one, true, tn::tokens_first);
    });
  }
}

using col_matrix = Eigen::MatrixXf;
using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Matrix>
Matrix matrix_of(std::ptrdiff_t rows, std::ptrdiff_t cols, const std::vector<float>& values) {
  return Eigen::Map<const row_matrix>(values.data(), rows, cols);
}

template <class Matrix>
std::vector<float> elements_of_matrix(const Matrix& matrix) {
  std::vector<float> values;
  for (Eigen::Index i = 0; i < matrix.rows(); ++i)
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) values.push_back(matrix(i, j));
  return values;
}

template <class Matrix, class Function>
void expect_matrices(const Function& function, attention_path path) {
  for (const attention_shape& given : shapes) {
    const attention_shape s = one_head(given);
    const auto in = causal_inputs(s, 936);
    const auto expected = differentiated(path, in, causal_list());
    const Matrix dout = matrix_of<Matrix>(s.queries, s.size_of_v(), in.dout),
                 q = matrix_of<Matrix>(s.queries, s.dim, in.q), k = matrix_of<Matrix>(s.keys, s.dim, in.k),
                 v = matrix_of<Matrix>(s.keys, s.size_of_v(), in.v),
                 o = matrix_of<Matrix>(s.queries, s.size_of_v(), in.o);
    const auto lse = tensor_of<Eigen::Tensor<float, 1>>({s.queries}, in.lse);
    const auto result = function(dout, q, k, v, o, lse, tn::causal(align::bottom_right));
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(result.q)>, Matrix>);
    EXPECT_TRUE(same_bits(elements_of_matrix(result.q), expected.q)) << s;
    EXPECT_TRUE(same_bits(elements_of_matrix(result.k), expected.k)) << s;
    EXPECT_TRUE(same_bits(elements_of_matrix(result.v), expected.v)) << s;

    // Blocks of one wide matrix, as q, k and v often are, and their gradients in blocks of others.
    const std::ptrdiff_t rows = std::max(s.queries, s.keys) + 2, k_from = s.dim + 2, v_from = 2 * s.dim + 2;
    Matrix wide = Matrix::Constant(rows, 2 * s.dim + s.size_of_v() + 3, quiet_nan<float>());
    wide.block(1, 1, s.queries, s.dim) = q;
    wide.block(0, k_from, s.keys, s.dim) = k;
    wide.block(2, v_from, s.keys, s.size_of_v()) = v;
    Matrix to_q = Matrix::Constant(wide.rows(), wide.cols(), -1), to_k = to_q, to_v = to_q;
    auto q_block = to_q.block(1, 1, s.queries, s.dim);
    auto k_block = to_k.block(0, k_from, s.keys, s.dim);
    auto v_block = to_v.block(2, v_from, s.keys, s.size_of_v());
    function(dout, wide.block(1, 1, s.queries, s.dim), wide.block(0, k_from, s.keys, s.dim),
             wide.block(2, v_from, s.keys, s.size_of_v()), o, lse, tn::causal(align::bottom_right),
             tn::grad_q(q_block), tn::grad_k(to_k.block(0, k_from, s.keys, s.dim)), tn::grad_v(v_block));
    EXPECT_TRUE(same_bits(elements_of_matrix(q_block), expected.q)) << s;
    EXPECT_TRUE(same_bits(elements_of_matrix(k_block), expected.k)) << s;
    EXPECT_TRUE(same_bits(elements_of_matrix(v_block), expected.v)) << s;
    q_block.setConstant(-1);
    k_block.setConstant(-1);
    v_block.setConstant(-1);
    for (const Matrix* target : {&to_q, &to_k, &to_v}) EXPECT_TRUE((target->array() == -1).all()) << s;
  }
}

TEST_P(backward_layouts, of_matrices_and_of_blocks_of_matrices) {
  with_path([](const auto& function) {
    expect_matrices<col_matrix>(function, GetParam());
    expect_matrices<row_matrix>(function, GetParam());
  });
}

TEST_P(backward_layouts, of_maps_with_strides) {
  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  const attention_shape s = one_head(shapes[1]);
  const auto in = make_backward_inputs<float>(s, 937);
  const auto expected = differentiated(GetParam(), in);
  // Rows of 17 numbers, each two apart, at a distance of 40.
  const auto spread_out = [](const std::vector<float>& values) {
    std::vector<float> all(values.size() / 17 * 40, -7.f);
    for (std::size_t i = 0; i < values.size(); ++i) all[i / 17 * 40 + i % 17 * 2] = values[i];
    return all;
  };
  const auto map_of = [](auto& memory, Eigen::Index rows) {
    using matrix = std::conditional_t<std::is_const_v<std::remove_reference_t<decltype(memory)>>,
                                      const row_matrix, row_matrix>;
    return Eigen::Map<matrix, 0, strides>(memory.data(), rows, 17, strides(40, 2));
  };
  const auto dout = spread_out(in.dout), q = spread_out(in.q), k = spread_out(in.k), v = spread_out(in.v),
             o = spread_out(in.o);
  const auto lse = tensor_of<Eigen::Tensor<float, 1>>({s.queries}, in.lse);
  with_path([&](const auto& function) {
    auto dq = std::vector<float>(q.size(), -7.f), dk = std::vector<float>(k.size(), -7.f), dv = dk;
    function(map_of(dout, 67), map_of(q, 67), map_of(k, 130), map_of(v, 130), map_of(o, 67), lse,
             tn::grad_q(map_of(dq, 67)), tn::grad_k(map_of(dk, 130)), tn::grad_v(map_of(dv, 130)));
    EXPECT_TRUE(same_bits(dq, spread_out(expected.q)));
    EXPECT_TRUE(same_bits(dk, spread_out(expected.k)));
    EXPECT_TRUE(same_bits(dv, spread_out(expected.v)));
  });
}

TEST_P(backward_layouts, of_expressions_which_are_evaluated_first) {
  using tensor = row_major_tensor<float, 4>;
  const auto in = causal_inputs(shapes[1], 938);
  const auto expected = differentiated(GetParam(), in, causal_list());
  const call_in_tensors<tensor> c(in);
  with_path([&](const auto& function) {
    c.expect(function(c.dout * 1.f, c.q * 1.f, c.k + 0.f, c.v * 1.f, c.o * 1.f, c.lse,
                      tn::causal(align::bottom_right)),
             expected);
  });
}

TEST_P(backward_layouts, of_biases_and_their_gradients) {
  using tensor = row_major_tensor<float, 4>;
  const attention_shape& shape = shapes[1];
  modifier_list<float> m;
  m.bias = make_spread<float>({1, 1, 67, 130}, [](const score_index& at) {
    return static_cast<float>((at.query * 7 + at.key * 3) % 11) / 8;
  });
  const auto in = make_backward_inputs<float>(shape, 939, m);
  const auto expected = differentiated(GetParam(), in, m);
  const std::vector<float> values(m.bias->data.get(), m.bias->data.get() + m.bias->count());
  const call_in_tensors<tensor> c(in);
  with_path([&](const auto& function) {
    const auto expect_of = [&](const auto& bias, auto& dbias, const auto& elements) {
      function(c.dout, c.q, c.k, c.v, c.o, c.lse, tn::score_bias(bias), tn::grad_score_bias(dbias));
      EXPECT_TRUE(same_bits(elements(dbias), expected.bias));
    };
    const auto of_tensor = [](const auto& t) { return elements_of(t); };
    const auto rows = tensor_of<row_major_tensor<float, 2>>({67, 130}, values);
    row_major_tensor<float, 2> drows(67, 130);
    expect_of(rows, drows, of_tensor);
    const auto columns = tensor_of<col_major_tensor<float, 2>>({67, 130}, values);
    col_major_tensor<float, 2> dcolumns(67, 130);
    expect_of(columns, dcolumns, of_tensor);
    const auto full = tensor_of<tensor>({1, 1, 67, 130}, values);
    tensor dfull(1, 1, 67, 130);
    expect_of(full, dfull, of_tensor);
    const auto matrix = matrix_of<col_matrix>(67, 130, values);
    col_matrix dmatrix(67, 130);
    expect_of(matrix, dmatrix, [](const auto& d) { return elements_of_matrix(d); });
  });
}

}  // namespace
}  // namespace tensornorm_test
