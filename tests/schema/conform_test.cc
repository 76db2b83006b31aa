// Holds the schema against the frozen copies of its versions (schema/README.md): it may only have grown.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace tidbit {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string current() { return read(fs::path(TIDBIT_SOURCE_DIR) / "schema/tidbit.fbs"); }

/// The schema's fields, members and headings, one by one, without comments and blanks.
std::vector<std::string> declarations(const std::string& schema) {
  std::vector<std::string> result;
  std::istringstream lines(schema);
  for (std::string line; std::getline(lines, line);) {
    line.resize(std::min(line.size(), line.find("//")));
    std::erase(line, ' ');
    for (size_t begin = 0; begin < line.size();) {
      const size_t end = std::min(line.size(), line.find_first_of("{},;", begin));
      if (end > begin) result.push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return result;
}

/// The first declaration of `frozen` that is no longer where it was. flatc looks at what is
/// there, so it does not miss the last field of a table or the last member of an enum.
std::string missing(const std::string& frozen, const std::string& schema) {
  const std::vector<std::string> now = declarations(schema);
  auto at = now.begin();
  for (const std::string& declaration : declarations(frozen)) {
    at = std::find(at, now.end(), declaration);
    if (at == now.end()) return declaration;
    ++at;
  }
  return "";
}

/// Whether files written by `frozen` mean the same to readers of `schema`.
bool conforms(const std::string& frozen, const std::string& schema) {
  const fs::path directory = fs::path(testing::TempDir()) / ("tidbit_conform_" + std::to_string(::getpid()));
  fs::create_directories(directory);
  std::ofstream(directory / "frozen.fbs") << frozen;
  std::ofstream(directory / "schema.fbs") << schema;
  const std::string command = std::string(TIDBIT_FLATC) + " --conform " + (directory / "frozen.fbs").string() + " " +
                              (directory / "schema.fbs").string() + " > /dev/null 2>&1";
  const bool accepted = std::system(command.c_str()) == 0;
  fs::remove_all(directory);
  return accepted && missing(frozen, schema).empty();
}

/// The schema after an edit, which must find its place.
std::string edited(const std::string& from, const std::string& to) {
  std::string schema = current();
  const size_t at = schema.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return schema.replace(at, from.size(), to);
}

TEST(Schema, ConformsToEveryFrozenVersion) {
  size_t versions = 0;
  for (const auto& file : fs::directory_iterator(fs::path(TIDBIT_SOURCE_DIR) / "schema/frozen")) {
    const std::string frozen = read(file.path());
    EXPECT_EQ(missing(frozen, current()), "") << file.path();
    EXPECT_TRUE(conforms(frozen, current())) << file.path();
    ++versions;
  }
  EXPECT_GE(versions, 1u);
}

TEST(Schema, MayGrowAtTheEnds) {
  EXPECT_TRUE(conforms(current(), edited("pad_right: uint32 = 0;", "pad_right: uint32 = 0;\n  shear: uint32;")));
  EXPECT_TRUE(conforms(current(), edited("  ResidualAdd,\n}", "  ResidualAdd,\n  Later,\n}\n\ntable Later {\n}")));
  EXPECT_TRUE(conforms(current(), edited("  HalfDown,", "  HalfDown,\n  Random,")));
}

TEST(Schema, MayNotChangeWhatIsThere) {
  EXPECT_FALSE(conforms(current(), edited("  rows: uint32;\n  taps", "  taps"))) << "a field is removed";
  EXPECT_FALSE(conforms(current(), edited("  pad_right: uint32 = 0;", ""))) << "the last field is removed";
  EXPECT_FALSE(conforms(current(), edited("  rows: uint32;\n  taps: uint32;", "  taps: uint32;\n  rows: uint32;")));
  EXPECT_FALSE(conforms(current(), edited("  rows: uint32;", "  rank: uint32;\n  rows: uint32;")));
  EXPECT_FALSE(conforms(current(), edited("stride_height: uint32", "stride_height: uint16")));
  EXPECT_FALSE(conforms(current(), edited("stride_height: uint32 = 1", "stride_height: uint32 = 2")));
  EXPECT_FALSE(conforms(current(), edited("  MaxPool,\n  AveragePool,", "  AveragePool,\n  MaxPool,")));
  EXPECT_FALSE(conforms(current(), edited("  ResidualAdd,\n}", "}"))) << "the last operator is removed";
  EXPECT_FALSE(conforms(current(), edited("BentAffine, FixedPoint }", "BentAffine }"))) << "the last form is removed";
  EXPECT_FALSE(conforms(current(), edited("{ Thresholds, Affine,", "{ Affine, Thresholds,")));
  EXPECT_FALSE(conforms(current(), edited("  HalfEven,\n  Floor,", "  Floor,\n  HalfEven,")));
  EXPECT_FALSE(conforms(current(), edited("  offset: uint64;\n  size: uint64;", "  size: uint64;\n  offset: uint64;")));
}

}  // namespace
}  // namespace tidbit
