// normalize: a norm over an array in a .npy file.
#include <CLI/CLI.hpp>
#include <iomanip>
#include <iostream>

#include "normalize.hpp"

namespace {

namespace tn = tensornorm;

struct command {
  norm_request request;
  std::string input;
  std::string output;
  std::string weight;
  std::string bias;
  std::vector<int> axes{-1};
};

template <class Options>
CLI::App* add_norm(CLI::App& app, command& c, const char* name, const char* formula, norm kind) {
  CLI::App* const sub = app.add_subcommand(name, formula);
  sub->add_option("input", c.input, "the .npy file to read: float16, float32 or float64")->required();
  sub->add_option("output", c.output, "the .npy file to write, of the same type, shape and order")
      ->required();
  sub->add_option("--weight", c.weight,
                  "a .npy file: the normalized shape, or flat (group: one for each channel)");
  sub->add_option("--eps", c.request.eps,
                  "added to the mean square or the variance; " + std::to_string(Options{}.eps));
  sub->callback([&c, sub, kind] {
    c.request.kind = kind;
    if (sub->count("--eps") == 0) c.request.eps = Options{}.eps;
  });
  return sub;
}

void add_axes(CLI::App* sub, command& c) {
  CLI::Option* const axis =
      sub->add_option("--axis", c.axes, "the normalized axis; the last one if not given")->expected(1);
  sub->add_option("--axes", c.axes, "a run of axes: the first and the last")->expected(2)->excludes(axis);
}

void add_bias(CLI::App* sub, command& c) { sub->add_option("--bias", c.bias, "a .npy file, as the weight"); }

void add_rounding(CLI::App* sub, command& c) {
  sub->add_option_function<std::string>(
         "--rounding",
         [&c](const std::string& when) {
           c.request.rounding = when == "once" ? tn::rounding::once : tn::rounding::before_weight;
         },
         "at the end (once), or before_weight too")
      ->check(CLI::IsMember({"once", "before_weight"}));
}

void describe(CLI::App& app, command& c) {
  app.require_subcommand(0, 1);
  for (const auto& [name, formula, kind] :
       {std::tuple{"rms", "x * r * weight, r = 1 / sqrt(mean(x^2) + eps)", norm::rms},
        {"simple", "x * r * weight, r = 1 / sqrt(var(x) + eps), var over N - 1", norm::simple}}) {
    CLI::App* const sub = add_norm<tn::rms_norm_options<float>>(app, c, name, formula, kind);
    add_axes(sub, c);
    add_rounding(sub, c);
  }
  CLI::App* const layer = add_norm<tn::layer_norm_options<float>>(
      app, c, "layer", "(x - mean) * r * weight + bias, r = 1 / sqrt(var(x) + eps)", norm::layer);
  add_axes(layer, c);
  add_bias(layer, c);
  layer->add_option("--correction", c.request.correction, "the variance divides by N - correction; 0");
  CLI::App* const group = add_norm<tn::group_norm_options<float>>(
      app, c, "group", "as layer, over groups of channels (axis 1) and all further axes", norm::group);
  add_bias(group, c);
  group->add_option("--groups", c.request.groups, "how many; as many as channels is instance norm")
      ->required();
}

void print_spread(const char* name, const spread& s) {
  std::cout << std::left << std::setw(6) << name << std::right << std::setw(14) << s.lowest << std::setw(14)
            << s.average << std::setw(14) << s.highest << '\n';
}

void print(const norm_report& report, const npy::array& x) {
  std::cout << npy::type_name(x.values) << ' ' << npy::shape_text(x.shape)
            << (x.fortran_order ? ", Fortran order" : "") << ": " << report.rows << " rows of " << report.size
            << '\n';
  if (report.rows == 0) return;
  std::cout << "              lowest       average       highest\n";
  if (report.mean) print_spread("mean", *report.mean);
  print_spread("rstd", report.rstd);
  if (report.rstd.finite < report.rows)
    std::cout << report.rows - report.rstd.finite << " rows without a finite rstd are left out\n";
}

void run(command& c) {
  npy::array x = npy::read(c.input);
  if (!c.weight.empty()) c.request.weight = npy::read(c.weight);
  if (!c.bias.empty()) c.request.bias = npy::read(c.bias);
  c.request.first_axis = c.axes.front();
  c.request.last_axis = c.axes.back();
  const norm_report report = normalize(x, c.request);
  npy::write(c.output, x);
  print(report, x);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Normalizes an array: reads a .npy file, writes a .npy file, prints the statistics of its rows.",
      "normalize");
  command c;
  describe(app, c);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty())
      throw misfit("name a norm: rms, simple, layer or group; --help says more");
    run(c);
    return 0;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const std::bad_alloc&) {
    std::cerr << "normalize: there is not enough memory for the array\n";
  } catch (const std::exception& error) {
    std::cerr << "normalize: " << error.what() << '\n';
  }
  return 1;
}
