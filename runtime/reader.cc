#include "runtime/reader.h"

#include "schema/container.h"

namespace tidbit::internal {

std::span<const std::byte> Reader::blob(const file::Blob* blob, std::string_view field) const {
  require(blob != nullptr, field, "is missing");
  const uint64_t offset = blob->offset(), size = blob->size();
  const size_t alignment = container::blob_alignment(size);
  require(offset % alignment == 0, field, "begins at byte ", offset, " of the tail, no multiple of ", alignment);
  require(offset <= tail_.size() && size <= tail_.size() - offset, field, "reaches to byte ", sum({offset, size}),
          " of a tail of ", tail_.size());
  return tail_.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
}

Grid Reader::grid(const file::Grid* grid, std::string_view field) const {
  require(grid != nullptr, field, "is missing");
  require(grid->bits() >= 1 && grid->bits() <= 8, field, "has ", grid->bits(), " bits, must have 1 to 8");
  require(grid->step() == 1 || grid->step() == 2, field, "has a step of ", grid->step(), ", must be 1 or 2");
  require(grid->base() >= -kLargestGridBase && grid->base() <= kLargestGridBase, field, "has a base of ", grid->base(),
          ", beyond ", kLargestGridBase);
  return {.bits = grid->bits(), .step = grid->step(), .base = grid->base()};
}

}  // namespace tidbit::internal
