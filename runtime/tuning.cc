#include "runtime/tuning.h"

#include <algorithm>

#include "runtime/failure.h"

namespace tidbit::internal {
namespace {

constexpr std::string_view kHeader = "tidbit-tuning 1";

[[noreturn]] void fail(size_t line, std::string_view what) {
  throw Failure{StatusCode::InvalidArgument,
                text("LoadOptions::tuning: line ", line, " ", what, ": write it anew with 'tidbit tune'")};
}

/// Takes the first line off `text`.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string grid_key(const Grid& grid) { return text(grid.bits, ".", grid.step, ".", grid.base); }

}  // namespace

Tuning::Tuning(std::string_view text) {
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    if (number == 1) {
      if (line != kHeader) fail(number, "is not 'tidbit-tuning 1'");
    } else if (!line.empty() && !line.starts_with('#')) {
      read_line(line, number);
    }
  }
}

void Tuning::read_line(std::string_view line, size_t number) {
  const size_t space = line.find(' ');
  if (space == 0 || space >= line.size() - 1 || line.find(' ', space + 1) != std::string_view::npos) {
    fail(number, "is not 'LAYER KERNEL'");
  }
  kernels_.insert_or_assign(std::string(line.substr(0, space)), std::string(line.substr(space + 1)));
}

const kernels::GemmKernel* Tuning::kernel(const kernels::GemmProblem& problem, kernels::Isa isa) const {
  const auto entry = kernels_.find(layer_key(problem));
  if (entry == kernels_.end()) return nullptr;
  const auto usable = kernels::usable_gemm_kernels(problem, isa);
  const auto named = std::ranges::find(usable, entry->second, &kernels::GemmKernel::name);
  return named == usable.end() ? nullptr : *named;
}

std::string layer_key(const kernels::GemmProblem& problem) {
  const kernels::ConvolutionShape& s = problem.shape;
  const kernels::Window& w = s.window;
  return text(s.height, "x", s.width, "x", s.channels, "-", s.out_height, "x", s.out_width, "x", s.out_channels, "/k",
              w.kernel_height, "x", w.kernel_width, "/s", w.stride_height, "x", w.stride_width, "/d", w.dilation_height,
              "x", w.dilation_width, "/p", w.pad_top, ".", w.pad_left, ".", w.pad_bottom, ".", w.pad_right, "/w",
              grid_key(problem.weights), "/a", grid_key(problem.activations));
}

}  // namespace tidbit::internal
