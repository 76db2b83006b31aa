// The networks that `tidbit make` knows: a file and a line in the table each.
#pragma once

#include <span>
#include <string_view>

#include "tools/make/network_builder.h"

namespace tidbit::tools::make {

struct Family {
  std::string_view name, summary;
  compiler::Shape image;                                         // [channels, height, width] as it is usual
  int64_t least;                                                 // height and width at least,
  int64_t multiple;                                              // and a multiple of this
  void (*build)(NetworkBuilder&, const compiler::Shape& image);  // of [N, channels, height, width]
};

std::span<const Family> families();

/// Null where there is none of this name.
const Family* family_named(std::string_view name);

void build_resnet18(NetworkBuilder&, const compiler::Shape& image);
void build_resnet50(NetworkBuilder&, const compiler::Shape& image);
void build_vgg16(NetworkBuilder&, const compiler::Shape& image);
void build_mobilenet_v1(NetworkBuilder&, const compiler::Shape& image);
void build_cnv(NetworkBuilder&, const compiler::Shape& image);

}  // namespace tidbit::tools::make
