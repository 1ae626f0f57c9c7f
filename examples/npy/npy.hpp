// Arrays in .npy files, NumPy's format for one array.
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace npy {

/// A sentence that says what is wrong with a file, for the reader of the file.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using values = std::variant<std::vector<float>, std::vector<double>, std::vector<Eigen::half>>;

struct array {
  std::vector<std::ptrdiff_t> shape;
  bool fortran_order = false;  // the first axis changes fastest in memory, not the last
  npy::values values;
};

/// What the text at the head of a file says. `descr` is the element type as NumPy writes it, "<f4".
struct header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::ptrdiff_t> shape;
};

/// Reads  {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  with its keys in any order.
///
/// Throws  error, naming the place, if the text is anything else or a size is no number of elements.
header parse_header(std::string_view text);

/// The header of an array, as parse_header reads it and NumPy writes it.
std::string header_text(const array& a);

/// "float32", the name by which NumPy calls the type of the elements.
const char* type_name(const npy::values& v);

/// "2x3x4"; the empty shape is "scalar".
std::string shape_text(const std::vector<std::ptrdiff_t>& shape);

/// Reads a file of format version 1, 2 or 3 that holds float16, float32 or float64, little-endian,
/// in either storage order.
///
/// Throws  error, naming the file, if it cannot be read, is not such a file, ends too early or goes
///         on for too long. Memory is asked for only after the sizes have been compared with the file.
/// Source  https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
array read(const std::filesystem::path& file);

/// Writes a file of version 1. A file of that name is replaced once the new one is complete; after
/// an error it is as it was.
///
/// Throws  error, naming the file, if it cannot be written.
void write(const std::filesystem::path& file, const array& a);

}  // namespace npy
