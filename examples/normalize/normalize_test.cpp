// Runs the program `normalize` as a user would: on good files, and on everything that can be wrong.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "../npy/npy.hpp"

#if __has_include(<sys/wait.h>)
#include <sys/wait.h>
#endif

namespace {

using testing::DoubleNear;
using testing::HasSubstr;
using testing::Not;
using testing::Pointwise;
using testing::StartsWith;

struct outcome {
  int exit_code;
  std::string out;
  std::string err;
};

/// Files of their own for each test, in a folder that is the program's working folder.
class normalize_test : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "tensornorm_normalize_test" /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }

  static outcome run(const std::string& arguments) {
    int status = std::system(("\"" NORMALIZE_PROGRAM "\" " + arguments + " >out.txt 2>err.txt").c_str());
#if defined(WIFEXITED)
    status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
#endif
    return {status, text_of("out.txt"), text_of("err.txt")};
  }

  static std::string text_of(const char* file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::filesystem::path folder_;
  std::filesystem::path before_;
};

template <class Scalar>
std::vector<double> as_doubles(const std::vector<Scalar>& values) {
  std::vector<double> result;
  for (const Scalar value : values) result.push_back(static_cast<double>(value));
  return result;
}

/// What a good run wrote.
std::vector<double> values_in(const char* file) {
  return std::visit([](const auto& values) { return as_doubles(values); }, npy::read(file).values);
}

/// The element of a 2x3x4 array at these indices.
double sample(int i, int j, int k) { return 0.5 * i - 0.25 * j * j + k * (i + 0.125); }

/// A 2x3x4 array of a type, in a storage order.
template <class Scalar>
npy::array samples(bool fortran_order) {
  std::vector<Scalar> values(24);
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k)
        values[static_cast<std::size_t>(fortran_order ? i + 2 * j + 6 * k : 12 * i + 4 * j + k)] =
            static_cast<Scalar>(sample(i, j, k));
  return {{2, 3, 4}, fortran_order, values};
}

/// layer_norm over the last two axes by its formula, in C order, weight[j][k] = 1 + j + 3k, bias 0.5.
std::vector<double> layer_norm_of_samples(double eps, double correction) {
  std::vector<double> result;
  for (int i = 0; i < 2; ++i) {
    double mean = 0, square = 0;
    for (int n = 0; n < 12; ++n) mean += sample(i, n / 4, n % 4) / 12;
    for (int n = 0; n < 12; ++n) square += std::pow(sample(i, n / 4, n % 4) - mean, 2);
    for (int n = 0; n < 12; ++n)
      result.push_back((sample(i, n / 4, n % 4) - mean) / std::sqrt(square / (12 - correction) + eps) *
                           (1 + n / 4 + 3 * (n % 4)) +
                       0.5);
  }
  return result;
}

void write_weight_and_bias() {
  std::vector<float> c_order, fortran_order;
  for (int n = 0; n < 12; ++n) c_order.push_back(static_cast<float>(1 + n / 4 + 3 * (n % 4)));
  for (int n = 0; n < 12; ++n) fortran_order.push_back(static_cast<float>(1 + n % 3 + 3 * (n / 3)));
  npy::write("w.npy", {{3, 4}, false, c_order});
  npy::write("w_fortran.npy", {{3, 4}, true, fortran_order});
  npy::write("w_flat.npy", {{12}, false, c_order});
  npy::write("b.npy", {{3, 4}, false, std::vector<double>(12, 0.5)});
}

/// Runs the program on x.npy, checks what it wrote against C order values, and returns what it said.
std::string expect_values(const std::string& norm, const std::string& options,
                          const std::vector<double>& expected, double tolerance,
                          outcome (*run)(const std::string&)) {
  const outcome result = run(norm + " x.npy y.npy " + options);
  EXPECT_EQ(result.exit_code, 0) << options;
  EXPECT_EQ(result.err, "");
  const npy::array x = npy::read("x.npy"), y = npy::read("y.npy");
  EXPECT_EQ(y.shape, x.shape);
  EXPECT_EQ(y.fortran_order, x.fortran_order);
  EXPECT_EQ(y.values.index(), x.values.index());
  std::vector<double> written = values_in("y.npy"), in_c_order = written;
  if (y.fortran_order)
    for (std::size_t n = 0; n < 24; ++n) in_c_order[n] = written[n / 12 + n / 4 % 3 * 2 + n % 4 * 6];
  EXPECT_THAT(in_c_order, Pointwise(DoubleNear(tolerance), expected)) << norm << ' ' << options;
  return result.out;
}

