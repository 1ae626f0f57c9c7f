// How a benchmark of attention is registered.
#pragma once

#include "operands.hpp"

namespace bench {

/// Registers  key/scalar/layout/what  (what is dense/contender, causal/contender or a reference).
template <class Scalar, class Make>
void add_attention_benchmark(const attention_shape& s, const std::string& layout, const std::string& what,
                             const amount& work, Make make) {
  add_benchmark(s.key() + "/" + scalar_name<Scalar> + "/" + layout + "/" + what, s.title(), work, make);
}

/// Registers attention by one contender in one scalar type. One translation unit for each pair, since
/// compiling the kernels is what takes the time.
struct fused;
struct unfused;
struct eigen;
template <class Contender, class Scalar>
void add_attention(sweep wanted);

/// The same for its gradients.
struct attention_backward;
struct attention_unfused_backward;
template <class Contender, class Scalar>
void add_attention_backward(sweep wanted);

/// The block over images, in float.
void add_attention2d(sweep wanted);

/// The layer over tokens, in float.
void add_attention_layer(sweep wanted);

}  // namespace bench
