// Registers the references: how fast this machine moves the same bytes without computing anything.
#pragma once

#include <cstring>

#include "../copies.hpp"
#include "../triads.hpp"
#include "add.hpp"

namespace bench {

template <class Scalar>
void add_copies_of(const place& at) {
  const auto add_copy = [&](const char* what, auto copy) {
    add<Scalar>(at, what, [=](const operands<Scalar>& memory) {
      return [=, x = memory.x_at(at.byte_offset), y = memory.y_at(at.byte_offset),
              bytes = static_cast<std::size_t>(at.shape.count()) * sizeof(Scalar)] { copy(y, x, bytes); };
    });
  };
  add_copy("copy/memcpy", [](void* y, const void* x, std::size_t bytes) { std::memcpy(y, x, bytes); });
  if (has_non_temporal_copy()) add_copy("copy/non_temporal", non_temporal_copy);
}

/// What fusion with a residual moves: two arrays are read and two written.
template <class Scalar>
void add_copies_of_two(const place& at) {
  const auto add_copy = [&](const char* what, auto copy) {
    const auto make = [=](const operands<Scalar>& memory) {
      return [=, x = memory.x_at(0), y = memory.y_at(0), skip = memory.more("skip"), sum = memory.more("sum"),
              bytes = static_cast<std::size_t>(at.shape.count()) * sizeof(Scalar)] {
        copy(sum, x, bytes);
        copy(y, skip, bytes);
      };
    };
    add<Scalar>(at, what, make, 4.0 * sizeof(Scalar));
  };
  add_copy("copy_of_two/memcpy", [](void* y, const void* x, std::size_t bytes) { std::memcpy(y, x, bytes); });
  if (has_non_temporal_copy()) add_copy("copy_of_two/non_temporal", non_temporal_copy);
}

/// What backward passes move: two arrays are read and one written.
template <class Scalar>
void add_triads_of(const place& at) {
  const auto add_triad = [&](const char* what, auto run) {
    const auto make = [=](const operands<Scalar>& memory) {
      return [=, x = memory.x_at(0), y = memory.y_at(0), dy = memory.more("dy"),
              bytes = static_cast<std::size_t>(at.shape.count()) * sizeof(Scalar)] { run(y, x, dy, bytes); };
    };
    add<Scalar>(at, what, make, 3.0 * sizeof(Scalar));
  };
  add_triad("triad/plain", triad);
  if (has_non_temporal_triad()) add_triad("triad/non_temporal", non_temporal_triad);
}

/// For every shape, and for every alignment of it. Layouts that order the same bytes otherwise need no more.
template <class Scalar>
void add_copies(sweep wanted) {
  constexpr bool is_float = std::is_same_v<Scalar, float>;
  for (const row_shape& s : row_shapes) {
    if (!is_measured<Scalar>(s, wanted)) continue;
    add_copies_of<Scalar>(rows_of(s));
    if (is_float && has_variants(s, wanted)) add_copies_of<Scalar>(rows_on_16_bytes(s));
    if (is_float && has_backward(s, wanted)) add_triads_of<Scalar>(rows_of(s));
    if (is_float && has_fusion(s, wanted)) add_copies_of_two<Scalar>(rows_of(s));
  }
  for (const image_shape& s : image_shapes)
    if (is_float && s.smallest <= wanted) add_copies_of<Scalar>(channels_last(s));
}

}  // namespace bench