TEST_F(normalize_test, gives_the_worked_example_and_its_statistics) {
  npy::write("x.npy", {{2, 2}, false, std::vector<float>{1, 2, 5, 6}});
  npy::write("w.npy", {{2}, false, std::vector<float>{2, 3}});
  const std::string out =
      expect_values("rms", "--weight w.npy", {1.264911, 3.794733, 1.810715, 3.259287}, 1e-6, run);
  EXPECT_THAT(out, HasSubstr("float32 2x2: 2 rows of 2\n"));
  EXPECT_THAT(out, HasSubstr("rstd        0.181071      0.406763      0.632455\n"));
  EXPECT_THAT(out, Not(HasSubstr("mean")));
}

TEST_F(normalize_test, gives_the_formula_in_every_type_and_both_storage_orders) {
  write_weight_and_bias();
  const auto check = [](const npy::array& x, double tolerance) {
    npy::write("x.npy", x);
    for (const char* weight : {"w.npy", "w_fortran.npy", "w_flat.npy"}) {
      const std::string options =
          "--axes 1 2 --eps 0.25 --correction 1 --bias b.npy --weight " + std::string(weight);
      const std::string out = expect_values("layer", options, layer_norm_of_samples(0.25, 1), tolerance, run);
      EXPECT_THAT(out, HasSubstr(": 2 rows of 12\n"));
      EXPECT_THAT(out, HasSubstr("\nmean "));
    }
  };
  for (const bool fortran_order : {false, true}) {
    check(samples<double>(fortran_order), 1e-13);
    check(samples<float>(fortran_order), 2e-5);
    check(samples<Eigen::half>(fortran_order), 2e-2);
  }
}

TEST_F(normalize_test, takes_negative_axes_and_groups_and_tells_the_norms_apart) {
  npy::write("x.npy", {{1, 2, 2}, false, std::vector<double>{1, 3, 10, 14}});
  const double r = 1 / std::sqrt(101.0 / 2), s = 1 / std::sqrt(81.0 / 2);
  expect_values("rms", "--axis -2 --eps 0",
                {1 * r, 3 / std::sqrt(205.0 / 2), 10 * r, 14 / std::sqrt(205.0 / 2)}, 1e-12, run);
  expect_values("simple", "--axis 1 --eps 0",
                {1 * s, 3 / std::sqrt(121.0 / 2), 10 * s, 14 / std::sqrt(121.0 / 2)}, 1e-12, run);
  expect_values("layer", "--axis -1 --eps 0", {-1, 1, -1, 1}, 1e-12, run);
  expect_values("group", "--groups 2 --eps 0", {-1, 1, -1, 1}, 1e-12, run);
  const double g = 1 / std::sqrt((36.0 + 16 + 9 + 49) / 4);
  expect_values("group", "--groups 1 --eps 0", {-6 * g, -4 * g, 3 * g, 7 * g}, 1e-12, run);
}

TEST_F(normalize_test, rounds_before_the_weight_when_told) {
  npy::write("x.npy", {{2}, false, std::vector<Eigen::half>{Eigen::half(1.f), Eigen::half(2.f)}});
  npy::write("w.npy", {{2}, false, std::vector<float>{1.5f, 1.5f}});
  const auto rounded = [](double value) {
    return static_cast<double>(Eigen::half(static_cast<float>(value)));
  };
  const double r = 1 / std::sqrt(2.5);
  expect_values("rms", "--eps 0 --weight w.npy", {rounded(1.5 * r), rounded(3 * r)}, 0, run);
  expect_values("rms", "--eps 0 --weight w.npy --rounding before_weight",
                {rounded(1.5 * rounded(r)), rounded(1.5 * rounded(2 * r))}, 0, run);
}

TEST_F(normalize_test, handles_every_rank_from_1_to_6_and_empty_arrays) {
  const double r = 1 / std::sqrt(2.5);
  for (std::size_t rank = 1; rank <= 6; ++rank) {
    std::vector<std::ptrdiff_t> shape(rank, 1);
    shape.back() = 2;
    for (const bool fortran_order : {false, true}) {
      npy::write("x.npy", {shape, fortran_order, std::vector<float>{1, 2}});
      ASSERT_EQ(run("rms x.npy y.npy --eps 0").exit_code, 0);
      EXPECT_THAT(values_in("y.npy"), Pointwise(DoubleNear(1e-6), std::vector<double>{r, 2 * r}));
    }
  }
  npy::write("x.npy", {{0, 4}, false, std::vector<float>{}});
  expect_values("layer", "", {}, 0, run);
}

