// Angles of rotary position embedding, kept for as long as positions stay the same.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "../eigen/argument.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// For each position cos and sin of turned / 2 angles, position · base^(-2i / turned).
template <class T>
class rotary_table {
 public:
  /// Rows for positions [first, first + tokens).
  const T* rows(index first, index tokens, index turned, double base) {
    if (turned != turned_ || base != base_) start(turned, base);
    if (first != first_ || tokens > tokens_) fill(first, tokens);
    return table_.data();
  }

 private:
  void start(index turned, double base) {
    turned_ = turned;
    base_ = base;
    tokens_ = 0;
    frequencies_.resize(static_cast<std::size_t>(turned / 2));
    for (std::size_t i = 0; i < frequencies_.size(); ++i)
      frequencies_[i] = std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(turned));
  }
  void fill(index first, index tokens) {
    first_ = first;
    tokens_ = tokens;
    table_.resize(static_cast<std::size_t>(tokens * turned_));
    T* row = table_.data();
    for (index t = first; t < first + tokens; ++t, row += turned_)
      for (std::size_t i = 0; i < frequencies_.size(); ++i) {
        const double angle = static_cast<double>(t) * frequencies_[i];
        row[i] = static_cast<T>(std::cos(angle));
        row[frequencies_.size() + i] = static_cast<T>(std::sin(angle));
      }
  }

  index turned_ = 0, first_ = 0, tokens_ = 0;
  double base_ = 0;
  std::vector<double> frequencies_;
  std::vector<T> table_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
