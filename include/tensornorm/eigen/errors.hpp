// The wording of errors: "function: argument has this, expected that (where)".
#pragma once

#include <cstddef>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>

#include "../config.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// "2x4x5"; a rank of zero is a "scalar".
inline std::string shape_text(std::span<const std::ptrdiff_t> size) {
  std::string text;
  for (std::ptrdiff_t n : size) {
    if (!text.empty()) text += 'x';
    text += std::to_string(n);
  }
  return text.empty() ? "scalar" : text;
}

/// What every message about a call names. Text is made only when an error is.
struct call_site {
  const char* function;
  std::span<const std::ptrdiff_t> size;  // of x
  std::size_t first;                     // axes, counted from 0
  std::size_t last;

  friend std::ostream& operator<<(std::ostream& out, const call_site& call) {
    return out << " (axes {" << call.first << ", " << call.last << "} of " << shape_text(call.size) << ")";
  }
};

/// Throws std::invalid_argument with all parts in one line. Out of line: the cold end of a check.
template <class... Parts>
[[noreturn]] TENSORNORM_NOINLINE void fail(const char* function, const Parts&... parts) {
  std::ostringstream text;
  text << function << ": ";
  (text << ... << parts);
  throw std::invalid_argument(text.str());
}

/// An option that must be at least this.
inline void check_at_least(const char* function, const char* name, std::ptrdiff_t value,
                           std::ptrdiff_t least) {
  if (value < least) fail(function, name, " is ", value, ", expected at least ", least);
}

}  // namespace tensornorm::inline TENSORNORM_ABI::detail
