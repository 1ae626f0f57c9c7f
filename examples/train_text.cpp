// What a norm does for learning. A language model of one block learns the characters of a text file, once
// with each norm, from the same numbers and the same stretches of text, and then writes some text of its own:
//
//   x = embedding of the characters
//   x = x + attention(norm(x))                     causal, rotary, with norms of the queries and the keys
//   scores of what follows = norm(x) · readoutᵀ
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <tensornorm/tensornorm.hpp>
#include <type_traits>
#include <vector>

namespace {

namespace tn = tensornorm;

using Eigen::Index;
using tokens = Eigen::Tensor<float, 3, Eigen::RowMajor>;  // stretches x characters x width
using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using characters = std::vector<Index>;  // by their numbers in the alphabet
using parameter_list = std::vector<tn::named_parameter<float>>;

struct settings {
  std::string file;
  Index steps = 500;
  Index width = 64;
  Index heads = 4;
  Index context = 64;
  Index batch = 8;
  float rate = 0.003f;
  Index length = 200;
  std::uint32_t seed = 1;
};

// ---- The text ----

struct text {
  std::vector<std::string> alphabet;  // characters of UTF-8
  characters all;
};

text read_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  text result;
  std::map<std::string, Index> numbers;
  for (std::size_t begin = 0, end = 0; begin < bytes.size(); begin = end) {
    const auto goes_on = [&](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; };
    for (end = begin + 1; end < bytes.size() && goes_on(bytes[end]);) ++end;
    const auto [found, is_new] =
        numbers.try_emplace(bytes.substr(begin, end - begin), static_cast<Index>(numbers.size()));
    if (is_new) result.alphabet.push_back(found->first);
    result.all.push_back(found->second);
  }
  return result;
}

/// Stretches of a text, one after another, and what follows each of their characters.
struct stretches {
  Index count = 0;
  characters seen, next;

  void add(const characters& all, Index start, Index length) {
    ++count;
    const auto from = all.begin() + start;
    seen.insert(seen.end(), from, from + length);
    next.insert(next.end(), from + 1, from + length + 1);
  }
};

// ---- The model ----

/// A row for each character.
Eigen::Map<matrix> rows(tokens& x) { return {x.data(), x.dimension(0) * x.dimension(1), x.dimension(2)}; }
Eigen::Map<const matrix> rows(const tokens& x) {
  return {x.data(), x.dimension(0) * x.dimension(1), x.dimension(2)};
}

/// The mean of -log p(what followed), p = softmax(scores). The scores give way to the gradient of it.
float cross_entropy(matrix& scores, const characters& followed) {
  const Eigen::VectorXf largest = scores.rowwise().maxCoeff();
  scores.colwise() -= largest;
  const Eigen::VectorXf log_sums = scores.array().exp().rowwise().sum().log();
  scores.colwise() -= log_sums;
  double loss = 0;
  for (Index t = 0; t < scores.rows(); ++t) loss -= scores(t, followed[static_cast<std::size_t>(t)]);
  scores = scores.array().exp();
  for (Index t = 0; t < scores.rows(); ++t) scores(t, followed[static_cast<std::size_t>(t)]) -= 1;
  scores /= static_cast<float>(scores.rows());
  return static_cast<float>(loss / static_cast<double>(scores.rows()));
}

/// Adam (Kingma and Ba 2015) for parameters that stay where they are.
class adam {
 public:
  adam(parameter_list all, float rate) : all_(std::move(all)), rate_(rate) {
    for (const auto& p : all_) {
      means_.emplace_back(p.value.size()).setZero();
      squares_.emplace_back(p.value.size()).setZero();
    }
  }

  void step() {
    ++steps_;
    const float of_means = 1 - std::pow(0.9f, steps_), of_squares = 1 - std::pow(0.999f, steps_);
    for (std::size_t i = 0; i < all_.size(); ++i) {
      auto& [name, value, gradient] = all_[i];
      means_[i] = means_[i] * 0.9f + gradient * 0.1f;
      squares_[i] = squares_[i] * 0.999f + gradient.square() * 0.001f;
      value -= means_[i] * (rate_ / of_means) / ((squares_[i] * (1 / of_squares)).sqrt() + 1e-8f);
    }
  }

 private:
  parameter_list all_;
  float rate_;
  float steps_ = 0;
  std::vector<Eigen::Tensor<float, 1>> means_, squares_;
};

/// In the place of a norm: x as it is.
struct no_norm {
  struct options {
    Index dim;
  };

  explicit no_norm(const options&) {}
  const tokens& operator()(const tokens& x) const { return x; }
  const tokens& forward(const tokens& x) const { return x; }
  const tokens& backward(const tokens& dy, const tokens&) const { return dy; }
  void zero_gradients() const {}
  static parameter_list parameters() { return {}; }
};

