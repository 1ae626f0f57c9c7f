// Row-major and column-major tensors of rank 2, 3 and 4, matrices, maps, blocks, and tokens first: all
// give the bits of the row-major tensor of batch x heads x tokens x dim.
#define EIGEN_USE_THREADS
#include <gtest/gtest.h>

#include "../support/attention_bounds.hpp"
#include "../support/tensors.hpp"

namespace tensornorm_test {
namespace {

using tn::align;

constexpr attention_shape shapes[] = {
    {.batch = 2, .heads = 4, .queries = 1, .keys = 70, .dim = 8, .key_heads = 2, .dim_v = 5},
    {.batch = 2, .heads = 2, .queries = 67, .keys = 130, .dim = 17},
    {.batch = 1, .heads = 2, .queries = 6, .keys = 1030, .dim = 16, .key_heads = 1, .dim_v = 20},
    {.batch = 2, .heads = 2, .queries = 201, .keys = 230, .dim = 9, .key_heads = 1, .dim_v = 6}};

struct layouts : testing::TestWithParam<attention_path> {
  /// run(the function under test).
  template <class Run>
  static void with_path(const Run& run) {
    if (GetParam() == attention_path::fused)
      run([](const auto&... arguments) { return tn::attention(arguments...); });
    else
      run([](const auto&... arguments) { return tn::attention_unfused(arguments...); });
  }
};

INSTANTIATE_TEST_SUITE_P(paths, layouts, testing::ValuesIn(both_paths),
                         [](const auto& path) { return name_of(path.param); });

/// Elements in the order of a tensor whose axes are taken in another order.
template <class T, std::size_t Rank>
std::vector<T> permuted(const std::vector<T>& values, const std::array<std::ptrdiff_t, Rank>& size,
                        const std::array<int, Rank>& axes) {
  const auto tensor = tensor_of<row_major_tensor<T, static_cast<int>(Rank)>>(size, values);
  const row_major_tensor<T, static_cast<int>(Rank)> shuffled = tensor.shuffle(axes);
  return elements_of(shuffled);
}

using sizes4 = std::array<std::ptrdiff_t, 4>;
using sizes3 = std::array<std::ptrdiff_t, 3>;

sizes4 q_size(const attention_shape& s) { return {s.batch, s.heads, s.queries, s.dim}; }
sizes4 k_size(const attention_shape& s) { return {s.batch, s.heads_of_keys(), s.keys, s.dim}; }
sizes4 v_size(const attention_shape& s) { return {s.batch, s.heads_of_keys(), s.keys, s.size_of_v()}; }
sizes4 o_size(const attention_shape& s) { return {s.batch, s.heads, s.queries, s.size_of_v()}; }

modifier_list<float> causal_list() {
  modifier_list<float> m;
  m.causal = align::bottom_right;
  return m;
}

TEST_P(layouts, of_column_major_tensors) {
  using tensor = col_major_tensor<float, 4>;
  for (const attention_shape& shape : shapes) {
    const auto in = make_inputs<float>(shape, 401);
    const auto q = tensor_of<tensor>(q_size(shape), in.q), k = tensor_of<tensor>(k_size(shape), in.k),
               v = tensor_of<tensor>(v_size(shape), in.v);
    const auto expected = attended(GetParam(), in, causal_list());
    with_path([&](const auto& function) {
      col_major_tensor<float, 3> lse;
      const tensor o = function(q, k, v, tn::causal(align::bottom_right), tn::save_lse(lse));
      EXPECT_EQ(extents_of(o), (extents{shape.batch, shape.heads, shape.queries, shape.size_of_v()}));
      EXPECT_TRUE(same_bits(elements_of(o), expected.o)) << shape;
      EXPECT_TRUE(same_bits(elements_of(lse), expected.lse)) << shape;
    });
  }
}

template <class Tensor3, class Function>
void expect_rank_3(const Function& function, attention_path path) {
  for (attention_shape shape : shapes) {
    shape.batch = 1;
    const auto in = make_inputs<float>(shape, 402);
    const auto q = tensor_of<Tensor3>({shape.heads, shape.queries, shape.dim}, in.q),
               k = tensor_of<Tensor3>({shape.heads_of_keys(), shape.keys, shape.dim}, in.k),
               v = tensor_of<Tensor3>({shape.heads_of_keys(), shape.keys, shape.size_of_v()}, in.v);
    Eigen::Tensor<float, 2, Tensor3::Layout> lse;
    const Tensor3 o = function(q, k, v, tn::causal(align::bottom_right), tn::save_lse(lse));
    const auto expected = attended(path, in, causal_list());
    EXPECT_TRUE(same_bits(elements_of(o), expected.o)) << shape;
    EXPECT_TRUE(same_bits(elements_of(lse), expected.lse)) << shape;
    EXPECT_EQ(extents_of(lse), (extents{shape.heads, shape.queries}));
  }
}

TEST_P(layouts, of_tensors_of_heads_tokens_and_dim) {
  with_path([](const auto& function) {
    expect_rank_3<row_major_tensor<float, 3>>(function, GetParam());
    expect_rank_3<col_major_tensor<float, 3>>(function, GetParam());
  });
}

/// The shapes as of one head.
attention_shape one_head(attention_shape shape) {
  shape.batch = shape.heads = shape.key_heads = 1;
  return shape;
}

template <class Tensor2, class Function>
void expect_rank_2(const Function& function, attention_path path) {
  for (const attention_shape& given : shapes) {
    const attention_shape shape = one_head(given);
    const auto in = make_inputs<float>(shape, 403);
    const auto q = tensor_of<Tensor2>({shape.queries, shape.dim}, in.q),
               k = tensor_of<Tensor2>({shape.keys, shape.dim}, in.k),
               v = tensor_of<Tensor2>({shape.keys, shape.size_of_v()}, in.v);
    Eigen::Tensor<float, 1, Tensor2::Layout> lse;
    const Tensor2 o = function(q, k, v, tn::causal(align::bottom_right), tn::save_lse(lse));
    const auto expected = attended(path, in, causal_list());
    EXPECT_TRUE(same_bits(elements_of(o), expected.o)) << shape;
    EXPECT_TRUE(same_bits(elements_of(lse), expected.lse)) << shape;
  }
}

TEST_P(layouts, of_tensors_of_tokens_and_dim) {
  with_path([](const auto& function) {
    expect_rank_2<row_major_tensor<float, 2>>(function, GetParam());
    expect_rank_2<col_major_tensor<float, 2>>(function, GetParam());
  });
}

template <class Matrix>
Matrix matrix_of(std::ptrdiff_t rows, std::ptrdiff_t cols, const std::vector<float>& values) {
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      values.data(), rows, cols);
}

template <class Matrix>
std::vector<float> elements_of_matrix(const Matrix& matrix) {
  std::vector<float> values;
  for (Eigen::Index i = 0; i < matrix.rows(); ++i)
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) values.push_back(matrix(i, j));
  return values;
}

