// Attention2d, the block over images: by this library fused and unfused, and with Eigen's products.
#include <cmath>

#include "../devices.hpp"
#include "../peaks.hpp"
#include "contenders.hpp"

namespace bench {
namespace {

/// x and y of batch x dim x side x side.
struct block_shape {
  index batch;
  index dim;
  index heads;
  index side;
  sweep smallest;

  index tokens() const { return side * side; }
  index count() const { return batch * dim * tokens(); }
  std::string sizes() const {
    return std::to_string(batch) + "x" + std::to_string(dim) + "x" + std::to_string(side) + "x" +
           std::to_string(side);
  }
  std::string key() const { return "attention2d_" + sizes(); }
  std::string title() const { return "Attention2d " + sizes() + ", " + std::to_string(heads) + " heads"; }

  attention_shape attention() const {
    return {batch, heads, heads, tokens(), tokens(), dim / heads, smallest};
  }
  /// The 1x1 convolutions to q, k, v, and back.
  double projection_flops() const {
    return 2 * static_cast<double>(batch * tokens()) * 4 * static_cast<double>(dim * dim);
  }
  double attention_flops() const { return attention().work<float>(seen::dense).flops; }
};

constexpr block_shape block_shapes[] = {
    {8, 256, 8, 14, sweep::quick},
    {8, 512, 8, 14, sweep::quick},
    {2, 256, 8, 32, sweep::quick},
    {2, 512, 8, 32, sweep::quick},
};

/// The images, the parameters, and what Eigen puts between the products.
struct block_operands {
  using tensor = Eigen::Tensor<float, 4, Eigen::RowMajor>;

  explicit block_operands(const block_shape& s)
      : x(noise<float>(s.count(), 1)),
        y(noise<float>(s.count(), 2)),
        qkv_weight(noise<float>(3 * s.dim * s.dim, 3, 1 / std::sqrt(static_cast<float>(s.dim)))),
        proj_weight(noise<float>(s.dim * s.dim, 4, 1 / std::sqrt(static_cast<float>(s.dim)))),
        bias(noise<float>(3 * s.dim, 5)) {}

  std::shared_ptr<float> x, y, qkv_weight, proj_weight, bias;
  row_major<float> qkv, scores, heads;
  std::map<std::string, std::shared_ptr<void>> blocks;  // of each contender, as a program would keep it
};

std::shared_ptr<block_operands> block_operands_for(const block_shape& s) {
  return std::static_pointer_cast<block_operands>(
      only_alive(s.key(), [&s] { return std::make_shared<block_operands>(s); }));
}

template <class To>
void fill(To& to, const float* from) {
  std::copy_n(from, to.size(), to.data());
}

/// The block by this library.
void add_block(const block_shape& s, const amount& work, const char* contender, tn::attention_path path) {
  add_benchmark(s.key() + "/float/images/block/" + contender, s.title(), work, [=] {
    const auto memory = block_operands_for(s);
    std::shared_ptr<void>& kept = memory->blocks[contender];
    if (!kept) {
      const auto made = std::make_shared<tn::Attention2d<float>>(tn::Attention2d<float>(
          {.dim = static_cast<int>(s.dim), .heads = static_cast<int>(s.heads), .path = path}));
      fill(made->qkv_weight, memory->qkv_weight.get());
      fill(made->qkv_bias, memory->bias.get());
      fill(made->proj_weight, memory->proj_weight.get());
      fill(made->proj_bias, memory->bias.get());
      kept = made;
    }
    using map = Eigen::TensorMap<block_operands::tensor>;
    const auto block = std::static_pointer_cast<tn::Attention2d<float>>(kept);
    return [block, x = map(memory->x.get(), s.batch, s.dim, s.side, s.side),
            y = map(memory->y.get(), s.batch, s.dim, s.side, s.side)]() mutable { y = block->forward(x); };
  });
}

/// The block image by image with Eigen's products. A row is a channel, a column a pixel.
void eigen_block(block_operands& memory, const block_shape& s) {
  using map = Eigen::Map<const row_major<float>>;
  const map qkv_weight(memory.qkv_weight.get(), 3 * s.dim, s.dim);
  const map proj_weight(memory.proj_weight.get(), s.dim, s.dim);
  const Eigen::Map<const Eigen::VectorXf> qkv_bias(memory.bias.get(), 3 * s.dim);
  const Eigen::Map<const Eigen::VectorXf> proj_bias(memory.bias.get(), s.dim);
  const index dim_head = s.dim / s.heads;
  const float scale = 1 / std::sqrt(static_cast<float>(dim_head));
  memory.heads.resize(s.dim, s.tokens());
  for (index n = 0; n < s.batch; ++n) {
    const map x(memory.x.get() + n * s.dim * s.tokens(), s.dim, s.tokens());
    Eigen::Map<row_major<float>> y(memory.y.get() + n * s.dim * s.tokens(), s.dim, s.tokens());
    memory.qkv.noalias() = qkv_weight * x;
    memory.qkv.colwise() += qkv_bias;
    for (index h = 0; h < s.heads; ++h) {
      const auto q = memory.qkv.middleRows(h * dim_head, dim_head);
      const auto k = memory.qkv.middleRows(s.dim + h * dim_head, dim_head);
      const auto v = memory.qkv.middleRows(2 * s.dim + h * dim_head, dim_head);
      memory.scores.noalias() = (scale * q.transpose()) * k;
      softmax_rows(memory.scores, seen::dense);
      memory.heads.middleRows(h * dim_head, dim_head).noalias() = v * memory.scores.transpose();
    }
    y.noalias() = proj_weight * memory.heads;
    y.colwise() += proj_bias;
  }
}

/// The attention inside the block alone, as the library runs it on its own: what the projections do not take.
void add_inner_attention(const block_shape& s) {
  add_benchmark(s.key() + "/float/images/attention/fused", s.title(), {.flops = s.attention_flops()}, [=] {
    using map = Eigen::TensorMap<Eigen::Tensor<float, 4, Eigen::RowMajor>>;
    const auto memory = block_operands_for(s);
    std::shared_ptr<void>& kept = memory->blocks["attention"];
    if (!kept) kept = std::make_shared<attention_operands<float>>(s.attention());
    const auto inner = std::static_pointer_cast<attention_operands<float>>(kept);
    const Eigen::DSizes<index, 4> sizes(s.batch, s.heads, s.tokens(), s.dim / s.heads);
    return [inner, q = map(inner->q.get(), sizes), k = map(inner->k.get(), sizes),
            v = map(inner->v.get(), sizes), o = map(inner->o.get(), sizes)]() mutable {
      o = tn::attention(q, k, v, tn::use_workspace(inner->workspaces["fused"]));
    };
  });
}

}  // namespace

void add_attention2d(sweep wanted) {
  for (const block_shape& s : block_shapes) {
    if (s.smallest > wanted) continue;
    const amount work = {.flops = s.projection_flops() + s.attention_flops()};
    add_block(s, work, "fused", tn::attention_path::fused);
    add_block(s, work, "unfused", tn::attention_path::unfused);
    add_benchmark(s.key() + "/float/images/block/eigen", s.title(), work, [=] {
      const auto memory = block_operands_for(s);
      return [=] { eigen_block(*memory, s); };
    });
    add_inner_attention(s);
    add_benchmark(s.key() + "/float/images/peak/multiply_adds", s.title(), {.flops = multiply_add_flops()},
                  [] { return [] { multiply_adds(); }; });
  }
}

}  // namespace bench
