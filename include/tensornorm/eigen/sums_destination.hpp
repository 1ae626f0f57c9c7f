// Where sums go that were taken in double.
#pragma once

#include "gradient_requests.hpp"
#include "operand.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// Memory for sums that were taken in double: numbers of the scalar type of q, or of its accumulator.
template <class Scalar>
struct sums_destination {
  using accumulator = accumulator_t<Scalar>;

  operand<Scalar> narrow;
  operand<accumulator> wide;
  update mode = update::overwrite;

  bool wanted() const { return narrow.data || wide.data; }
  void set(const operand<accumulator>& place) { wide = place; }
  void set(const operand<Scalar>& place) requires(!std::is_same_v<Scalar, accumulator>) { narrow = place; }

  /// Sums in row-major order.
  void write(const double* sums) const {
    if (wide.data) write_to(wide, sums);
    if (narrow.data) write_to(narrow, sums);
  }

 private:
  template <class T>
  void write_to(const operand<T>& place, const double* sum) const {
    T* const data = const_cast<T*>(place.data);
    const auto& step = place.stride;
    for (index a = 0; a < place.size[0]; ++a)
      for (index b = 0; b < place.size[1]; ++b)
        for (index c = 0; c < place.size[2]; ++c)
          for (index d = 0; d < place.size[3]; ++d) {
            T& to = data[a * step[0] + b * step[1] + c * step[2] + d * step[3]];
            const double old = mode == update::accumulate ? static_cast<double>(to) : 0;
            to = static_cast<T>(static_cast<accumulator>(old + *sum++));
          }
  }
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