TEST_F(normalize_test, normalizes_a_file_in_place) {
  npy::write("x.npy", {{2}, false, std::vector<double>{3, 5}});
  EXPECT_EQ(run("layer x.npy x.npy --eps 0").exit_code, 0);
  EXPECT_THAT(values_in("x.npy"), Pointwise(DoubleNear(1e-12), std::vector<double>{-1, 1}));
}

TEST_F(normalize_test, answers_what_is_wrong_with_one_sentence_and_leaves_no_file) {
  npy::write("x.npy", samples<float>(false));
  npy::write("w3.npy", {{3}, false, std::vector<float>(3)});
  npy::write("w41.npy", {{4, 1}, false, std::vector<float>(4)});
  npy::write("number.npy", {{}, false, std::vector<float>{1}});
  npy::write("no_columns.npy", {{4, 0}, false, std::vector<float>{}});
  std::ofstream("text.npy") << "1 2 3\n";
  const std::string whole = text_of("x.npy");
  std::ofstream("short.npy", std::ios::binary) << whole.substr(0, whole.size() - 5);
  std::string integers = whole;
  integers.replace(integers.find("<f4"), 3, "<i4");
  std::ofstream("integers.npy", std::ios::binary) << integers;

  const std::vector<std::pair<const char*, const char*>> wrong{
      {"", "name a norm"},
      {"batch x.npy y.npy", "batch"},
      {"rms", "input is required"},
      {"rms x.npy", "output is required"},
      {"rms x.npy y.npy --bias w3.npy", "--bias"},
      {"rms x.npy y.npy --eps small", "--eps"},
      {"rms x.npy y.npy --eps -1", "eps is -1"},
      {"rms x.npy y.npy --eps nan", "eps is nan"},
      {"rms x.npy y.npy --rounding twice", "twice not in {once,before_weight}"},
      {"rms x.npy y.npy --axis 3", "axis 3 does not exist in an array of shape 2x3x4, whose axes are 0 to 2"},
      {"rms x.npy y.npy --axis -4", "axis -4 does not exist"},
      {"rms x.npy y.npy --axes 2 1", "the first comes after the last"},
      {"rms x.npy y.npy --axis 0 --axes 0 1", "excludes"},
      {"layer x.npy y.npy --correction 4", "has 4 elements, and the norm divides by N - 4"},
      {"layer x.npy y.npy --correction -1", "must not be negative"},
      {"layer x.npy y.npy --correction 9223372036854775807", "divides by N - 9223372036854775807"},
      {"layer x.npy y.npy --weight w3.npy", "the weight has the shape 3, and the normalized axes have 4"},
      {"layer x.npy y.npy --bias w41.npy", "the bias has the shape 4x1, and the normalized axes have 4"},
      {"group x.npy y.npy", "--groups is required"},
      {"group x.npy y.npy --groups 2", "2 groups do not divide the 3 channels"},
      {"group x.npy y.npy --groups 0", "0 groups do not divide"},
      {"group w3.npy y.npy --groups 1", "group norm needs a batch axis and a channel axis"},
      {"rms number.npy y.npy", "a single number"},
      {"rms no_columns.npy y.npy", "has 0 elements"},
      {"rms absent.npy y.npy", "absent.npy does not exist"},
      {"rms . y.npy", ". is not a regular file"},
      {"rms text.npy y.npy", "text.npy is not a .npy file"},
      {"rms short.npy y.npy",
       "short.npy ends too early: 91 bytes of elements, expected 96 for 2x3x4 of float32"},
      {"rms integers.npy y.npy", "integers.npy holds elements of type '<i4'"},
      {"rms x.npy y.npy --weight text.npy", "text.npy is not a .npy file"},
      {"rms x.npy nowhere/y.npy", "y.npy cannot be opened for writing"},
      {"rms x.npy .", ". is not a regular file"}};
  for (const auto& [arguments, sentence] : wrong) {
    const outcome result = run(arguments);
    EXPECT_EQ(result.exit_code, 1) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_THAT(result.err, StartsWith("normalize: ")) << arguments;
    EXPECT_THAT(result.err, HasSubstr(sentence)) << arguments;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    EXPECT_FALSE(std::filesystem::exists("y.npy")) << arguments;
    EXPECT_FALSE(std::filesystem::exists("y.npy.part")) << arguments;
  }
}

TEST_F(normalize_test, explains_itself) {
  const outcome all = run("--help"), layer = run("layer --help");
  EXPECT_EQ(all.exit_code, 0);
  EXPECT_THAT(all.out, HasSubstr("group"));
  EXPECT_EQ(layer.exit_code, 0);
  EXPECT_THAT(layer.out, HasSubstr("--correction"));
}

}  // namespace
