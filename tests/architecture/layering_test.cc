// Who may include whom: schema <- kernels <- runtime <- tools, bench; schema <- compiler <- tools. And which outside
// libraries are known in one place only.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tidbit {
namespace {

namespace fs = std::filesystem;

/// The roots of includes that a folder's files may name. "tidbit" is the runtime's public API.
const std::map<std::string, std::vector<std::string>> kMayInclude = {
    {"schema", {"schema"}},
    {"kernels", {"schema", "kernels"}},
    {"runtime", {"schema", "kernels", "runtime", "tidbit"}},
    {"compiler", {"schema", "compiler"}},
    {"tools", {"schema", "kernels", "tidbit", "compiler", "tools"}},
    {"bench", {"schema", "kernels", "tidbit", "bench"}},
};

/// Headers of outside libraries, and the one place (a file, or a folder with all in it) that may include them.
struct Confined {
  std::string header;  // how the include begins
  std::vector<std::string> places;
};
const std::vector<Confined> kConfined = {
    {"cpuinfo.h", {"kernels/isa.cc"}},
    {"pthreadpool.h", {"runtime/threads.cc"}},
    {"xnnpack.h", {"runtime/xnnpack.cc", "bench/"}},
    {"onnx/", {"compiler/import/", "tools/make/"}},
    {"google/protobuf/", {"compiler/import/"}},
    {"CLI/", {"tools/"}},
    {"nlohmann/", {"tools/"}},
    {"stb/", {"tools/image.cc"}},
    {"fmt/", {"compiler/", "tools/"}},
    {"flatbuffers/", {"runtime/", "compiler/"}},
    {"schema/tidbit_generated.h", {"runtime/", "compiler/"}},
};

/// The public API includes the standard libraries of C++ and C only.
constexpr const char* kPublic = "runtime/include/";
const std::vector<std::string> kStandardC = {"stddef.h", "stdint.h"};

/// An include line.
struct Include {
  std::string header;  // empty where the line is none
  bool quotes = false;
};

Include parse(std::string_view line) {
  const auto skip = [&](std::string_view word) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const bool found = line.starts_with(word);
    if (found) line.remove_prefix(word.size());
    return found;
  };
  if (!skip("#") || !skip("include")) return {};
  const bool quotes = skip("\"");
  if (!quotes && !skip("<")) return {};
  return {std::string(line.substr(0, line.find_first_of("\">"))), quotes};
}

/// Why `file` (a path from the root of the sources) may not have this line; empty where it may.
std::string forbidden(const std::string& file, const std::string& line) {
  const auto [header, quotes] = parse(line);
  if (header.empty()) return "";
  const std::string folder = file.substr(0, file.find('/'));
  if (quotes) {
    const auto& allowed = kMayInclude.at(folder);
    const std::string root = header.substr(0, header.find('/'));
    if (std::ranges::find(allowed, root) == allowed.end()) {
      return fmt::format("{}: includes \"{}\"; {} may include {}", file, header, folder, fmt::join(allowed, ", "));
    }
  }
  const bool standard =
      header.find('.') == std::string::npos || std::ranges::find(kStandardC, header) != kStandardC.end();
  if (file.starts_with(kPublic) && (quotes ? !header.starts_with("tidbit/") : !standard)) {
    return fmt::format("{}: the public API includes {}", file, header);
  }
  for (const auto& [confined, places] : kConfined) {
    const auto holds = [&](const std::string& place) { return file.starts_with(place); };
    if (header.starts_with(confined) && std::ranges::none_of(places, holds)) {
      return fmt::format("{}: includes {}, which is for {}", file, header, fmt::join(places, ", "));
    }
  }
  return "";
}

TEST(Layering, EveryIncludeIsAllowed) {
  size_t files = 0;
  for (const auto& [folder, allowed] : kMayInclude) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(TIDBIT_SOURCE_DIR) / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cc" && extension != ".h" && extension != ".hpp") continue;
      ++files;
      const std::string file = fs::relative(entry.path(), TIDBIT_SOURCE_DIR).string();
      std::ifstream text(entry.path());
      for (std::string line; std::getline(text, line);) EXPECT_EQ(forbidden(file, line), "");
    }
  }
  EXPECT_GT(files, 50u);
}

TEST(Layering, WhatIsForbiddenIsFound) {
  EXPECT_NE(forbidden("kernels/gemm.cc", "#include \"runtime/ops/op.h\""), "");
  EXPECT_NE(forbidden("kernels/gemm.cc", "#include \"tidbit/tidbit.hpp\""), "");
  EXPECT_NE(forbidden("runtime/reader.cc", "#include \"compiler/graph.h\""), "");
  EXPECT_NE(forbidden("compiler/emit.cc", "#include \"kernels/gemm.h\""), "");
  EXPECT_NE(forbidden("tools/run.cc", "#include \"runtime/reader.h\""), "");
  EXPECT_NE(forbidden("schema/grid.h", "#include \"kernels/gemm.h\""), "");
  EXPECT_NE(forbidden("runtime/reader.cc", "#include \"reader.h\""), "");
  EXPECT_NE(forbidden("kernels/gemm.cc", "#include <cpuinfo.h>"), "");
  EXPECT_NE(forbidden("runtime/session.cc", "# include <pthreadpool.h>"), "");
  EXPECT_NE(forbidden("kernels/gemm.cc", "#include \"schema/tidbit_generated.h\""), "");
  EXPECT_NE(forbidden("runtime/include/tidbit/tidbit.hpp", "#include <flatbuffers/flatbuffers.h>"), "");
  EXPECT_NE(forbidden("runtime/include/tidbit/tidbit.hpp", "#include \"schema/grid.h\""), "");
  EXPECT_NE(forbidden("compiler/compile.cc", "#include <onnx/onnx_pb.h>"), "");
}

TEST(Layering, WhatIsAllowedIsNotFound) {
  EXPECT_EQ(forbidden("kernels/isa.cc", "#include <cpuinfo.h>"), "");
  EXPECT_EQ(forbidden("runtime/include/tidbit/tidbit.hpp", "#include <vector>"), "");
  EXPECT_EQ(forbidden("runtime/include/tidbit/tidbit.h", "#include <stddef.h>"), "");
  EXPECT_EQ(forbidden("tools/run.cc", "#include \"tidbit/tidbit.hpp\""), "");
  EXPECT_EQ(forbidden("compiler/emit.cc", "#include \"schema/tidbit_generated.h\""), "");
  EXPECT_EQ(forbidden("compiler/emit.cc", "// #include \"kernels/gemm.h\""), "");
}

}  // namespace
}  // namespace tidbit
