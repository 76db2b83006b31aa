// From the files that --input names to the samples of a model's inputs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tidbit/tidbit.hpp"

namespace tidbit::tools {

/// The values of one input for any number of runs of the model with its own batch, one run after the other.
struct Samples {
  std::vector<float> values;
  std::vector<std::string> names;  // of each row (index of the leading dimension), for people
  bool images = false;             // some of them
};

/// One entry an input of the model, all with the same number of samples. An argument is a file, or INPUT=FILE where the
/// model has several inputs; files of one input follow one another. Throws Error.
std::vector<Samples> read_samples(const Model& model, std::span<const std::string> arguments);

/// The extent of the leading dimension: what a sample holds of rows.
size_t rows(const TensorInfo& tensor);

/// "NAME=VALUE" split at the first '=' behind one of the names; else an empty name.
std::pair<std::string, std::string> split_named(const std::string& argument, std::span<const std::string> names);

}  // namespace tidbit::tools
