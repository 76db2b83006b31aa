// How a .tbit file is laid out around its flatbuffer:
//   [u32 size of the flatbuffer][flatbuffer][zero padding to a multiple of 64 bytes][tail]
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tidbit::container {

/// The version this source writes, and the newest it reads.
constexpr uint32_t kVersion = 1;

/// Alignment of the tail, and of every blob in it of more than half as much: a cache line, and the widest vector.
constexpr size_t kAlignment = 64;

/// What the offset of a blob of `size` bytes in the tail is a multiple of: a small blob lies within one vector, and no
/// padding makes a cache line of it.
constexpr size_t blob_alignment(uint64_t size) {
  return static_cast<size_t>(std::bit_ceil(std::clamp<uint64_t>(size, sizeof(uint64_t), kAlignment)));
}

constexpr size_t kPrefixBytes = sizeof(uint32_t);

constexpr size_t align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Where the tail begins, for a flatbuffer of this size (without its prefix).
constexpr size_t tail_offset(size_t flatbuffer_bytes) { return align(kPrefixBytes + flatbuffer_bytes); }

}  // namespace tidbit::container
