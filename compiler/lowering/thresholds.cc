#include "compiler/lowering/thresholds.h"

#include <algorithm>
#include <limits>

#include "compiler/lowering/rising_function.h"

namespace tidbit::compiler {

op::Thresholds find_thresholds(const CodeFunction& function, const SumDomain& domain, int64_t channels) {
  op::Thresholds result;
  result.channels = channels;
  int32_t lowest = std::numeric_limits<int32_t>::max(), highest = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const RisingFunction rising(function, domain, c);
    lowest = std::min(lowest, rising(rising.range().lowest));
    highest = std::max(highest, rising(rising.range().highest));
    result.falling.push_back(rising.falling());
  }
  result.lowest = lowest;
  result.steps = highest - lowest;
  const bool integer = domain.kind == SumDomain::Kind::Integer;
  const double always = integer ? std::numeric_limits<int32_t>::min() : -std::numeric_limits<double>::infinity();
  const double never = integer ? std::numeric_limits<int32_t>::max() : std::numeric_limits<double>::infinity();
  for (int64_t c = 0; c < channels; ++c) {
    const RisingFunction rising(function, domain, c);
    int64_t key = rising.range().lowest;
    for (int32_t code = lowest + 1; code <= highest; ++code) {
      key = rising.first_key(code, {key, rising.range().highest});
      const double sum = key > rising.range().highest ? never : sum_of_key(domain.kind, key);
      result.values.push_back(key == rising.range().lowest ? always : sum);
    }
  }
  return result;
}

}  // namespace tidbit::compiler
