// Writes the models that the fuzzer starts from: each operator on reals and between quantizers.
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/support/operator_models.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: import_corpus FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (const auto& model : tidbit::test::operator_models()) {
    std::ofstream(folder / (std::string(model.name) + ".onnx"), std::ios::binary) << model.on_reals().bytes();
    std::ofstream(folder / (std::string(model.name) + "_quantized.onnx"), std::ios::binary)
        << model.between_quantizers().bytes();
  }
}
