// The text at the head of a .npy file: the literal of a Python dictionary.
#include <charconv>
#include <limits>
#include <optional>

#include "npy.hpp"

namespace npy {
namespace {

/// Reads the few Python literals that NumPy writes.
class scanner {
 public:
  explicit scanner(std::string_view text) : text_(text) {}

  [[noreturn]] void fail(const std::string& expected) const {
    throw error("has a header that is not an array's: expected " + expected + " at character " +
                std::to_string(position_ + 1));
  }

  bool accept(char c) {
    skip_spaces();
    if (position_ == text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(std::string("'") + c + "'");
  }

  std::string quoted() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'' && !accept('\'')) fail("a quoted word");
    const std::size_t end = text_.find(quote, position_);
    if (end == std::string_view::npos) fail("a closing quote");
    std::string word(text_.substr(position_, end - position_));
    // What is quoted stands in messages; a control character there would garble a terminal.
    for (const char c : word)
      if (c < ' ' || c > '~') fail("a word in plain ASCII");
    position_ = end + 1;
    return word;
  }

  bool truth() {
    skip_spaces();
    for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {"False", false}})
      if (text_.substr(position_).starts_with(word)) {
        position_ += word.size();
        return value;
      }
    fail("True or False");
  }

  /// A tuple of sizes. That of one size needs its comma; (3) is a number.
  std::vector<std::ptrdiff_t> sizes() {
    std::vector<std::ptrdiff_t> result;
    expect('(');
    while (!accept(')')) {
      result.push_back(size());
      if (accept(',')) continue;
      if (result.size() == 1) fail("','");
      expect(')');
      break;
    }
    return result;
  }

  void expect_end() {
    skip_spaces();
    if (position_ != text_.size()) fail("nothing more");
  }

 private:
  void skip_spaces() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }

  std::ptrdiff_t size() {
    skip_spaces();
    const char* const begin = text_.data() + position_;
    std::ptrdiff_t value = 0;
    const auto [end, problem] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (problem != std::errc() || value < 0) fail("a size that fits in memory");
    position_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

/// Sizes may be zero, which makes an array empty; the others must still multiply to a number, so
/// that no product of some of them overflows later.
void check_sizes(const std::vector<std::ptrdiff_t>& shape) {
  constexpr std::ptrdiff_t largest_element = 8;
  std::ptrdiff_t limit = std::numeric_limits<std::ptrdiff_t>::max() / largest_element;
  for (const std::ptrdiff_t n : shape)
    if (n > 0) limit /= n;
  if (limit == 0) throw error("has the shape " + shape_text(shape) + ", more than memory can address");
}

template <class T>
void set_once(std::optional<T>& field, T value, const std::string& key) {
  if (field) throw error("has a header that is not an array's: it names '" + key + "' twice");
  field = std::move(value);
}

}  // namespace

header parse_header(std::string_view text) {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::ptrdiff_t>> shape;

  scanner in(text);
  in.expect('{');
  while (!in.accept('}')) {
    const std::string key = in.quoted();
    in.expect(':');
    if (key == "descr") {
      if (in.accept('[')) throw error("holds records, and an array of one floating point type is needed");
      set_once(descr, in.quoted(), key);
    } else if (key == "fortran_order") {
      set_once(fortran_order, in.truth(), key);
    } else if (key == "shape") {
      set_once(shape, in.sizes(), key);
    } else {
      in.fail("'descr', 'fortran_order' or 'shape'");
    }
    if (in.accept(',')) continue;
    in.expect('}');
    break;
  }
  in.expect_end();
  if (!descr || !fortran_order || !shape)
    throw error("has a header that is not an array's: it must name 'descr', 'fortran_order' and 'shape'");
  check_sizes(*shape);
  return {*descr, *fortran_order, *shape};
}

std::string shape_text(const std::vector<std::ptrdiff_t>& shape) {
  std::string text;
  for (const std::ptrdiff_t n : shape) {
    if (!text.empty()) text += 'x';
    text += std::to_string(n);
  }
  return text.empty() ? "scalar" : text;
}

}  // namespace npy
