// Registers the references: multiply-adds alone, and for a single query the reading of all keys and values.
#pragma once

#include "../peaks.hpp"
#include "add.hpp"

namespace bench {

template <class Scalar>
void add_attention_references(sweep wanted) {
  for (const attention_shape& s : measured_attention_shapes<Scalar>(wanted)) {
    add_attention_benchmark<Scalar>(s, "heads_first", "peak/multiply_adds", {.flops = multiply_add_flops()},
                                    [] { return [] { multiply_adds(); }; });
    if (!s.is_decode()) continue;
    const auto bytes_of_each = static_cast<std::size_t>(s.key_count()) * sizeof(Scalar);
    for (const read_variant& variant : read_variants())
      add_attention_benchmark<Scalar>(s, "heads_first", std::string("read/") + variant.name,
                                      {.bytes = 2 * static_cast<double>(bytes_of_each)}, [=, &variant] {
                                        const auto memory = attention_operands_for<Scalar>(s);
                                        return [=, &variant] {
                                          variant.run(memory->k.get(), memory->v.get(), bytes_of_each);
                                        };
                                      });
  }
}

}  // namespace bench
