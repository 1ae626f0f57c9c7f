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

  /// The 1x1 convolutions to q, k, v, and back.
  double projection_flops() const {
    return 2 * static_cast<double>(batch * tokens()) * 4 * static_cast<double>(dim * dim);
  }
  amount work() const {
    const auto pairs = static_cast<double>(batch * heads * tokens()) * static_cast<double>(tokens());
    return {.flops = projection_flops() + 4 * pairs * static_cast<double>(dim / heads)};
  }
};

constexpr block_shape block_shapes[] = {
    {8, 256, 8, 14, sweep::quick},
    {8, 512, 8, 14, sweep::quick},
    {2, 256, 8, 32, sweep::quick},
    {2, 512, 8, 32, sweep::quick},
};

using block_of_images = tn::Attention2d<float>;

/// The images, the parameters, and what lies between the products.
struct block_operands {
  explicit block_operands(const block_shape& s)
      : x(noise<float>(s.count(), 1)),
        y(noise<float>(s.count(), 2)),
        fused(of_path(s, tn::attention_path::fused)),
        unfused(of_path(s, tn::attention_path::unfused)) {}

  static block_of_images of_path(const block_shape& s, tn::attention_path path) {
    return block_of_images({.dim = s.dim, .heads = s.heads, .path = path});
  }

  std::shared_ptr<float> x, y;
  block_of_images fused, unfused;  // with the same parameters
  std::map<std::string, tn::attention_workspace> workspaces;
  row_major<float> qkv, scores, heads;  // of Eigen
};

std::shared_ptr<block_operands> block_operands_for(const block_shape& s) {
  return std::static_pointer_cast<block_operands>(
      only_alive(s.key(), [&s] { return std::make_shared<block_operands>(s); }));
}

template <class Make>
void add_block_benchmark(const block_shape& s, const std::string& what, const amount& work, Make make) {
  add_benchmark(s.key() + "/float/images/" + what, s.title(), work, make);
}

/// The block by this library.
void add_block(const block_shape& s, const char* contender, block_of_images block_operands::*path) {
  add_block_benchmark(s, std::string("block/") + contender, s.work(), [=] {
    using map = Eigen::TensorMap<Eigen::Tensor<float, 4, Eigen::RowMajor>>;
    const auto memory = block_operands_for(s);
    auto& workspace = memory->workspaces[contender];
    return pass_with_scratch{[=, &workspace, x = map(memory->x.get(), s.batch, s.dim, s.side, s.side),
                              y = map(memory->y.get(), s.batch, s.dim, s.side, s.side)]() mutable {
                               y = ((*memory).*path)(x, tn::use_workspace(workspace));
                             },
                             [&workspace] { return workspace.bytes(); }};
  });
}

/// The projections of the block alone: from x to q, k and v, and from what is of the size of x to y.
void add_projections(const block_shape& s) {
  add_block_benchmark(s, "block/projections", {.flops = s.projection_flops()}, [=] {
    namespace kernel = tn::kernel;
    using problem = kernel::projection_problem<float>;
    const auto memory = block_operands_for(s);
    const auto qkv = noise<float>(3 * s.count(), 3);
    const block_of_images& block = memory->fused;
    const problem first = {.batch = s.batch,
                           .in = s.dim,
                           .out = 3 * s.dim,
                           .positions = s.tokens(),
                           .x = memory->x.get(),
                           .weight = block.qkv_weight.data(),
                           .bias = block.qkv_bias.data(),
                           .y = qkv.get()};
    const problem second = {.batch = s.batch,
                            .in = s.dim,
                            .out = s.dim,
                            .positions = s.tokens(),
                            .x = qkv.get(),
                            .weight = block.proj_weight.data(),
                            .bias = block.proj_bias.data(),
                            .y = memory->y.get()};
    const index lanes = kernel::query_lanes_at<float>(kernel::active_isa());
    const auto scratch = noise<float>(first.memory(lanes), 4);
    return [first, second, scratch, memory, qkv] {
      for (const problem& p : {first, second})
        kernel::project(p, index{0}, kernel::projection_units(p), scratch.get());
    };
  });
}

/// The block image by image with Eigen's products. A row is a channel, a column a pixel.
void eigen_block(block_operands& memory, const block_shape& s) {
  using map = Eigen::Map<const row_major<float>>;
  const map qkv_weight(memory.fused.qkv_weight.data(), 3 * s.dim, s.dim);
  const map proj_weight(memory.fused.proj_weight.data(), s.dim, s.dim);
  const Eigen::Map<const Eigen::VectorXf> qkv_bias(memory.fused.qkv_bias.data(), 3 * s.dim);
  const Eigen::Map<const Eigen::VectorXf> proj_bias(memory.fused.proj_bias.data(), s.dim);
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

}  // namespace

void add_attention2d(sweep wanted) {
  for (const block_shape& s : block_shapes) {
    if (s.smallest > wanted) continue;
    add_block(s, "fused", &block_operands::fused);
    add_block(s, "unfused", &block_operands::unfused);
    add_block_benchmark(s, "block/eigen", s.work(), [=] {
      const auto memory = block_operands_for(s);
      return [=] { eigen_block(*memory, s); };
    });
    add_projections(s);
    add_block_benchmark(s, "peak/multiply_adds", {.flops = multiply_add_flops()},
                        [] { return [] { multiply_adds(); }; });
  }
}

}  // namespace bench
