// Counts allocations: those of operator new, and those of Eigen's own memory, which comes from malloc
// and which Eigen reports through eigen_assert. For a program of one translation unit, which includes
// this first, and allocations.cpp.
#pragma once

#include <cstdlib>

namespace tensornorm_test {

inline bool counting_allocations = false;
inline int counted_allocations = 0;

inline void count_allocation() {
  if (counting_allocations) ++counted_allocations;
}

/// Eigen asserts is_malloc_allowed() before each of its allocations. Other assertions end the program.
inline void eigen_assertion(bool holds) {
  if (holds) return;
  if (!counting_allocations) std::abort();
  count_allocation();
}

}  // namespace tensornorm_test

#define EIGEN_RUNTIME_NO_MALLOC
#define eigen_assert(condition) ::tensornorm_test::eigen_assertion(static_cast<bool>(condition))
#include <Eigen/Core>

namespace tensornorm_test {

/// The number of allocations that work() makes.
template <class Work>
int allocations_of(const Work& work) {
  counted_allocations = 0;
  Eigen::internal::set_is_malloc_allowed(false);
  counting_allocations = true;
  work();
  counting_allocations = false;
  Eigen::internal::set_is_malloc_allowed(true);
  return counted_allocations;
}

}  // namespace tensornorm_test
