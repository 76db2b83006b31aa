// Tests that run once for each tier of this architecture.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/isa.h"

namespace tidbit::test {

/// Every tier, whether the host has it or not.
inline std::vector<kernels::Isa> every_isa() {
#if defined(__x86_64__)
  constexpr kernels::Isa kLast = kernels::Isa::Amx;
#elif defined(__aarch64__) || defined(__arm__)
  constexpr kernels::Isa kLast = kernels::Isa::NeonI8mm;
#else
  constexpr kernels::Isa kLast = kernels::Isa::Scalar;
#endif
  std::vector<kernels::Isa> all;
  for (uint8_t isa = 0; isa <= static_cast<uint8_t>(kLast); ++isa) all.push_back(static_cast<kernels::Isa>(isa));
  return all;
}

/// A test of one tier, skipped where the host has not got it.
class IsaTest : public testing::TestWithParam<kernels::Isa> {
 protected:
  void SetUp() override {
    if (!kernels::host_executes(isa())) GTEST_SKIP() << "this host has no " << name(isa());
  }
  static kernels::Isa isa() { return GetParam(); }
};

inline std::string isa_name(const testing::TestParamInfo<kernels::Isa>& info) { return std::string(name(info.param)); }

}  // namespace tidbit::test

/// Runs the TEST_Ps of `suite`, an IsaTest, once for each tier.
#define TIDBIT_FOR_EVERY_ISA(suite) \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(tidbit::test::every_isa()), tidbit::test::isa_name)
