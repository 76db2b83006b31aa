#include "tools/inputs.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "tools/error.h"
#include "tools/image.h"
#include "tools/npy.h"

namespace tidbit::tools {
namespace {

std::vector<std::string> input_names(const Model& model) {
  std::vector<std::string> names;
  for (size_t tensor : model.inputs()) names.push_back(model.tensors()[tensor].name);
  return names;
}

void append_npy(const TensorInfo& input, const std::string& path, Samples& samples) {
  const Array<float> array = read_npy<float>(path);
  const bool fits = array.shape.size() == input.shape.size() &&
                    std::equal(array.shape.begin() + !array.shape.empty(), array.shape.end(),
                               input.shape.begin() + !input.shape.empty(), input.shape.end()) &&
                    (array.shape.empty() || (array.shape[0] > 0 && array.shape[0] % input.shape[0] == 0));
  if (!fits) {
    fail("{}: input '{}' takes {}, or more of its leading dimension; found {}: reshape the array", path, input.name,
         to_string(input.shape), to_string(array.shape));
  }
  samples.values.insert(samples.values.end(), array.data.begin(), array.data.end());
  const size_t count = array.shape.empty() ? 1 : static_cast<size_t>(array.shape[0]);
  for (size_t row = 0; row < count; ++row) samples.names.push_back(fmt::format("{}[{}]", path, row));
}

void append_image(const Model& model, const TensorInfo& input, const std::string& path, Samples& samples) {
  if (const std::string why = why_no_images(model, input); !why.empty()) fail("{}: {}", path, why);
  const ImagePreprocessing& preprocessing = *model.preprocessing();
  const size_t rows_axis = preprocessing.channels_last ? 1 : 2;
  const auto height = static_cast<int>(input.shape[rows_axis]), width = static_cast<int>(input.shape[rows_axis + 1]);
  Image image = read_image(path, static_cast<int>(preprocessing.mean.size()));
  if (image.width != width || image.height != height) image = resize(image, width, height);
  const size_t begin = samples.values.size();
  samples.values.resize(begin + image.pixels.size());
  normalise(image, preprocessing, std::span(samples.values).subspan(begin));
  samples.names.push_back(path);
  samples.images = true;
}

void check(const Model& model, std::span<const Samples> all) {
  for (size_t i = 0; i < all.size(); ++i) {
    const TensorInfo& input = model.tensors()[model.inputs()[i]];
    if (all[i].names.empty()) {
      fail("input '{}' has no file: give --input {}=FILE", input.name, input.name);
    }
    if (all[i].names.size() % rows(input) != 0) {
      fail("input '{}' takes {} rows at once, found {}: give a multiple", input.name, rows(input), all[i].names.size());
    }
    if (all[i].names.size() / rows(input) != all[0].names.size() / rows(model.tensors()[model.inputs()[0]])) {
      fail("input '{}' has another number of samples than input '{}': give every input as many", input.name,
           model.tensors()[model.inputs()[0]].name);
    }
  }
}

}  // namespace

size_t rows(const TensorInfo& tensor) { return tensor.shape.empty() ? 1 : static_cast<size_t>(tensor.shape[0]); }

std::pair<std::string, std::string> split_named(const std::string& argument, std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (argument.starts_with(name + "=")) return {name, argument.substr(name.size() + 1)};
  }
  return {"", argument};
}

std::vector<Samples> read_samples(const Model& model, std::span<const std::string> arguments) {
  const std::vector<std::string> names = input_names(model);
  std::vector<Samples> all(names.size());
  for (const std::string& argument : arguments) {
    const auto [name, path] = split_named(argument, names);
    if (name.empty() && names.size() != 1) {
      fail("'{}' names no input of the model: give --input NAME=FILE, NAME one of {}", argument,
           fmt::join(names, ", "));
    }
    const auto index = name.empty() ? 0 : static_cast<size_t>(std::ranges::find(names, name) - names.begin());
    const TensorInfo& input = model.tensors()[model.inputs()[index]];
    if (path.ends_with(".npy")) {
      append_npy(input, path, all[index]);
    } else {
      append_image(model, input, path, all[index]);
    }
  }
  check(model, all);
  return all;
}

}  // namespace tidbit::tools
