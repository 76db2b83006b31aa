// tidbit run: arrays or images in, arrays or named classes out.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "tidbit/tidbit.hpp"
#include "tools/classify.h"
#include "tools/command.h"
#include "tools/error.h"
#include "tools/files.h"
#include "tools/inputs.h"
#include "tools/npy.h"
#include "tools/options.h"
#include "tools/progress.h"

namespace tidbit::tools {
namespace {

constexpr size_t kDefaultTop = 3;

struct Options {
  std::string model, labels, expected_labels;
  LoadArguments load;
  std::vector<std::string> inputs, outputs;
  size_t top = 0, threads = 1, batch = 1;
};

/// The values of each output, all samples.
using Outputs = std::vector<std::vector<float>>;

Outputs run_all(const Model& model, const Options& options, const std::vector<Samples>& inputs, size_t samples) {
  const size_t batch = std::min(options.batch, samples);
  Session session = require(Session::create(model, {.batch = batch, .threads = options.threads}));
  Outputs outputs(model.outputs().size());
  Progress progress("running " + options.model, (samples + batch - 1) / batch);
  for (size_t begin = 0; begin < samples; begin += batch) {
    const size_t count = std::min(batch, samples - begin);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const size_t elements = session.input(i).size() / batch;
      std::ranges::copy(std::span(inputs[i].values).subspan(begin * elements, count * elements),
                        session.input(i).begin());
    }
    session.run();
    for (size_t i = 0; i < outputs.size(); ++i) {
      const auto values = session.output(i).first(session.output(i).size() / batch * count);
      outputs[i].insert(outputs[i].end(), values.begin(), values.end());
    }
    progress.advance();
  }
  return outputs;
}

/// An output of the model and the file that it goes to.
struct OutputFile {
  size_t output;
  std::string path;
};

std::vector<OutputFile> output_files(const Model& model, const Options& options) {
  std::vector<std::string> names;
  for (size_t tensor : model.outputs()) names.push_back(model.tensors()[tensor].name);
  std::vector<OutputFile> files;
  for (const std::string& argument : options.outputs) {
    const auto [name, path] = split_named(argument, names);
    if (name.empty() && names.size() != 1) {
      fail("'{}' names no output of the model: give --output NAME=FILE, NAME one of {}", argument,
           fmt::join(names, ", "));
    }
    require_writable(path);
    const auto output = name.empty() ? 0 : static_cast<size_t>(std::ranges::find(names, name) - names.begin());
    files.push_back({output, path});
  }
  return files;
}

void write_output(const Model& model, const OutputFile& file, const Outputs& outputs, size_t samples) {
  std::vector<int64_t> shape = model.tensors()[model.outputs()[file.output]].shape;
  if (shape.empty()) shape.push_back(1);
  shape[0] *= static_cast<int64_t>(samples);
  write_npy(file.path, shape, outputs[file.output]);
}

/// Whether the first output is a list: all of its extents but the batch and one are 1.
bool is_classifier(const Model& model) {
  const std::span<const int64_t> shape = model.tensors()[model.outputs()[0]].shape;
  return !shape.empty() && std::ranges::count_if(shape.subspan(1), [](int64_t extent) { return extent > 1; }) == 1;
}

/// The first output as the scores of one classification a row of the first input.
class Scores {
 public:
  Scores(const Model& model, const Outputs& outputs, size_t rows) : values_(outputs[0]), rows_(rows) {
    if (rows == 0 || values_.size() % rows != 0) {
      const TensorInfo& output = model.tensors()[model.outputs()[0]];
      fail("output '{}' is {}, not one row a row of the input: use --output and leave --top", output.name,
           to_string(output.shape));
    }
  }

  size_t rows() const { return rows_; }
  std::span<const float> row(size_t index) const {
    return std::span(values_).subspan(index * (values_.size() / rows_), values_.size() / rows_);
  }

