// The memory of a session: which tensor and which scratch lie where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tidbit::internal {

class ModelImpl;

struct ArenaOptions {
  size_t batch, threads;
  bool keep_tensors;
  uint64_t limit;  // bytes
};

struct ArenaLayout {
  std::vector<std::optional<size_t>> tensors;  // offsets; none for a tensor that nothing writes
  std::vector<size_t> scratch;                 // offsets, of each node
  size_t bytes = 0;
};

/// Throws Failure where it takes more than the limit.
ArenaLayout lay_out(const ModelImpl&, const ArenaOptions&);

}  // namespace tidbit::internal