using col_matrix = Eigen::MatrixXf;
using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Matrix, class Function>
void expect_matrices(const Function& function, attention_path path) {
  for (const attention_shape& given : shapes) {
    const attention_shape shape = one_head(given);
    const auto in = make_inputs<float>(shape, 404);
    const Matrix q = matrix_of<Matrix>(shape.queries, shape.dim, in.q),
                 k = matrix_of<Matrix>(shape.keys, shape.dim, in.k),
                 v = matrix_of<Matrix>(shape.keys, shape.size_of_v(), in.v);
    const auto expected = attended(path, in, causal_list());
    Eigen::Tensor<float, 1> lse;
    const Matrix o = function(q, k, v, tn::causal(align::bottom_right), tn::save_lse(lse));
    EXPECT_TRUE(same_bits(elements_of_matrix(o), expected.o)) << shape;
    EXPECT_TRUE(same_bits(elements_of(lse), expected.lse)) << shape;

    // Blocks of one wide matrix, as q, k and v often are, into a block of another.
    const std::ptrdiff_t rows = std::max(shape.queries, shape.keys) + 2;
    Matrix wide = Matrix::Constant(rows, 2 * shape.dim + shape.size_of_v() + 3, quiet_nan<float>());
    auto q_block = wide.block(1, 1, shape.queries, shape.dim);
    auto k_block = wide.block(0, shape.dim + 2, shape.keys, shape.dim);
    auto v_block = wide.block(2, 2 * shape.dim + 2, shape.keys, shape.size_of_v());
    q_block = q;
    k_block = k;
    v_block = v;
    Matrix target = Matrix::Constant(shape.queries + 2, shape.size_of_v() + 3, -1);
    target.block(1, 2, shape.queries, shape.size_of_v()) =
        function(q_block, k_block, v_block, tn::causal(align::bottom_right));
    EXPECT_TRUE(
        same_bits(elements_of_matrix(target.block(1, 2, shape.queries, shape.size_of_v())), expected.o));
    target.block(1, 2, shape.queries, shape.size_of_v()).setConstant(-1);
    EXPECT_TRUE((target.array() == -1).all());
  }
}

