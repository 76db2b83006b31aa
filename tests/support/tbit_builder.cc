#include "tests/support/tbit_builder.h"

namespace tidbit::test {

TbitFile TbitBuilder::finish() {
  model.tail_size = tail_.size();
  flatbuffers::FlatBufferBuilder builder;
  plain::FinishSizePrefixedModelBuffer(builder, plain::Model::Pack(builder, &model));
  const size_t tail_offset = container::tail_offset(builder.GetSize() - container::kPrefixBytes);
  TbitFile file(tail_offset + tail_.size());
  std::memcpy(file.bytes().data(), builder.GetBufferPointer(), builder.GetSize());
  if (!tail_.empty()) std::memcpy(file.bytes().data() + tail_offset, tail_.data(), tail_.size());
  return file;
}

}  // namespace tidbit::test
