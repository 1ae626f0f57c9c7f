// The memory that one shape of attention is measured in: every contender and every reference gets the same.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <tensornorm/tensornorm.hpp>

#include "../memory.hpp"
#include "shapes.hpp"

namespace bench {

namespace tn = tensornorm;

/// `count` numbers of unit noise on a cache line.
template <class Scalar>
std::shared_ptr<Scalar> noise(index count, unsigned seed, float deviation = 1) {
  auto memory =
      std::static_pointer_cast<Scalar>(allocate_lines(static_cast<std::size_t>(count) * sizeof(Scalar)));
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<Scalar> values(8191);  // a prime, so that no two heads are alike
  for (Scalar& value : values) value = Scalar(normal(random));
  for (index i = 0; i < count; ++i) memory.get()[i] = values[static_cast<std::size_t>(i) % values.size()];
  return memory;
}

template <class Scalar>
struct attention_operands {
  explicit attention_operands(const attention_shape& s)
      : q(noise<Scalar>(s.query_count(), 1)),
        k(noise<Scalar>(s.key_count(), 2)),
        v(noise<Scalar>(s.key_count(), 3)),
        o(noise<Scalar>(s.query_count(), 4)) {}

  std::shared_ptr<Scalar> q;
  std::shared_ptr<Scalar> k;
  std::shared_ptr<Scalar> v;
  std::shared_ptr<Scalar> o;
  std::map<std::string, tn::attention_workspace> workspaces;  // of each contender, as a program would keep it
  Eigen::Matrix<tn::accumulator_t<Scalar>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> scores;
};

template <class Scalar>
std::shared_ptr<attention_operands<Scalar>> attention_operands_for(const attention_shape& s) {
  return std::static_pointer_cast<attention_operands<Scalar>>(only_alive(
      s.key() + "/" + scalar_name<Scalar>, [&s] { return std::make_shared<attention_operands<Scalar>>(s); }));
}

}  // namespace bench
