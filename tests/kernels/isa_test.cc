#include "kernels/isa.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

#include "tests/support/every_isa.h"

namespace tidbit::kernels {
namespace {

/// A test of host_isa() needs a process of its own: the tier is detected once. It is a fork, as an emulator cannot
/// start a program; GoogleTest runs death tests before others, so nothing is detected yet.
class IsaDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "fast"; }

  static void exit_unless(const char* cap, Isa expected) {
    setenv("TIDBIT_ISA", cap, 1);
    std::exit(host_isa() == expected ? 0 : 1);
  }

  static void exit_unless_core(const char* named, Core expected) {
    setenv("TIDBIT_CORE", named, 1);
    std::exit(host_core() == expected ? 0 : 1);
  }
};

TEST_F(IsaDeathTest, CapsAtScalar) { EXPECT_EXIT(exit_unless("scalar", Isa::Scalar), testing::ExitedWithCode(0), ""); }

TEST_F(IsaDeathTest, UnknownNameCapsAtScalar) {
  EXPECT_EXIT(exit_unless("avx", Isa::Scalar), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_unless("", Isa::Scalar), testing::ExitedWithCode(0), "");
}

TEST_F(IsaDeathTest, CapAtTheHostsOwnTierChangesNothing) {
  auto host = Isa::Scalar;
  const auto keep = [&](int status) {
    host = static_cast<Isa>(WEXITSTATUS(status));
    return WIFEXITED(status);
  };
  EXPECT_EXIT(std::exit(static_cast<int>(host_isa())), keep, "");
  EXPECT_EXIT(exit_unless(std::string(name(host)).c_str(), host), testing::ExitedWithCode(0), "");
}

#if defined(__x86_64__)
TEST_F(IsaDeathTest, CoreCanBeNamed) {
  EXPECT_EXIT(exit_unless_core("zen", Core::Zen), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_unless_core("cove", Core::Cove), testing::ExitedWithCode(0), "");
  const Core host = __builtin_cpu_is("intel") ? Core::Cove : Core::Zen;
  EXPECT_EXIT(exit_unless_core("lake", host), testing::ExitedWithCode(0), "");
}

/// Executes VPDPBUSD of AVX-VNNI, which this file is not compiled for.
void execute_vpdpbusd() { asm volatile("%{vex%} vpdpbusd %%ymm0, %%ymm0, %%ymm0" ::: "xmm0"); }

/// Multiplies tiles, which this file is not compiled for.
void execute_tdpbusd() {
  struct alignas(64) {
    uint8_t palette = 1, reserved[15] = {};
    uint16_t row_bytes[16] = {4, 4, 4};
    uint8_t rows[16] = {1, 1, 1};
  } const configuration;
  asm volatile("ldtilecfg %0" ::"m"(configuration));
  asm volatile("tdpbusd %tmm2, %tmm1, %tmm0");
  asm volatile("tilerelease");
}

TEST(Isa, TiersAreOrdered) {
  EXPECT_LT(Isa::Scalar, Isa::Avx2);
  EXPECT_LT(Isa::Avx2, Isa::Avx512);
  EXPECT_LT(Isa::Avx512, Isa::Avx512Vnni);
  EXPECT_LT(Isa::Avx512Vnni, Isa::Amx);
}

TEST(Isa, TiersIncludeThoseBelowButTheBranch) {
  for (const Isa isa : test::every_isa()) {
    for (const Isa tier : test::every_isa()) {
      const bool expected = tier == Isa::AvxVnni ? isa == Isa::AvxVnni : tier <= isa;
      EXPECT_EQ(includes(isa, tier), expected) << name(isa) << " and " << name(tier);
    }
  }
}

TEST(Isa, TheBranchHasTheTablesOfTheTierItLeaves) {
  static constexpr int kOf[] = {0, 1, 2, 3};
  constexpr const int* kTables[] = {&kOf[0], &kOf[1], &kOf[2], &kOf[3]};  // scalar, avx2, avx512, avx512vnni
  const std::pair<Isa, int> expected[] = {{Isa::Scalar, 0}, {Isa::Avx2, 1},       {Isa::AvxVnni, 1},
                                          {Isa::Avx512, 2}, {Isa::Avx512Vnni, 3}, {Isa::Amx, 3}};
  for (const auto& [isa, table] : expected) EXPECT_EQ(*tier_of(isa, kTables), table) << name(isa);
}

/// AVX-VNNI is a branch of its own, so that what detects it is held against executing it.
TEST_F(IsaDeathTest, CapsAtTheBranchWhereTheHostExecutesIt) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this host has no AVX2";
  bool executes = false;
  const auto keep = [&](int status) {
    executes = WIFEXITED(status);
    return true;
  };
  EXPECT_EXIT((execute_vpdpbusd(), std::exit(0)), keep, "");
  EXPECT_EXIT(exit_unless("avxvnni", executes ? Isa::AvxVnni : Isa::Avx2), testing::ExitedWithCode(0), "");
}

