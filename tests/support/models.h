// Where the real models are that tests run on. They are no part of the repository: in the environment variable
// TIDBIT_MODELS, or beside the repository in ../shared/models.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace tidbit::test {

inline std::filesystem::path models_directory() {
  if (const char* directory = std::getenv("TIDBIT_MODELS")) return directory;
  return TIDBIT_SOURCE_DIR "/../shared/models";
}

/// Leaves the test as skipped where the model (a file or a folder) is absent.
#define TIDBIT_NEEDS_MODEL(model)                                                                                    \
  if (!std::filesystem::exists(::tidbit::test::models_directory() / (model))) {                                      \
    GTEST_SKIP() << (::tidbit::test::models_directory() / (model)) << " is absent; set TIDBIT_MODELS to its folder"; \
  }

/// The path of a file below the models' folder.
inline std::string model_path(const std::string& file) { return (models_directory() / file).string(); }

}  // namespace tidbit::test
