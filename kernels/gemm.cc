#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/bitserial/family.h"
#include "kernels/dot/family.h"
#include "kernels/lut/family.h"

namespace tidbit::kernels {
namespace {

constexpr Family kFamilies[] = {Family::BitSerial, Family::Lut, Family::Dot};

std::vector<const GemmKernel*> all_kernels() {
  std::vector<const GemmKernel*> kernels;
  for (const auto tiers : {bitserial::tiers(), lut::tiers(), dot::tiers()}) {
    for (const auto tier : tiers) {
      for (const GemmKernel& kernel : tier) kernels.push_back(&kernel);
    }
  }
  return kernels;
}

}  // namespace

std::string_view name(Family family) {
  switch (family) {
    case Family::BitSerial:
      return "bitserial";
    case Family::Lut:
      return "lut";
    case Family::Dot:
      return "dot";
  }
  return {};
}

std::optional<Family> family_named(std::string_view wanted) {
  for (const Family family : kFamilies) {
    if (name(family) == wanted) return family;
  }
  return std::nullopt;
}

std::span<const GemmKernel* const> gemm_kernels() {
  static const std::vector<const GemmKernel*> kernels = all_kernels();
  return kernels;
}

std::vector<const GemmKernel*> usable_gemm_kernels(const GemmProblem& problem, Isa isa) {
  std::vector<const GemmKernel*> usable;
  for (const GemmKernel* kernel : gemm_kernels()) {
    if (kernel->isa <= isa && kernel->supports(problem)) usable.push_back(kernel);
  }
  std::ranges::stable_sort(usable, {}, [&](const GemmKernel* kernel) { return kernel->cost(problem); });
  return usable;
}

const GemmKernel* select_gemm_kernel(const GemmProblem& problem, Isa isa, std::optional<Family> family) {
  const std::vector<const GemmKernel*> usable = usable_gemm_kernels(problem, isa);
  const auto chosen =
      std::ranges::find_if(usable, [&](const GemmKernel* kernel) { return !family || kernel->family == *family; });
  if (chosen != usable.end()) return *chosen;
  return usable.empty() ? nullptr : usable.front();
}

}  // namespace tidbit::kernels