TEST_P(layouts, of_matrices_and_of_blocks_of_matrices) {
  with_path([](const auto& function) {
    expect_matrices<col_matrix>(function, GetParam());
    expect_matrices<row_matrix>(function, GetParam());
  });
}

TEST_P(layouts, of_maps_with_strides) {
  using strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  using map = Eigen::Map<const row_matrix, 0, strides>;
  const attention_shape shape = one_head(shapes[1]);
  const auto in = make_inputs<float>(shape, 405);
  const auto spread_out = [](const std::vector<float>& values, std::ptrdiff_t size, std::ptrdiff_t outer,
                             std::ptrdiff_t inner) {
    std::vector<float> all(
        values.size() / static_cast<std::size_t>(size) * static_cast<std::size_t>(outer) + 1,
        quiet_nan<float>());
    for (std::size_t i = 0; i < values.size(); ++i)
      all[i / static_cast<std::size_t>(size) * static_cast<std::size_t>(outer) +
          i % static_cast<std::size_t>(size) * static_cast<std::size_t>(inner)] = values[i];
    return all;
  };
  const auto q = spread_out(in.q, 17, 40, 2), k = spread_out(in.k, 17, 55, 3),
             v = spread_out(in.v, 17, 17, 1);
  with_path([&](const auto& function) {
    const row_matrix o =
        function(map(q.data(), 67, 17, strides(40, 2)), map(k.data(), 130, 17, strides(55, 3)),
                 map(v.data(), 130, 17, strides(17, 1)));
    EXPECT_TRUE(same_bits(elements_of_matrix(o), attended(GetParam(), in).o));
  });
}

template <class Tensor4, class Function>
void expect_tokens_first(const Function& function, attention_path path) {
  using lse_tensor = Eigen::Tensor<float, 3, Tensor4::Layout>;
  const std::array<int, 4> swapped{0, 2, 1, 3};
  for (const attention_shape& shape : shapes) {
    const auto in = make_inputs<float>(shape, 406);
    const auto first = [&](const std::vector<float>& values, sizes4 size) {
      const auto moved = permuted(values, size, swapped);
      std::swap(size[1], size[2]);
      return tensor_of<Tensor4>(size, moved);
    };
    const Tensor4 q = first(in.q, q_size(shape)), k = first(in.k, k_size(shape)),
                  v = first(in.v, v_size(shape));
    lse_tensor lse;
    const Tensor4 o = function(q, k, v, tn::tokens_first, tn::causal(align::bottom_right), tn::save_lse(lse));
    const auto expected = attended(path, in, causal_list());
    EXPECT_EQ(extents_of(o), (extents{shape.batch, shape.queries, shape.heads, shape.size_of_v()}));
    EXPECT_TRUE(same_bits(elements_of(o), permuted(expected.o, o_size(shape), swapped))) << shape;
    EXPECT_EQ(extents_of(lse), (extents{shape.batch, shape.heads, shape.queries}));
    EXPECT_TRUE(same_bits(elements_of(lse), expected.lse)) << shape;
  }
}

TEST_P(layouts, of_tokens_before_heads) {
  with_path([](const auto& function) {
    expect_tokens_first<row_major_tensor<float, 4>>(function, GetParam());
    expect_tokens_first<col_major_tensor<float, 4>>(function, GetParam());
  });
}

TEST_P(layouts, of_tokens_before_heads_without_a_batch) {
  using tensor = row_major_tensor<float, 3>;
  const std::array<int, 3> swapped{1, 0, 2};
  for (attention_shape shape : shapes) {
    shape.batch = 1;
    const auto in = make_inputs<float>(shape, 407);
    const auto first = [&](const std::vector<float>& values, sizes3 size) {
      const auto moved = permuted(values, size, swapped);
      std::swap(size[0], size[1]);
      return tensor_of<tensor>(size, moved);
    };
    const tensor q = first(in.q, {shape.heads, shape.queries, shape.dim}),
                 k = first(in.k, {shape.heads_of_keys(), shape.keys, shape.dim}),
                 v = first(in.v, {shape.heads_of_keys(), shape.keys, shape.size_of_v()});
    with_path([&](const auto& function) {
      const tensor o = function(q, k, v, tn::tokens_first);
      const auto expected = attended(GetParam(), in);
      EXPECT_TRUE(
          same_bits(elements_of(o),
                    permuted(expected.o, sizes3{shape.heads, shape.queries, shape.size_of_v()}, swapped)))
          << shape;
    });
  }
}

