#include "kernels/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace tidbit::kernels {
namespace {

/// A test of host_isa() needs a process of its own: the tier is detected once.
class IsaDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  static void exit_unless(const char* cap, Isa expected) {
    setenv("TIDBIT_ISA", cap, 1);
    std::exit(host_isa() == expected ? 0 : 1);
  }
};

TEST_F(IsaDeathTest, CapsAtScalar) { EXPECT_EXIT(exit_unless("scalar", Isa::Scalar), testing::ExitedWithCode(0), ""); }

TEST_F(IsaDeathTest, UnknownNameCapsAtScalar) {
  EXPECT_EXIT(exit_unless("avx", Isa::Scalar), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_unless("", Isa::Scalar), testing::ExitedWithCode(0), "");
}

TEST_F(IsaDeathTest, CapAtTheHostsOwnTierChangesNothing) {
  const Isa host = host_isa();
  EXPECT_EXIT(exit_unless(std::string(name(host)).c_str(), host), testing::ExitedWithCode(0), "");
}

#if defined(__x86_64__)
TEST(Isa, TiersAreOrdered) {
  EXPECT_LT(Isa::Scalar, Isa::Avx2);
  EXPECT_LT(Isa::Avx2, Isa::Avx512);
  EXPECT_LT(Isa::Avx512, Isa::Avx512Vnni);
}

TEST(Isa, TiersAreNamed) {
  EXPECT_EQ(name(Isa::Scalar), "scalar");
  EXPECT_EQ(name(Isa::Avx2), "avx2");
  EXPECT_EQ(name(Isa::Avx512), "avx512");
  EXPECT_EQ(name(Isa::Avx512Vnni), "avx512vnni");
}

TEST(Isa, HostHasWhatTheCompilerSeesInIt) {
  if (std::getenv("TIDBIT_ISA") != nullptr) GTEST_SKIP() << "TIDBIT_ISA caps it";
  EXPECT_EQ(host_isa() >= Isa::Avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(host_isa() >= Isa::Avx512Vnni,
            __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
                __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg"));
}
#endif

}  // namespace
}  // namespace tidbit::kernels
