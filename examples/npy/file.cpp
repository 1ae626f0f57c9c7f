// Reading and writing .npy files: magic word, version, length of the header, header, elements.
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <system_error>

#include "npy.hpp"

namespace npy {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are read as they lie in the file, little-endian");

constexpr std::string_view magic = "\x93NUMPY";

template <class Scalar>
struct type_facts;
template <>
struct type_facts<Eigen::half> {
  static constexpr const char *descr = "<f2", *name = "float16";
};
template <>
struct type_facts<float> {
  static constexpr const char *descr = "<f4", *name = "float32";
};
template <>
struct type_facts<double> {
  static constexpr const char *descr = "<f8", *name = "float64";
};

template <class Scalar>
constexpr type_facts<Scalar> facts_of(const std::vector<Scalar>&) {
  return {};
}

const char* descr_of(const npy::values& v) {
  return std::visit([](const auto& elements) { return facts_of(elements).descr; }, v);
}

/// No elements yet, of the type that a header names.
npy::values empty_values(const std::string& descr) {
  for (npy::values candidate : {npy::values(std::vector<float>()), npy::values(std::vector<double>()),
                                npy::values(std::vector<Eigen::half>())})
    if (descr == descr_of(candidate)) return candidate;
  const std::string readable = ", and float16, float32 or float64 in little-endian order is needed";
  if (descr.starts_with(">")) throw error("holds big-endian elements ('" + descr + "')" + readable);
  if (descr.ends_with("V2"))
    throw error("holds raw elements of 2 bytes ('" + descr +
                "'; perhaps bfloat16, for which .npy has no name)" + readable);
  throw error("holds elements of type '" + descr + "'" + readable);
}

/// The rest of a file, counted, so that nothing is read or allocated that is not there.
class source {
 public:
  explicit source(const std::filesystem::path& file) {
    std::error_code problem;
    if (!std::filesystem::exists(file, problem)) throw error("does not exist");
    if (!std::filesystem::is_regular_file(file, problem)) throw error("is not a regular file");
    left_ = std::filesystem::file_size(file, problem);
    in_.open(file, std::ios::binary);
    if (problem || !in_) throw error("cannot be opened for reading");
  }

  std::uintmax_t left() const { return left_; }

  void read(void* data, std::size_t bytes) {
    in_.read(static_cast<char*>(data), static_cast<std::streamsize>(bytes));
    if (!in_) throw error("cannot be read");
    left_ -= bytes;
  }

  /// The next bytes as text; `part` says what is missing if there are not so many.
  std::string text(std::size_t bytes, const char* part) {
    if (left_ < bytes) throw error(std::string("ends within ") + part);
    std::string result(bytes, '\0');
    read(result.data(), bytes);
    return result;
  }

 private:
  std::ifstream in_;
  std::uintmax_t left_ = 0;
};

header read_header(source& in) {
  if (in.left() < magic.size() || in.text(magic.size(), "its magic word") != magic)
    throw error("is not a .npy file");
  const std::string version = in.text(2, "its version");
  if (version[0] < 1 || version[0] > 3 || version[1] != 0)
    throw error("has version " + std::to_string(static_cast<unsigned char>(version[0])) + "." +
                std::to_string(static_cast<unsigned char>(version[1])) +
                " of the format, and 1.0, 2.0 or 3.0 is needed");
  const std::string length_bytes = in.text(version[0] == 1 ? 2 : 4, "the length of its header");
  std::size_t length = 0;
  std::memcpy(&length, length_bytes.data(), length_bytes.size());
  return parse_header(in.text(length, "its header"));
}

array read_array(source& in) {
  header head = read_header(in);
  array result{std::move(head.shape), head.fortran_order, empty_values(head.descr)};
  std::size_t count = 1;
  for (const std::ptrdiff_t n : result.shape) count *= static_cast<std::size_t>(n);
  std::visit(
      [&](auto& elements) {
        const std::uintmax_t bytes = count * sizeof(elements[0]);
        if (in.left() != bytes)
          throw error((in.left() < bytes ? "ends too early: " : "goes on for too long: ") +
                      std::to_string(in.left()) + " bytes of elements, expected " + std::to_string(bytes) +
                      " for " + shape_text(result.shape) + " of " + type_name(result.values));
        elements.resize(count);
        in.read(elements.data(), bytes);
      },
      result.values);
  return result;
}

void write_array(std::ofstream& out, const array& a) {
  std::string text = header_text(a);
  constexpr std::size_t prefix = magic.size() + 4, alignment = 64;  // of the elements, as NumPy does
  text.append(alignment - (prefix + text.size() + 1) % alignment, ' ');
  text += '\n';
  out << magic << '\1' << '\0' << static_cast<char>(text.size() & 0xff) << static_cast<char>(text.size() >> 8)
      << text;
  std::visit(
      [&out](const auto& elements) {
        out.write(reinterpret_cast<const char*>(elements.data()),
                  static_cast<std::streamsize>(elements.size() * sizeof(elements[0])));
      },
      a.values);
}

/// Puts the name of the file before what is wrong with it.
template <class Action>
auto naming(const std::filesystem::path& file, Action action) {
  try {
    return action();
  } catch (const error& problem) {
    throw error(file.string() + " " + problem.what());
  }
}

}  // namespace

const char* type_name(const npy::values& v) {
  return std::visit([](const auto& elements) { return facts_of(elements).name; }, v);
}

std::string header_text(const array& a) {
  std::string text = std::string("{'descr': '") + descr_of(a.values) +
                     "', 'fortran_order': " + (a.fortran_order ? "True" : "False") + ", 'shape': (";
  for (std::size_t axis = 0; axis < a.shape.size(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(a.shape[axis]);
  }
  return text + (a.shape.size() == 1 ? ",), }" : "), }");
}

array read(const std::filesystem::path& file) {
  return naming(file, [&file] {
    source in(file);
    return read_array(in);
  });
}

void write(const std::filesystem::path& file, const array& a) {
  naming(file, [&] {
    std::error_code problem;
    const std::filesystem::path target = std::filesystem::weakly_canonical(file, problem);
    if (problem) throw error("cannot be opened for writing");
    if (std::filesystem::exists(target, problem) && !std::filesystem::is_regular_file(target, problem))
      throw error("is not a regular file");
    const std::filesystem::path part = target.string() + ".part";
    std::ofstream out(part, std::ios::binary);
    if (!out) throw error("cannot be opened for writing");
    write_array(out, a);
    out.close();
    if (out) std::filesystem::rename(part, target, problem);
    if (out && !problem) return;
    std::filesystem::remove(part, problem);
    throw error("cannot be written");
  });
}

}  // namespace npy