/// What the program asks of a model, whatever its norm.
struct model {
  virtual ~model() = default;
  /// A step of learning. Returns the loss before it.
  virtual float learn(const stretches& s) = 0;
  virtual float loss(const stretches& s) const = 0;
  /// Scores of what follows these characters, which come after those in the cache.
  virtual Eigen::VectorXf go_on(const characters& seen, tn::KeyValueCache<float>& cache) const = 0;
};

/// A number for each character and each of width, uniform in ±bound.
matrix noise(Index count, Index width, float bound, std::uint32_t seed) {
  std::mt19937 random(seed);
  return matrix::NullaryExpr(count, width,
                             [&]() { return (static_cast<float>(random() >> 8) * 0x1p-23f - 1) * bound; });
}

template <class Norm>
class model_with : public model {
 public:
  model_with(const settings& s, Index alphabet)
      : context_(s.context),
        embedding_(noise(alphabet, s.width, 1, s.seed)),
        embedding_gradient_(alphabet, s.width),
        norm_({.dim = s.width}),
        attention_({.dim = s.width, .heads = s.heads, .rotary = tn::rotary_pairs::halves}, s.seed),
        last_norm_({.dim = s.width}),
        readout_(noise(alphabet, s.width, 1 / std::sqrt(static_cast<float>(s.width)), s.seed + 1)),
        readout_gradient_(alphabet, s.width),
        optimizer_(parameters(), s.rate) {}

  float learn(const stretches& s) override {
    const auto causal = tn::causal(tn::align::top_left);
    const tokens x = embed(s.seen, s.count);
    const tokens normed = norm_.forward(x);
    tokens y = attention_.forward(normed, causal);
    y += x;
    const tokens last = last_norm_.forward(y);
    matrix scores = rows(last) * readout_.transpose();
    const float loss = cross_entropy(scores, s.next);

    // And back the same way. The layers add to their gradients.
    norm_.zero_gradients();
    attention_.zero_gradients();
    last_norm_.zero_gradients();
    readout_gradient_.noalias() = scores.transpose() * rows(last);
    tokens dlast(last.dimensions());
    rows(dlast).noalias() = scores * readout_;
    const tokens dy = last_norm_.backward(dlast, y);
    const tokens dnormed = attention_.backward(dy, normed, causal);
    const tokens dx = dy + norm_.backward(dnormed, x);
    embedding_gradient_.setZero();
    for (std::size_t t = 0; t < s.seen.size(); ++t)
      embedding_gradient_.row(s.seen[t]) += rows(dx).row(static_cast<Index>(t));
    optimizer_.step();
    return loss;
  }

  float loss(const stretches& s) const override {
    matrix scores = scores_of(embed(s.seen, s.count), tn::causal(tn::align::top_left));
    return cross_entropy(scores, s.next);
  }

  /// A window makes the text as long as one likes: nobody looks further back than in training.
  Eigen::VectorXf go_on(const characters& seen, tn::KeyValueCache<float>& cache) const override {
    return scores_of(embed(seen, 1), tn::window(context_ - 1, 0), tn::use_cache(cache))
        .bottomRows(1)
        .transpose();
  }

 private:
  using norm_of_heads = std::conditional_t<std::is_same_v<Norm, no_norm>, tn::none_t, Norm>;

  tokens embed(const characters& seen, Index count) const {
    const auto all = static_cast<Index>(seen.size());
    tokens x(count, all / count, embedding_.cols());
    for (Index t = 0; t < all; ++t) rows(x).row(t) = embedding_.row(seen[static_cast<std::size_t>(t)]);
    return x;
  }

  template <class... Words>
  matrix scores_of(const tokens& x, const Words&... words) const {
    const tokens normed = norm_(x);
    tokens y = attention_(normed, words...);
    y += x;
    const tokens last = last_norm_(y);
    return rows(last) * readout_.transpose();
  }

  parameter_list parameters() {
    parameter_list all;
    const auto add = [&](const char* name, matrix& value, matrix& gradient) {
      all.push_back({name, {value.data(), value.size()}, {gradient.data(), gradient.size()}});
    };
    add("embedding", embedding_, embedding_gradient_);
    add("readout", readout_, readout_gradient_);
    for (auto& p : norm_.parameters()) all.push_back(p);
    for (auto& p : attention_.parameters()) all.push_back(p);
    for (auto& p : last_norm_.parameters()) all.push_back(p);
    return all;
  }

  Index context_;
  matrix embedding_, embedding_gradient_;
  Norm norm_;
  tn::Attention<float, norm_of_heads> attention_;
  Norm last_norm_;
  matrix readout_, readout_gradient_;
  adam optimizer_;  // the last one: it looks at all the others
};

// ---- The program ----

struct contender {
  const char* name;
  std::unique_ptr<model> learner;
  double loss = 0;  // the sum since it was last printed
};

void print_losses(const std::string& what, std::vector<contender>& all, Index count) {
  std::cout << std::setw(6) << what;
  for (contender& c : all) {
    std::cout << std::setw(12) << c.loss / static_cast<double>(count);
    c.loss = 0;
  }
  std::cout << std::endl;
}

