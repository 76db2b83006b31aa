// How a .tbit file is laid out around its flatbuffer:
//   [u32 size of the flatbuffer][flatbuffer][zero padding to a multiple of 64 bytes][tail]
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidbit::container {

/// The version this source writes, and the newest it reads.
constexpr uint32_t kVersion = 1;

/// Alignment of the tail and of every blob in it: a cache line, and the widest vector.
constexpr size_t kAlignment = 64;

constexpr size_t kPrefixBytes = sizeof(uint32_t);

constexpr size_t align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Where the tail begins, for a flatbuffer of this size (without its prefix).
constexpr size_t tail_offset(size_t flatbuffer_bytes) { return align(kPrefixBytes + flatbuffer_bytes); }

}  // namespace tidbit::container
