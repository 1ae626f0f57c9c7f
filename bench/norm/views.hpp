// The memory of a place as Eigen sees it.
#pragma once

#include <array>
#include <tensornorm/tensornorm.hpp>
#include <vector>

#include "../devices.hpp"
#include "places.hpp"

namespace bench {

namespace tn = tensornorm;

/// What an Eigen user computes in: 16-bit data is cast to float first, or the sums would drown in rounding.
template <class Scalar>
using wide_t = tn::accumulator_t<Scalar>;

/// How the memory of a place is seen as a tensor, and the axis that is normalized.
template <class Scalar, int Rank, int Layout>
struct tensor_view {
  using tensor = Eigen::Tensor<Scalar, Rank, Layout>;
  using vector = Eigen::Tensor<Scalar, 1, Layout>;
  using wide_vector = Eigen::Tensor<wide_t<Scalar>, 1, Layout>;

  std::array<index, Rank> sizes;
  int axis;

  Eigen::TensorMap<tensor> operator()(Scalar* data) const { return {data, sizes}; }

  static vector copy_of(const std::vector<Scalar>& values) {
    return Eigen::TensorMap<const vector>(values.data(), static_cast<index>(values.size()));
  }
  static wide_vector wide_copy_of(const std::vector<Scalar>& values) {
    return Eigen::TensorMap<const vector>(values.data(), static_cast<index>(values.size()))
        .template cast<wide_t<Scalar>>();
  }
};

template <class Scalar>
using wide_array = Eigen::Array<wide_t<Scalar>, Eigen::Dynamic, 1>;

template <class Scalar>
wide_array<Scalar> wide_array_of(const std::vector<Scalar>& values) {
  using array = Eigen::Array<Scalar, Eigen::Dynamic, 1>;
  const Eigen::Map<const array> map(values.data(), static_cast<index>(values.size()));
  return map.template cast<wide_t<Scalar>>();
}

template <class Scalar>
using image_view = tensor_view<Scalar, 4, Eigen::RowMajor>;

}  // namespace bench
