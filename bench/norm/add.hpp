// How a benchmark of a norm is registered.
#pragma once

#include "../suite.hpp"
#include "operands.hpp"
#include "places.hpp"

namespace bench {

/// Registers  key/scalar/layout/what  (what is work/contender, or copy/ or triad/ and a reference).
/// make(operands) is called before the clock starts and returns what is timed: a function object that moves
/// so many bytes for each element. Unless told, it reads all of x and writes all of y.
template <class Scalar, class Make>
void add(const place& at, const std::string& what, Make make, double bytes_of_each = 2.0 * sizeof(Scalar)) {
  const std::string key = at.key + "/" + scalar_name<Scalar>;
  const double bytes = bytes_of_each * static_cast<double>(at.shape.count());
  add_benchmark(key + "/" + at.layout + "/" + what, at.title, {.bytes = bytes}, [=, shape = at.shape] {
    const auto memory = operands_for<Scalar>(key, shape);  // lives on until another shape's turn
    return make(*memory);
  });
}

/// Registers every benchmark of one norm in one scalar type. One translation unit for each pair, since
/// compiling the kernels is what takes the time.
struct rms_norm;
struct simple_norm;
struct layer_norm;
template <class Norm, class Scalar>
void add_norm(sweep wanted);

/// The same for its backward pass.
struct rms_norm_backward;
struct simple_norm_backward;
struct layer_norm_backward;
template <class Norm, class Scalar>
void add_norm_backward(sweep wanted);

/// The same for what is fused with a norm.
struct rms_norm_fused;
struct layer_norm_fused;
template <class Norm, class Scalar>
void add_norm_fused(sweep wanted);

}  // namespace bench