 private:
  std::span<const float> values_;
  size_t rows_;
};

void print_best(const Scores& scores, const std::vector<std::string>& names, std::span<const std::string> labels,
                size_t top) {
  for (size_t row = 0; row < scores.rows(); ++row) {
    const std::vector<double> certainty = probabilities(scores.row(row));
    std::vector<std::string> ranked;
    for (size_t index : best(scores.row(row), top)) {
      const std::string label = index < labels.size() ? labels[index] : std::to_string(index);
      ranked.push_back(fmt::format("{} ({:.1f} %)", label, 100 * certainty[index]));
    }
    fmt::print("{}: {}\n", names[row], fmt::join(ranked, ", "));
  }
}

void print_accuracy(const Scores& scores, const std::string& path) {
  const Array<int64_t> expected = read_npy<int64_t>(path);
  if (expected.data.size() != scores.rows()) {
    fail("{}: expected {} labels, one a sample, found {}: give the labels of these samples", path, scores.rows(),
         expected.data.size());
  }
  size_t right = 0;
  for (size_t row = 0; row < scores.rows(); ++row) {
    right += static_cast<int64_t>(best(scores.row(row), 1).front()) == expected.data[row];
  }
  fmt::print("accuracy {:.2f} % ({} of {})\n", 100.0 * static_cast<double>(right) / static_cast<double>(scores.rows()),
             right, scores.rows());
}

void print_ranges(const Model& model, const Outputs& outputs, size_t samples) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorInfo& output = model.tensors()[model.outputs()[i]];
    const auto [lowest, highest] = std::ranges::minmax(outputs[i]);
    fmt::print("output '{}': {} samples of {}, from {:.6g} to {:.6g}\n", output.name, samples, to_string(output.shape),
               lowest, highest);
  }
}

int run_command(const Options& options) {
  const Model model = load_model(options.model, options.load);
  const std::vector<OutputFile> files = output_files(model, options);
  const std::vector<Samples> inputs = read_samples(model, options.inputs);
  const std::vector<std::string> labels =
      options.labels.empty() ? std::vector(model.labels().begin(), model.labels().end()) : read_labels(options.labels);
  const size_t samples = inputs[0].names.size() / rows(model.tensors()[model.inputs()[0]]);
  const Outputs outputs = run_all(model, options, inputs, samples);

  for (const OutputFile& file : files) write_output(model, file, outputs, samples);
  const bool classify = options.top > 0 || (inputs[0].images && options.outputs.empty() && is_classifier(model));
  if (classify) {
    print_best(Scores(model, outputs, inputs[0].names.size()), inputs[0].names, labels,
               options.top > 0 ? options.top : kDefaultTop);
  }
  if (!options.expected_labels.empty()) {
    print_accuracy(Scores(model, outputs, inputs[0].names.size()), options.expected_labels);
  }
  if (!classify && options.outputs.empty() && options.expected_labels.empty()) print_ranges(model, outputs, samples);
  return kDone;
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "Run a .tbit file on arrays or images");
  command->add_option("model", options->model, "Compiled model")->required()->type_name("MODEL.tbit");
  command
      ->add_option("-i,--input", options->inputs,
                   "float32 .npy, or images; a longer leading dimension runs sample after sample")
      ->required()
      ->type_name("[NAME=]FILE...");
  command->add_option("-o,--output", options->outputs, "Write an output as .npy")->type_name("[NAME=]Y.npy");
  command->add_option("--top", options->top, "Print the K likeliest classes of each sample (for images: 3)")
      ->check(CLI::PositiveNumber)
      ->type_name("K");
  command->add_option("--labels", options->labels, "Names of the classes, one a line; else the file's own")
      ->type_name("FILE");
  command
      ->add_option("--expect-labels", options->expected_labels, ".npy of integers, the right classes: print accuracy")
      ->type_name("Y.npy");
  command->add_option("--threads", options->threads, "Threads to use")->check(CLI::Range(1, 1024))->type_name("N");
  command->add_option("--batch", options->batch, "Samples to run at once")->check(CLI::PositiveNumber)->type_name("N");
  add_load_options(*command, options->load);
  command->footer(
      "Examples:\n"
      "  tidbit run digits.tbit --input digit_1.png digit_2.png --top 1\n"
      "  tidbit run model.tbit --input x.npy --output y.npy --threads 2\n"
      "  tidbit run two.tbit --input left=a.npy --input right=b.npy --output sum=y.npy");
  command->final_callback([options, &action] { action = [options] { return run_command(*options); }; });
}

}  // namespace tidbit::tools
