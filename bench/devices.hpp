// The devices that Eigen and this library run on. The build defines EIGEN_USE_THREADS.
#pragma once

#include <unsupported/Eigen/CXX11/Tensor>

namespace bench {

inline const Eigen::DefaultDevice& one_thread() {
  static const Eigen::DefaultDevice device;
  return device;
}

inline const Eigen::ThreadPoolDevice& two_threads() {
  static Eigen::ThreadPool pool(2);
  static const Eigen::ThreadPoolDevice device(&pool, 2);
  return device;
}

}  // namespace bench