void train(std::vector<contender>& all, const settings& s, const characters& seen) {
  std::mt19937 random(s.seed);
  const Index line = std::max<Index>(1, s.steps / 10);
  Index since_line = 0;
  for (Index step = 1; step <= s.steps; ++step) {
    stretches learned;
    for (Index i = 0; i < s.batch; ++i)
      learned.add(seen, static_cast<Index>(random()) % (static_cast<Index>(seen.size()) - s.context),
                  s.context);
    for (contender& c : all) c.loss += c.learner->learn(learned);
    ++since_line;
    if (step != 1 && step % line != 0) continue;
    print_losses(std::to_string(step), all, since_line);
    since_line = 0;
  }
}

/// By chance, as the scores say; a little more cautiously than they do.
Index draw(const Eigen::VectorXf& scores, std::mt19937& random) {
  const Eigen::ArrayXf weights = ((scores.array() - scores.maxCoeff()) / 0.7f).exp();
  float rest = static_cast<float>(random() >> 8) * 0x1p-24f * weights.sum();
  Index drawn = 0;
  while (drawn + 1 < weights.size() && (rest -= weights(drawn)) >= 0) ++drawn;
  return drawn;
}

/// The start goes into the cache at once, and then one character after another.
std::string write(const model& m, characters start, const text& t, const settings& s) {
  tn::KeyValueCache<float> cache({.key_heads = s.heads, .dim_head = s.width / s.heads});
  std::mt19937 random(s.seed);
  std::string written;
  for (Index i = 0; i < s.length; ++i) {
    start = {draw(m.go_on(start, cache), random)};
    written += t.alphabet[static_cast<std::size_t>(start.front())];
  }
  return written;
}

void run(const settings& s) {
  const text t = read_text(s.file);
  const auto size = static_cast<Index>(t.all.size());
  const Index unseen_size = std::max(size / 10, s.context + 1);
  if (size - unseen_size <= s.context)
    throw std::runtime_error(s.file + " has " + std::to_string(size) + " characters, expected at least " +
                             std::to_string(2 * (s.context + 1)));
  const characters seen(t.all.begin(), t.all.end() - unseen_size),
      unseen(t.all.end() - unseen_size, t.all.end());
  const auto alphabet = static_cast<Index>(t.alphabet.size());
  std::vector<contender> all;
  all.push_back({"RmsNorm", std::make_unique<model_with<tn::RmsNorm<float>>>(s, alphabet)});
  all.push_back({"LayerNorm", std::make_unique<model_with<tn::LayerNorm<float>>>(s, alphabet)});
  all.push_back({"SimpleNorm", std::make_unique<model_with<tn::SimpleNorm<float>>>(s, alphabet)});
  all.push_back({"none", std::make_unique<model_with<no_norm>>(s, alphabet)});

  std::cout
      << s.file << ": " << size << " characters, " << alphabet << " different ones\n"
      << "loss in nats for each character, on average since the line above; at last of unseen text\n steps"
      << std::fixed << std::setprecision(3);
  for (const contender& c : all) std::cout << std::setw(12) << c.name;
  std::cout << '\n';
  train(all, s, seen);
  stretches test;
  for (Index start = 0; test.count < 64 && start + s.context < unseen_size; start += s.context)
    test.add(unseen, start, s.context);
  for (contender& c : all) c.loss = c.learner->loss(test);
  print_losses("unseen", all, 1);

  const characters start(seen.end() - s.context, seen.end());
  for (const contender& c : all)
    std::cout << "\n-- " << c.name << " writes --\n" << write(*c.learner, start, t, s) << '\n';
}

template <class Number>
void add_number(CLI::App& app, const char* name, Number& number, const char* meaning) {
  const auto positive = [](const std::string& value) {
    return std::strtod(value.c_str(), nullptr) > 0 ? "" : "expected a positive number, got " + value;
  };
  app.add_option(name, number, meaning)->check(positive)->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains a small model on the characters of a text with each norm, then lets it write.",
               "train_text");
  settings s;
  app.add_option("text", s.file, "the file to learn, UTF-8")->required();
  add_number(app, "--steps", s.steps, "steps of learning");
  add_number(app, "--width", s.width, "numbers that stand for a character");
  add_number(app, "--heads", s.heads, "heads of attention, which divide the width");
  add_number(app, "--context", s.context, "how many characters it sees");
  add_number(app, "--batch", s.batch, "stretches of text in a step");
  add_number(app, "--rate", s.rate, "the learning rate of Adam");
  add_number(app, "--length", s.length, "how many characters it writes");
  add_number(app, "--seed", s.seed, "of all chance: the same seed, the same output");
  if (argc == 1) {
    std::cout << app.help();
    return 0;
  }
  try {
    app.parse(argc, argv);
    run(s);
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const std::exception& error) {
    std::cerr << "train_text: " << error.what() << '\n';
  }
  return 1;
}
