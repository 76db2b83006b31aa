#include "tools/make/families.h"

#include <algorithm>
#include <array>

namespace tidbit::tools::make {

std::span<const Family> families() {
  static const std::array kFamilies = {
      Family{"resnet18", "ResNet-18 (He et al., 2016)", {3, 224, 224}, 32, 1, build_resnet18},
      Family{"resnet50", "ResNet-50 (He et al., 2016), stride in the 3x3", {3, 224, 224}, 32, 1, build_resnet50},
      Family{"vgg16", "VGG-16 with batch norm (Simonyan, Zisserman, 2015)", {3, 224, 224}, 32, 1, build_vgg16},
      Family{"mobilenetv1", "MobileNetV1 (Howard et al., 2017)", {3, 224, 224}, 32, 1, build_mobilenet_v1},
      Family{"cnv", "CNV of FINN (Umuroglu et al., 2017), after VGG, without padding", {3, 32, 32}, 32, 1, build_cnv},
  };
  return kFamilies;
}

const Family* family_named(std::string_view name) {
  const std::span<const Family> all = families();
  const auto found = std::ranges::find(all, name, &Family::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace tidbit::tools::make