/// Tiles take Linux's permission, so that what asks for it is held against executing them.
TEST_F(IsaDeathTest, HostHasTheTilesThatItExecutes) {
  if (!__builtin_cpu_supports("avx512vnni")) GTEST_SKIP() << "this host has no AVX-512 with VNNI";
  bool executes = false;
  const auto keep = [&](int status) {
    executes = WIFEXITED(status);
    return true;
  };
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  EXPECT_EXIT((syscall(SYS_arch_prctl, kRequestPermission, kTileData), execute_tdpbusd(), std::exit(0)), keep, "");
  EXPECT_EXIT(exit_unless("amx", executes ? Isa::Amx : Isa::Avx512Vnni), testing::ExitedWithCode(0), "");
  const auto execute_at = [](const char* cap) {
    setenv("TIDBIT_ISA", cap, 1);
    static_cast<void>(host_isa());
    execute_tdpbusd();
    std::exit(0);
  };
  if (executes) {
    EXPECT_EXIT(execute_at("amx"), testing::ExitedWithCode(0), "");
  }
  EXPECT_EXIT(execute_at("avx512vnni"), testing::KilledBySignal(SIGILL), "") << "permission that was not asked for";
}

TEST(Isa, TiersAreNamed) {
  EXPECT_EQ(name(Isa::Scalar), "scalar");
  EXPECT_EQ(name(Isa::Avx2), "avx2");
  EXPECT_EQ(name(Isa::AvxVnni), "avxvnni");
  EXPECT_EQ(name(Isa::Avx512), "avx512");
  EXPECT_EQ(name(Isa::Avx512Vnni), "avx512vnni");
  EXPECT_EQ(name(Isa::Amx), "amx");
}

TEST(Isa, HostHasWhatTheCompilerSeesInIt) {
  if (std::getenv("TIDBIT_ISA") != nullptr) GTEST_SKIP() << "TIDBIT_ISA caps it";
  EXPECT_EQ(host_isa() >= Isa::Avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(host_isa() >= Isa::Avx512Vnni,
            __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
                __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg"));
}
#elif defined(__aarch64__) || defined(__arm__)
TEST(Isa, TiersAreOrdered) {
  EXPECT_LT(Isa::Scalar, Isa::Neon);
  EXPECT_LT(Isa::Neon, Isa::NeonDot);
  EXPECT_LT(Isa::NeonDot, Isa::NeonI8mm);
}

TEST(Isa, TiersAreNamed) {
  EXPECT_EQ(name(Isa::Scalar), "scalar");
  EXPECT_EQ(name(Isa::Neon), "neon");
  EXPECT_EQ(name(Isa::NeonDot), "neondot");
  EXPECT_EQ(name(Isa::NeonI8mm), "neoni8mm");
}

/// Executes SDOT (sdot v0.4s, v0.16b, v0.16b or vsdot.s8 q0, q0, q0), which this file is not compiled for.
void execute_sdot() {
#if defined(__aarch64__)
  asm volatile(".inst 0x4e809400" ::: "v0");
#elif defined(__thumb__)
  asm volatile(".inst.w 0xfc200d40" ::: "d0", "d1");
#else
  asm volatile(".inst 0xfc200d40" ::: "d0", "d1");
#endif
}

TEST_F(IsaDeathTest, CoreCanBeNamed) {
  EXPECT_EXIT(exit_unless_core("a53", Core::A53), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_unless_core("a72", Core::A72), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_unless_core("a76", Core::A76), testing::ExitedWithCode(0), "");
}

/// Whether a process lives through `execute`.
bool executes(void (*execute)()) {
  bool lives = false;
  const auto keep = [&](int status) {
    lives = WIFEXITED(status);
    return true;
  };
  EXPECT_EXIT((execute(), std::exit(0)), keep, "");
  return lives;
}

TEST_F(IsaDeathTest, CapsAtNeon) { EXPECT_EXIT(exit_unless("neon", Isa::Neon), testing::ExitedWithCode(0), ""); }

TEST_F(IsaDeathTest, CapsAtNeonDot) {
  if (executes(execute_sdot)) {
    EXPECT_EXIT(exit_unless("neondot", Isa::NeonDot), testing::ExitedWithCode(0), "");
  }
}

TEST_F(IsaDeathTest, HostHasTheDotProductThatItExecutes) {
  if (std::getenv("TIDBIT_ISA") != nullptr) GTEST_SKIP() << "TIDBIT_ISA caps it";
  EXPECT_EQ(executes(execute_sdot), host_isa() >= Isa::NeonDot);
}

#if defined(__aarch64__)
/// Executes USMMLA v0.4s, v0.16b, v0.16b.
void execute_usmmla() { asm volatile(".inst 0x4e80ac00" ::: "v0"); }

TEST_F(IsaDeathTest, HostHasTheMatrixProductThatItExecutes) {
  if (std::getenv("TIDBIT_ISA") != nullptr) GTEST_SKIP() << "TIDBIT_ISA caps it";
  EXPECT_EQ(executes(execute_usmmla), host_isa() >= Isa::NeonI8mm);
}
#endif
#endif

}  // namespace
}  // namespace tidbit::kernels