TEST_P(layouts, of_expressions_which_are_evaluated_first) {
  using tensor = row_major_tensor<float, 4>;
  const attention_shape& shape = shapes[1];
  const auto in = make_inputs<float>(shape, 408);
  const auto q = tensor_of<tensor>(q_size(shape), in.q), k = tensor_of<tensor>(k_size(shape), in.k),
             v = tensor_of<tensor>(v_size(shape), in.v);
  with_path([&](const auto& function) {
    const tensor o = function(q * 1.f, k + 0.f, v * 1.f);
    const tensor sum = q + function(q, k, v);
    const auto expected = attended(GetParam(), in);
    EXPECT_TRUE(same_bits(elements_of(o), expected.o));
    const tensor expected_sum = q + o;
    EXPECT_TRUE(same_bits(elements_of(sum), elements_of(expected_sum)));
  });
}

TEST_P(layouts, of_a_result_that_is_resized_sliced_or_on_a_device) {
  using tensor = row_major_tensor<float, 4>;
  const attention_shape& shape = shapes[0];
  const auto in = make_inputs<float>(shape, 409);
  const auto q = tensor_of<tensor>(q_size(shape), in.q), k = tensor_of<tensor>(k_size(shape), in.k),
             v = tensor_of<tensor>(v_size(shape), in.v);
  const auto expected = attended(GetParam(), in).o;
  with_path([&](const auto& function) {
    tensor o(1, 2, 3, 4);
    o = function(q, k, v);
    EXPECT_TRUE(same_bits(elements_of(o), expected));
    const float* const memory = o.data();
    o.setConstant(-1);
    o.device(Eigen::DefaultDevice()) = function(q, k, v);
    EXPECT_TRUE(same_bits(elements_of(o), expected));
    EXPECT_EQ(o.data(), memory);

    tensor larger(3, 4, 1, 5);
    larger.setConstant(-1);
    const std::array<Eigen::Index, 4> offset{1, 0, 0, 0}, size{2, 4, 1, 5};
    larger.slice(offset, size) = function(q, k, v);
    const tensor slice = larger.slice(offset, size);
    EXPECT_TRUE(same_bits(elements_of(slice), expected));
    for (Eigen::Index i = 0; i < 20; ++i) EXPECT_EQ(larger.data()[i], -1);
  });
}

TEST_P(layouts, of_masks_and_biases) {
  using tensor = row_major_tensor<float, 4>;
  const attention_shape& shape = shapes[1];
  const auto in = make_inputs<float>(shape, 410);
  const auto q = tensor_of<tensor>(q_size(shape), in.q), k = tensor_of<tensor>(k_size(shape), in.k),
             v = tensor_of<tensor>(v_size(shape), in.v);
  const auto bias = normal_tensor<row_major_tensor<float, 2>>({67, 130}, 411);
  const auto bias_columns = normal_tensor<col_major_tensor<float, 2>>({67, 130}, 411);
  const row_major_tensor<bool, 2> mask = normal_tensor<row_major_tensor<float, 2>>({67, 130}, 412) > -0.5f;
  const col_major_tensor<bool, 2> mask_columns =
      normal_tensor<col_major_tensor<float, 2>>({67, 130}, 412) > -0.5f;
  Eigen::Matrix<bool, Eigen::Dynamic, Eigen::Dynamic> mask_matrix(67, 130);
  Eigen::MatrixXf bias_matrix(67, 130);
  for (Eigen::Index i = 0; i < 67; ++i)
    for (Eigen::Index j = 0; j < 130; ++j) {
      mask_matrix(i, j) = mask(i, j);
      bias_matrix(i, j) = bias(i, j);
    }
  with_path([&](const auto& function) {
    const tensor o = function(q, k, v, tn::keep_mask(mask), tn::score_bias(bias));
    const tensor of_columns = function(q, k, v, tn::keep_mask(mask_columns), tn::score_bias(bias_columns));
    const tensor of_matrices = function(q, k, v, tn::keep_mask(mask_matrix), tn::score_bias(bias_matrix));
    modifier_list<float> m;
    m.bias = make_spread<float>({1, 1, 67, 130}, [&](const score_index& i) { return bias(i.query, i.key); });
    m.mask = make_spread<bool>({1, 1, 67, 130}, [&](const score_index& i) { return mask(i.query, i.key); });
    EXPECT_TRUE(o_within_bounds(elements_of(o), expected_attention(in, m)));
    EXPECT_TRUE(same_bits(elements_of(of_columns), elements_of(o)));
    EXPECT_TRUE(same_bits(elements_of(of_matrices), elements_of(o)));
  });
}

}  // namespace
}  // namespace tensornorm_test
