// Attention2d from its formulas alone, in long double, with the bound that its parts promise. Shares no code
// with the library.
#pragma once

#include <cmath>
#include <functional>
#include <tensornorm/nn/attention2d.hpp>
#include <vector>

#include "../support/tensors.hpp"
#include "../support/uncertain.hpp"

namespace tensornorm_test {

using options_2d = tn::attention2d_options;
using index_2d = Eigen::Index;

template <class T>
using images = row_major_tensor<T, 4>;

struct case_2d {
  const char* name;
  index_2d batch, height, width;
  options_2d options;

  index_2d positions() const { return height * width; }
  index_2d dim_out() const { return options.dim_out ? options.dim_out : options.dim; }
};

/// What a reference does otherwise than it should, for tests of the tests.
enum class mistake { none, scale_by_heads, other_head_order, no_bias, heads_one_after_another };

/// What positions see of each other. Absent functions see all and add nothing.
struct sight_2d {
  std::function<real(index_2d image, index_2d head, index_2d query, index_2d key)> bias;
  std::function<bool(index_2d image, index_2d head, index_2d query, index_2d key)> keep;
};

struct reference_2d {
  std::vector<real> y;
  std::vector<real> bound;      // of the whole block
  std::vector<real> attention;  // of attention and the last projection: what two paths may differ by, each
};

template <class T>
reference_2d reference_attention_2d(const tn::Attention2d<T>& block, const case_2d& c,
                                    const std::vector<T>& x, const sight_2d& sight = {},
                                    mistake wrong = mistake::none) {
  using A = tn::accumulator_t<T>;
  const auto at = [](index_2d i) { return static_cast<std::size_t>(i); };
  const options_2d& options = c.options;
  const index_2d positions = c.positions(), heads = options.heads;
  const index_2d channels = options.expand_first ? c.dim_out() : options.dim;
  const index_2d dim = channels / heads;
  const real scale = 1 / std::sqrt(static_cast<real>(wrong == mistake::scale_by_heads ? heads : dim));
  const bool head_first = options.head_first != (wrong == mistake::other_head_order);
  const bool bias = options.bias && wrong != mistake::no_bias;
  // Channels of o: h * dim + d.
  const auto out_channel = [&](index_2d h, index_2d d) {
    return wrong == mistake::heads_one_after_another ? d * heads + h : h * dim + d;
  };
  reference_2d result;
  for (index_2d n = 0; n < c.batch; ++n) {
    std::vector<uncertain> qkv(at(3 * channels * positions)), o(at(channels * positions)), own(o.size());
    for (index_2d k = 0; k < 3 * channels; ++k)
      for (index_2d p = 0; p < positions; ++p)
        qkv[at(k * positions + p)] =
            uncertain_projection<A>(
                bias ? widen(block.qkv_bias(k)) : 0, options.dim,
                [&](index_2d i) { return widen(block.qkv_weight(k, i)); },
                [&](index_2d i) {
                  return uncertain{widen(x[at((n * options.dim + i) * positions + p)]), 0};
                })
                .template stored<T>();
    const auto of = [&](index_2d part, index_2d h, index_2d d, index_2d p) {
      const index_2d channel = head_first ? (h * 3 + part) * dim + d : (part * heads + h) * dim + d;
      return qkv[at(channel * positions + p)];
    };
    for (index_2d h = 0; h < heads; ++h)
      for (index_2d i = 0; i < positions; ++i) {
        const auto score = [&](index_2d j) {
          uncertain s;
          for (index_2d d = 0; d < dim; ++d) {
            const uncertain q = of(0, h, d, i), k = of(1, h, d, j);
            s.value += scale * q.value * k.value;
            s.error +=
                scale * (std::abs(q.value) * k.error + q.error * std::abs(k.value) + q.error * k.error);
          }
          if (sight.bias) s.value += sight.bias(n, h, i, j);
          if (sight.keep && !sight.keep(n, h, i, j)) s.value = -std::numeric_limits<real>::infinity();
          return s;
        };
        const attended_row row = uncertain_attention<A>(
            positions, dim, score, [&](index_2d j, index_2d d) { return of(2, h, d, j); });
        for (index_2d d = 0; d < dim; ++d) {
          const uncertain& moved = row.moved[at(d)];
          const std::size_t place = at(out_channel(h, d) * positions + i);
          own[place] = uncertain{moved.value, row.own}.template stored<T>();
          o[place] = uncertain{moved.value, moved.error + row.own}.template stored<T>();
        }
      }
    for (index_2d k = 0; k < c.dim_out(); ++k)
      for (index_2d p = 0; p < positions; ++p) {
        const auto from = [&](const std::vector<uncertain>& input) {
          return uncertain_projection<A>(
                     bias ? widen(block.proj_bias(k)) : 0, channels,
                     [&](index_2d i) { return widen(block.proj_weight(k, i)); },
                     [&](index_2d i) { return input[at(i * positions + p)]; })
              .template stored<T>();
        };
        const uncertain y = from(o);
        result.y.push_back(y.value);
        result.bound.push_back(y.error);
        result.attention.push_back(from(own).error);
      }
  }
  return result;
}

/// How many times its bound the worst element is away.
template <class T>
real worst_of_bounds(const std::vector<T>& y, const reference_2d& expected) {
  if (y.size() != expected.y.size()) return std::numeric_limits<real>::infinity();
  real worst = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const real share = std::abs(widen(y[i]) - expected.y[i]) / expected.bound[i];
    if (!(share <= worst)) worst = share;  // a NaN stays
  }
  return worst;
}

template <class T>
images<T> input_of(const case_2d& c, std::uint32_t seed = 241) {
  return normal_tensor<images<T>>({c.batch, c.options.dim, c.height, c.width}, seed, 0.1, 2.1);
}

template <class T>
tn::Attention2d<T> block_of(const case_2d& c, tn::attention_path path = tn::attention_path::fused) {
  auto options = c.options;
  options.path = path;
  return tn::Attention2d<T>(options, 7);
}

inline constexpr tn::attention_path paths_2d[] = {tn::attention_path::fused, tn::attention_path::unfused};

inline const std::vector<case_2d>& cases_2d() {
  static const std::vector<case_2d> cases{
      {"three heads of four", 2, 3, 5, {.dim = 12, .heads = 3}},
      {"four heads of three", 1, 5, 2, {.dim = 12, .heads = 4}},
      {"heads first", 2, 4, 7, {.dim = 10, .heads = 2, .head_first = true}},
      {"expanding first", 1, 3, 4, {.dim = 6, .dim_out = 16, .heads = 2, .expand_first = true}},
      {"expanding first to less", 1, 2, 6, {.dim = 18, .dim_out = 8, .heads = 4, .expand_first = true}},
      {"expanding last", 2, 2, 3, {.dim = 16, .dim_out = 5, .heads = 8}},
      {"without bias", 1, 6, 3, {.dim = 12, .dim_out = 20, .heads = 2, .bias = false}},
      {"all the other way",
       2,
       1,
       7,
       {.dim = 9, .dim_out = 15, .heads = 3, .bias = false, .expand_first = true, .head_first = true}},
      {"one position", 3, 1, 1, {.dim = 8, .heads = 2, .head_first = true}},
      {"one head", 1, 7, 9, {.dim = 20, .heads = 1}},
      {"more positions than a block", 1, 14, 14, {.dim = 16, .heads = 2}}};
  return cases;
}

}  // namespace tensornorm_test
