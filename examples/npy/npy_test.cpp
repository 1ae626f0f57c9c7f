// Files that NumPy writes, files that it would not, and thousands of damaged ones.
#include <gmock/gmock.h>

#include <cstring>
#include <fstream>
#include <random>

#include "npy.hpp"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::filesystem::path scratch(const std::string& name) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "tensornorm_npy_test";
  std::filesystem::create_directories(folder);
  return folder / name;
}

/// Some file systems wait for the disk when a file is written over; a new file is quick.
void write_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::remove(file);
  std::ofstream(file, std::ios::binary) << bytes;
}

std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A file put together by hand, byte by byte, as the format's page describes it.
std::string file_bytes(const std::string& header, const std::string& elements, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  for (std::size_t n = 0; n < length_bytes; ++n) bytes += static_cast<char>(header.size() >> 8 * n & 0xff);
  return bytes + header + elements;
}

std::string float_bytes(std::initializer_list<float> values) {
  std::string bytes;
  for (const float value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return bytes;
}

const std::string pair_header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";

/// What read() says about a file of these bytes, without the name of the file.
std::string complaint(const std::string& bytes) {
  const auto file = scratch("complaint.npy");
  write_bytes(file, bytes);
  try {
    npy::read(file);
  } catch (const npy::error& problem) {
    const std::string text = problem.what();
    EXPECT_TRUE(text.starts_with(file.string() + " ")) << text;
    return text.substr(file.string().size() + 1);
  }
  return "nothing";
}

std::string complaint_about_header(const std::string& header) {
  return complaint(file_bytes(header, float_bytes({1, 2})));
}

TEST(npy_test, reads_each_version_of_the_format) {
  for (const char version : {'\1', '\2', '\3'}) {
    const auto file = scratch("version.npy");
    write_bytes(file, file_bytes(pair_header, float_bytes({1, 2}), version));
    const npy::array a = npy::read(file);
    EXPECT_THAT(a.shape, ElementsAre(2));
    EXPECT_FALSE(a.fortran_order);
    EXPECT_THAT(std::get<std::vector<float>>(a.values), ElementsAre(1.f, 2.f));
  }
}

TEST(npy_test, reads_headers_in_any_order_and_spacing) {
  const npy::header head =
      npy::parse_header("{\"shape\":(2,3) , 'fortran_order' :True,'descr':\"<f8\"}   \n");
  EXPECT_EQ(head.descr, "<f8");
  EXPECT_TRUE(head.fortran_order);
  EXPECT_THAT(head.shape, ElementsAre(2, 3));
  EXPECT_THAT(npy::parse_header("{'descr': '<f8', 'fortran_order': False, 'shape': ()}").shape,
              ElementsAre());
}

TEST(npy_test, reads_what_it_wrote) {
  const auto file = scratch("round_trip.npy");
  for (const npy::values& values :
       {npy::values(std::vector<float>{1, 2, 3, 4, 5, 6}), npy::values(std::vector<double>{1, 2, 3, 4, 5, 6}),
        npy::values(std::vector<Eigen::half>(6, Eigen::half(0.1f)))})
    for (const std::vector<std::ptrdiff_t>& shape :
         {std::vector<std::ptrdiff_t>{6}, {2, 3}, {1, 1, 3, 1, 2, 1}})
      for (const bool fortran_order : {false, true}) {
        npy::write(file, {shape, fortran_order, values});
        const npy::array a = npy::read(file);
        EXPECT_EQ(a.shape, shape);
        EXPECT_EQ(a.fortran_order, fortran_order);
        EXPECT_EQ(a.values, values);
      }
}

TEST(npy_test, writes_the_bytes_that_numpy_writes) {
  const auto file = scratch("bytes.npy");
  npy::write(file, {{2}, false, std::vector<float>{1, 2}});
  std::string header = pair_header.substr(0, pair_header.size() - 1);
  header.resize(128 - 10 - 1, ' ');
  EXPECT_EQ(read_bytes(file), file_bytes(header + "\n", float_bytes({1, 2})));
}

TEST(npy_test, names_what_is_missing_from_a_short_file) {
  const std::string whole = file_bytes(pair_header, float_bytes({1, 2}));
  EXPECT_EQ(complaint(""), "is not a .npy file");
  EXPECT_EQ(complaint(whole.substr(0, 7)), "ends within its version");
  EXPECT_EQ(complaint(whole.substr(0, 9)), "ends within the length of its header");
  EXPECT_EQ(complaint(whole.substr(0, 20)), "ends within its header");
  EXPECT_EQ(complaint(whole.substr(0, whole.size() - 1)),
            "ends too early: 7 bytes of elements, expected 8 for 2 of float32");
  EXPECT_EQ(complaint(whole + "x"), "goes on for too long: 9 bytes of elements, expected 8 for 2 of float32");
  EXPECT_EQ(complaint(whole), "nothing");
}

TEST(npy_test, refuses_other_files_and_other_versions) {
  EXPECT_EQ(complaint("PK\3\4 and so on, as in a .npz file"), "is not a .npy file");
  std::string version_4 = file_bytes(pair_header, float_bytes({1, 2}));
  version_4[6] = 4;
  EXPECT_EQ(complaint(version_4), "has version 4.0 of the format, and 1.0, 2.0 or 3.0 is needed");
  EXPECT_THROW(npy::read(scratch("absent.npy")), npy::error);
  EXPECT_THROW(npy::read(scratch("")), npy::error);
}

TEST(npy_test, refuses_elements_of_another_type) {
  const auto of_type = [](const std::string& descr) {
    return complaint_about_header("{'descr': " + descr + ", 'fortran_order': False, 'shape': (2,)}");
  };
  EXPECT_THAT(of_type("'>f4'"), HasSubstr("holds big-endian elements ('>f4')"));
  EXPECT_THAT(of_type("'<i8'"), HasSubstr("holds elements of type '<i8'"));
  EXPECT_THAT(of_type("'|V2'"), HasSubstr("perhaps bfloat16"));
  EXPECT_THAT(of_type("[('a', '<f4')]"), HasSubstr("holds records"));
  EXPECT_THAT(of_type("'\x1b[2J'"), HasSubstr("plain ASCII"));
}

TEST(npy_test, refuses_shapes_that_are_none) {
  const auto of_shape = [](const std::string& shape) {
    return complaint_about_header("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}");
  };
  for (const char* shape :
       {"(2)", "2", "(2", "(-2,)", "(2.0,)", "(2,,)", "(,)", "(99999999999999999999,)", "[2]", "(0x2,)"})
    EXPECT_THAT(of_shape(shape), HasSubstr("has a header that is not an array's: expected ")) << shape;
  EXPECT_EQ(of_shape("(4294967296, 4294967296)"),
            "has the shape 4294967296x4294967296, more than memory can address");
  EXPECT_THAT(of_shape("(0, 4294967296, 4294967296)"), HasSubstr("more than memory can address"));
  EXPECT_THAT(of_shape("(1000000000000,)"), HasSubstr("ends too early"));
}

TEST(npy_test, refuses_headers_that_are_no_dictionary_of_the_three_keys) {
  for (const char* header :
       {"", "{", "{}", "()", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", "{'descr: "})
    EXPECT_THAT(complaint_about_header(header), HasSubstr("has a header that is not an array's: ")) << header;
}

TEST(npy_test, leaves_the_old_file_alone_when_it_cannot_write) {
  const auto folder = scratch("folder.npy");
  std::filesystem::create_directories(folder);
  const npy::array a{{2}, false, std::vector<float>{1, 2}};
  EXPECT_THROW(npy::write(folder, a), npy::error);
  EXPECT_TRUE(std::filesystem::is_directory(folder));
  EXPECT_THROW(npy::write(scratch("no_such_folder") / "x.npy", a), npy::error);
}

/// Changes, removes or adds some bytes.
std::string damaged(std::string bytes, std::mt19937& random) {
  const auto below = [&random](std::size_t n) { return random() % n; };
  const std::string likely = "{}()[]',:\"\\0123456789-<>|fVTF \n";
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t place = below(bytes.size());
    const char c = below(2) ? likely[below(likely.size())] : static_cast<char>(below(256));
    const std::size_t kind = below(4);
    if (kind == 0)
      bytes.insert(place, 1 + below(3), c);
    else if (kind == 1)
      bytes.erase(place, 1 + below(bytes.size() - place < 20 ? 1 : 20));
    else
      bytes[place] = c;
  }
  return bytes;
}

TEST(npy_test, reads_or_refuses_damaged_files_and_does_nothing_else) {
  std::mt19937 random(20);
  const std::vector<std::string> whole{
      file_bytes(pair_header, float_bytes({1, 2})), file_bytes(pair_header, float_bytes({1, 2}), 2),
      file_bytes("{'descr': '<f2', 'fortran_order': True, 'shape': (2, 2), }\n", float_bytes({1, 2}), 3)};
  std::size_t refused = 0, read = 0;
  const auto file = scratch("damaged.npy");
  for (std::size_t round = 0; round < 3000; ++round) {
    write_bytes(file, damaged(whole[round % whole.size()], random));
    try {
      const npy::array a = npy::read(file);
      std::ptrdiff_t count = 1;
      for (const std::ptrdiff_t n : a.shape) count *= n;
      ASSERT_EQ(std::visit([](const auto& values) { return values.size(); }, a.values),
                static_cast<std::size_t>(count));
      ++read;
    } catch (const npy::error& problem) {
      ASSERT_EQ(std::string(problem.what()).find('\n'), std::string::npos) << problem.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(read, 10u);
}

}  // namespace
