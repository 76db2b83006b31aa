#include "runtime/container.h"

#include <bit>
#include <cstring>

#include "runtime/failure.h"
#include "schema/container.h"

namespace tidbit::internal {
namespace {

static_assert(std::endian::native == std::endian::little, "blobs are used in place, and they are little endian");

/// Deeper than the schema nests.
constexpr flatbuffers::uoffset_t kDeepest = 16;
/// No table is smaller, counting the offset that refers to it. The verifier counts a table as often as it is referred
/// to, so this also keeps a small file from meaning a large model.
constexpr size_t kSmallestTable = 8;

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Failure{StatusCode::InvalidFile, text(parts...)};
}

bool has_identifier(std::span<const std::byte> file) {
  constexpr size_t kIdentifierOffset = container::kPrefixBytes + sizeof(flatbuffers::uoffset_t);
  constexpr size_t kIdentifierBytes = 4;
  return file.size() >= kIdentifierOffset + kIdentifierBytes &&
         std::memcmp(file.data() + kIdentifierOffset, file::ModelIdentifier(), kIdentifierBytes) == 0;
}

}  // namespace

FileView open_container(std::span<const std::byte> file) {
  if (file.empty()) fail("the file is empty");
  if (!has_identifier(file)) fail("not a .tbit file");
  uint32_t flatbuffer_bytes;
  std::memcpy(&flatbuffer_bytes, file.data(), sizeof flatbuffer_bytes);
  if (flatbuffer_bytes >= FLATBUFFERS_MAX_BUFFER_SIZE - container::kPrefixBytes ||
      container::tail_offset(flatbuffer_bytes) > file.size()) {
    fail("the file is cut short or damaged: its header has ", flatbuffer_bytes, " bytes, the file ", file.size());
  }
  const auto* const header = reinterpret_cast<const uint8_t*>(file.data());
  flatbuffers::Verifier verifier(header, container::kPrefixBytes + flatbuffer_bytes, kDeepest,
                                 static_cast<flatbuffers::uoffset_t>(flatbuffer_bytes / kSmallestTable));
  if (!file::VerifySizePrefixedModelBuffer(verifier)) fail("the file is damaged: its header is no valid flatbuffer");

  const file::Model* const model = file::GetSizePrefixedModel(header);
  if (model->version() == 0) fail("the file is damaged: its version is 0");
  if (model->version() > container::kVersion) {
    throw Failure{StatusCode::NewerVersion,
                  text("the file has version ", model->version(), ", this library reads up to ", container::kVersion,
                       ": compile the model again with this version, or update tidbit")};
  }
  const std::span<const std::byte> tail = file.subspan(container::tail_offset(flatbuffer_bytes));
  if (model->tail_size() != tail.size()) {
    fail("the file is cut short or damaged: its tail should have ", model->tail_size(), " bytes, it has ", tail.size());
  }
  return {model, flatbuffer_bytes, tail};
}

}  // namespace tidbit::internal
