#include "tools/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/scratch.h"
#include "tools/error.h"

namespace tidbit::tools {
namespace {

using test::Scratch;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// A version 1 file with this header text and data.
std::string npy(std::string header, const std::string& data) {
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  return file + header + data;
}

auto fails_with(const std::string& text) { return ThrowsMessage<Error>(HasSubstr(text)); }

TEST(Npy, WritesWhatItReads) {
  const Scratch scratch;
  const std::vector<std::vector<int64_t>> shapes = {{}, {6}, {2, 3}, {1, 2, 3}, {0, 3}};
  for (const std::vector<int64_t>& shape : shapes) {
    std::vector<float> data;
    size_t count = 1;
    for (int64_t extent : shape) count *= static_cast<size_t>(extent);
    for (size_t i = 0; i < count; ++i) data.push_back(0.1f * static_cast<float>(i));
    write_npy(scratch / "a.npy", shape, data);
    const Array<float> array = read_npy<float>(scratch / "a.npy");
    EXPECT_EQ(array.shape, shape);
    EXPECT_EQ(array.data, data);
  }
}

TEST(Npy, WritesNumpysOwnForm) {
  const Scratch scratch;
  write_npy(scratch / "a.npy", std::vector<int64_t>{2}, std::vector<float>{1, 2});
  const std::string file = test::read(scratch / "a.npy");
  EXPECT_EQ(file.size(), 128 + 8u);  // the data is aligned to 64 bytes
  EXPECT_THAT(file, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"));
}

TEST(Npy, ReadsLabels) {
  const Scratch scratch;
  test::write(scratch / "y.npy",
              npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", std::string("\x07\0\0\0\0\0\0\0", 8)));
  EXPECT_EQ(read_npy<int64_t>(scratch / "y.npy").data, std::vector<int64_t>{7});
  test::write(scratch / "y.npy", npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }",
                                     std::string("\x07\0\0\0\xff\xff\xff\xff", 8)));
  EXPECT_EQ(read_npy<int64_t>(scratch / "y.npy").data, (std::vector<int64_t>{7, -1}));
  test::write(scratch / "y.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\xff\x01"));
  EXPECT_EQ(read_npy<int64_t>(scratch / "y.npy").data, (std::vector<int64_t>{255, 1}));
  test::write(scratch / "y.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "1234"));
  EXPECT_THAT([&] { read_npy<int64_t>(scratch / "y.npy"); }, fails_with("expected int64"));
}

TEST(Npy, NamesWhatItExpectedAndFound) {
  const Scratch scratch;
  const std::string path = scratch / "x.npy";
  const auto reading = [&](const std::string& header, const std::string& data) {
    test::write(path, npy(header, data));
    return [&] { read_npy<float>(path); };
  };
  EXPECT_THAT(reading("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", "12345678"),
              fails_with(path + ": expected float32 ('<f4'), found '<f8'"));
  EXPECT_THAT(reading("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "1234"), fails_with("found '>f4'"));
  EXPECT_THAT(reading("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234"),
              fails_with("structured"));
  EXPECT_THAT(reading("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", "1234"), fails_with("Fortran"));
  EXPECT_THAT(reading("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234"),
              fails_with("found 4 bytes"));
  EXPECT_THAT(reading("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "12345"),
              fails_with("found 5 bytes"));
  EXPECT_THAT(reading("{'descr': '<f4', 'shape': (1,), }", "1234"), fails_with("damaged header"));
}

TEST(Npy, SizesThatOverflowAreRefused) {
  const Scratch scratch;
  const std::string path = scratch / "x.npy";
  for (const char* shape : {"(4611686018427387904, 4)", "(9223372036854775807, 9223372036854775807)",
                            "(4611686018427387905,)", "(-1,)", "(99999999999999999999,)"}) {
    test::write(path, npy(std::string("{'descr': '<f4', 'fortran_order': False, 'shape': ") + shape + ", }", "1234"));
    EXPECT_THROW(read_npy<float>(path), Error) << shape;
  }
}

TEST(Npy, MissingFilesAndDirectoriesAreNamed) {
  const Scratch scratch;
  EXPECT_THAT([&] { read_npy<float>(scratch / "none.npy"); }, fails_with("none.npy: cannot be read (No such file"));
  EXPECT_THAT([&] { read_npy<float>(scratch / ""); }, fails_with("cannot be read"));
}

TEST(Npy, EveryTruncationIsRefused) {
  const Scratch scratch;
  write_npy(scratch / "a.npy", std::vector<int64_t>{3}, std::vector<float>{1, 2, 3});
  const std::string whole = test::read(scratch / "a.npy");
  for (size_t length = 0; length < whole.size(); ++length) {
    test::write(scratch / "b.npy", whole.substr(0, length));
    EXPECT_THROW(read_npy<float>(scratch / "b.npy"), Error) << length;
  }
}

TEST(Npy, EveryFlippedBitIsRefusedOrHarmless) {
  const Scratch scratch;
  write_npy(scratch / "a.npy", std::vector<int64_t>{3}, std::vector<float>{1, 2, 3});
  const std::string whole = test::read(scratch / "a.npy");
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    test::write(scratch / "b.npy", flipped);
    try {
      EXPECT_EQ(read_npy<float>(scratch / "b.npy").data.size(), 3u) << bit;
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace tidbit::tools
