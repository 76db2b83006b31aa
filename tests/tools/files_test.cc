#include "tools/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/tools/scratch.h"
#include "tools/error.h"
#include "tools/table.h"

namespace tidbit::tools {
namespace {

using test::Scratch;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Files, WritesTheWholeAndNothingElse) {
  const Scratch scratch;
  write_file(scratch / "a", {bytes("one "), bytes("two")});
  EXPECT_EQ(test::read(scratch / "a"), "one two");
  write_file(scratch / "a", {bytes("three")});
  EXPECT_EQ(test::read(scratch / "a"), "three");
  EXPECT_EQ(scratch.files(), 1u);
}

TEST(Files, KeepsSymbolicLinks) {
  const Scratch scratch;
  test::write(scratch / "target", "old");
  std::filesystem::create_symlink(scratch / "target", scratch / "link");
  write_file(scratch / "link", {bytes("new")});
  EXPECT_TRUE(std::filesystem::is_symlink(scratch / "link"));
  EXPECT_EQ(test::read(scratch / "target"), "new");
}

TEST(Files, WritesToDevicesInPlace) {
  write_file("/dev/null", {bytes("gone")});
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(Files, WhatCannotBeWrittenIsNamed) {
  const Scratch scratch;
  EXPECT_THROW(write_file(scratch / "", {bytes("x")}), Error);
  EXPECT_THROW(write_file(scratch / "none/a", {bytes("x")}), Error);
  EXPECT_THROW(write_file("/dev/full", {bytes("x")}), Error);
  EXPECT_EQ(scratch.files(), 0u);
}

TEST(Files, ReadsALabelALine) {
  const Scratch scratch;
  test::write(scratch / "labels", "zero\r\none two\n\n");
  EXPECT_THAT(read_labels(scratch / "labels"), testing::ElementsAre("zero", "one two"));
  test::write(scratch / "empty", "\n");
  EXPECT_THROW(read_labels(scratch / "empty"), Error);
  EXPECT_THROW(read_labels(scratch / "none"), Error);
}

TEST(Files, GroupsDigits) {
  EXPECT_EQ(with_separators(0), "0");
  EXPECT_EQ(with_separators(999), "999");
  EXPECT_EQ(with_separators(1000), "1,000");
  EXPECT_EQ(with_separators(1234567), "1,234,567");
}

TEST(Table, AlignsAndCleans) {
  Table table({"name", ">count"});
  table.add({"a\nb", "7"});
  table.add({"long name", "1,000"});
  EXPECT_EQ(table.text(), "name       count\na?b            7\nlong name  1,000\n");
}

}  // namespace
}  // namespace tidbit::tools
