// Runs the program `train_text` as a user would, for a few steps.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#if __has_include(<sys/wait.h>)
#include <sys/wait.h>
#endif

namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

struct outcome {
  int exit_code;
  std::string out;
  std::string err;
};

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

outcome run(const std::string& arguments) {
  const auto folder = std::filesystem::path(testing::TempDir());
  const auto out = folder / "train_text_out.txt", err = folder / "train_text_err.txt";
  int status = std::system(
      ("\"" TRAIN_TEXT_PROGRAM "\" " + arguments + " >\"" + out.string() + "\" 2>\"" + err.string() + "\"")
          .c_str());
#if defined(WIFEXITED)
  status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
#endif
  return {status, text_of(out), text_of(err)};
}

const std::string text = "\"" TRAIN_TEXT_FILE "\"";
const std::string few_steps = text + " --steps 20 --width 32 --context 32 --length 40";

/// The losses on the line that begins with this word.
std::vector<double> losses(const std::string& printed, const std::string& first) {
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != first) continue;
    return {std::istream_iterator<double>(words), {}};
  }
  return {};
}

TEST(train_text_test, the_loss_falls_with_every_norm) {
  const outcome result = run(few_steps);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const auto first = losses(result.out, "1"), last = losses(result.out, "20"),
             unseen = losses(result.out, "unseen");
  ASSERT_THAT(first, SizeIs(4)) << result.out;
  ASSERT_THAT(last, SizeIs(4)) << result.out;
  ASSERT_THAT(unseen, SizeIs(4)) << result.out;
  for (std::size_t norm = 0; norm < 4; ++norm) {
    EXPECT_LT(last[norm], first[norm]);
    EXPECT_LT(unseen[norm], first[norm]);
  }
  for (const char* norm : {"RmsNorm", "LayerNorm", "SimpleNorm", "none"})
    EXPECT_THAT(result.out, HasSubstr("\n-- " + std::string(norm) + " writes --\n"));
}

TEST(train_text_test, the_same_seed_gives_the_same_output) {
  const outcome once = run(few_steps), again = run(few_steps);
  EXPECT_EQ(once.out, again.out);
  EXPECT_NE(once.out, run(few_steps + " --seed 2").out);
}

TEST(train_text_test, says_how_to_use_it) {
  const outcome result = run("");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("train_text [OPTIONS] text"));
}

TEST(train_text_test, says_in_one_sentence_what_is_wrong) {
  const auto expect = [](const std::string& arguments, const std::string& sentence) {
    const outcome result = run(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("train_text: "));
    EXPECT_THAT(result.err, HasSubstr(sentence));
  };
  expect("nowhere.txt", "cannot read nowhere.txt\n");
  expect(text + " --heads 5", "heads is 5, expected a divisor of dim, 64");
  expect(text + " --context 1000000", "expected at least 2000002\n");
  expect(text + " --batch 0", "--batch: expected a positive number, got 0\n");
}

}  // namespace
