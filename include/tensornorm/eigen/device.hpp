// Work in pieces on a device.
#pragma once

#include <algorithm>
#include <type_traits>
#include <unsupported/Eigen/CXX11/Tensor>

#include "../view/rows.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

using kernel::index;

/// A device with threads, such as Eigen::ThreadPoolDevice.
template <class Device>
concept parallel_device = requires(const Device& device) {
  device.parallelFor(
      Eigen::Index(), Eigen::TensorOpCost(), [](Eigen::Index block) { return block; },
      [](Eigen::Index, Eigen::Index) {});
  static_cast<index>(device.numThreads());
};

/// The units that fall to each thread of a device.
template <class Device>
index share_of(index units, const Device& device) {
  if constexpr (parallel_device<Device>)
    return (units + device.numThreads() - 1) / device.numThreads();
  else
    return units;
}

/// Calls work(first, last) for ranges that make up units [0, units), on the threads of the device if it has
/// any. `align` may make a piece larger than Eigen would.
template <class Device, class Work, class Align>
void run_units(index units, const Eigen::TensorOpCost& cost, const Device& device, const Work& work,
               const Align& align) {
  if constexpr (parallel_device<Device>) {
    device.parallelFor(units, cost, align, work);
  } else {
    static_assert(std::is_same_v<Device, Eigen::DefaultDevice>,
                  "tensornorm runs on Eigen::DefaultDevice and on devices with parallelFor, such as "
                  "Eigen::ThreadPoolDevice; evaluate on one of these");
    work(index{0}, units);
  }
}

/// The same for units that cost the same: a piece for each thread, and then the caller's thread takes one
/// instead of waiting for a hop.
template <class Device, class Work>
void run_evenly(index units, const Eigen::TensorOpCost& cost, const Device& device, const Work& work) {
  run_units(units, cost, device, work, [&](index block) { return std::max(block, share_of(units, device)); });
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
