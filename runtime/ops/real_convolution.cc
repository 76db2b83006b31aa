// Real activations x weights of any encoding, summed in float64, or in float32 where no quantizer sees it.
#include <algorithm>
#include <cmath>
#include <optional>

#include "kernels/real/convolution.h"
#include "runtime/ops/epilogues.h"
#include "runtime/ops/float32_convolution.h"
#include "runtime/ops/real_form.h"
#include "runtime/ops/table.h"
#include "runtime/ops/weights.h"
#include "runtime/ops/window.h"

namespace tidbit::internal {
namespace {

constexpr int32_t kPanel = kernels::kRealPanelChannels;
/// Pixels whose sums pass to the epilogue at a time: 16 KiB.
constexpr int32_t kTilePixels = 128;
/// Weights of a row that are turned into a panel's columns at a time: 8 KiB of the panel.
constexpr size_t kTurned = 64;

class RealConvolution final : public Op {
 public:
  RealConvolution(const NodeReader& node, const file::RealConvolution& table)
      : geometry_(linear_geometry(node, table.window(), table.groups())),
        weights_(node, table.weights(), geometry_.weights_shape()),
        epilogues_(node, table.epilogues(), Sums::Real),
        input_(node.input_index(0)),
        output_(node.output_index(0)) {
    node.require_real(node.input(0), "inputs[0]");
    if (table.weights()->scales() != nullptr || !weights_.real()) {
      scales_ = node.per_channel<double>(table.weights()->scales(), "weights.scales", weights_.shape().rows);
      node.require(std::ranges::all_of(scales_, [](double scale) { return std::isfinite(scale); }), "weights.scales",
                   "has a value that is not finite");
    }
  }

  void describe(NodeInfo& info) const override {
    info.weight_bits = weights_.bits();
    info.macs = geometry_.group_shape().macs() * geometry_.groups * geometry_.images;
    info.weight_bytes = weights_.file_bytes();
    if (!float32_) return;
    info.kernel = float32_->kernel();
    info.packed_bytes = static_cast<size_t>(float32_->packed_bytes());
  }

  bool take_float32(uint64_t most_bytes) override {
    const kernels::Epilogue* const line = epilogues_.clamped_line();
    if (line == nullptr || !Float32Convolution::fits(geometry_)) return false;
    Float32Convolution convolution(geometry_, line->real_lowest, line->real_highest);
    if (convolution.packed_bytes() > most_bytes) return false;
    float32_ = std::move(convolution);
    return true;
  }

  void prepare() override {
    if (!float32_) return;
    const kernels::Epilogue& line = *epilogues_.clamped_line();
    float32_->pack([&](size_t row, size_t count, float* weights, float* biases) {
      fill_filter(row, count, parameters(line.multiplier, line), weights);
      for (size_t i = 0; i < count; ++i) {
        biases[i] = static_cast<float>(of_row(parameters(line.offset, line), row + i));
      }
    });
  }

  uint64_t scratch_bytes(size_t /*batch*/, size_t threads) const override {
    return float32_ ? 0 : product({threads, scratch_layout().bytes});
  }

  size_t largest_batch() const override { return geometry_.largest_batch(); }

  std::optional<RealForm> real_form(uint64_t most_bytes) const override {
    const kernels::Epilogue* const line = epilogues_.clamped_line();
    if (line == nullptr) return std::nullopt;
    const auto rows = static_cast<size_t>(weights_.shape().rows);
    const uint64_t weights = product({weights_.shape().rows, weights_.shape().row_elements()});
    const std::span<const double> multipliers = parameters(line->multiplier, *line);
    ConvolutionForm form{geometry_, {}, {}, RealNumbers(rows), line->real_lowest, line->real_highest};
    for (size_t row = 0; row < rows; ++row) {
      form.bias.span()[row] = static_cast<float>(of_row(parameters(line->offset, *line), row));
    }
    if (weights_.real() && scales_.empty() && std::ranges::all_of(multipliers, [](double m) { return m == 1; })) {
      form.filter_in_file = {weights_.reals(0).data(), static_cast<size_t>(weights)};
      return RealForm{std::move(form)};
    }
    if (product({weights, sizeof(float)}) > most_bytes) return std::nullopt;
    form.filter_copy = RealNumbers(static_cast<size_t>(weights));
    fill_filter(0, rows, multipliers, form.filter_copy.span().data());
    return RealForm{std::move(form)};
  }

  void run(const Frame& frame) const noexcept override {
    if (float32_) return float32_->run(frame, input_, output_);
    const Geometry geometry = geometry_.of_batch(frame.batch);
    const kernels::ConvolutionShape shape = geometry.group_shape();
    const bool depthwise = shape.channels == 1 && shape.out_channels == 1;  // one group of all channels, then
    const int32_t groups = depthwise ? 1 : geometry.groups;
    const int32_t out_channels = geometry.shape.out_channels / groups;
    const auto panels = static_cast<size_t>((out_channels + kPanel - 1) / kPanel);
    const auto pixels = static_cast<int32_t>(shape.pixels());
    const int32_t part_pixels = pixels_of_part(pixels, panels * static_cast<size_t>(groups), frame.threads.count());
    const auto parts = static_cast<size_t>((int64_t{pixels} + part_pixels - 1) / part_pixels);
    const ScratchLayout layout = scratch_layout();
    frame.threads.parallel_for(parts * panels * static_cast<size_t>(groups), [&](size_t i, size_t thread) {
      const auto group = static_cast<int32_t>(i / parts / panels);
      const auto first = static_cast<int32_t>(i / parts % panels) * kPanel;
      const auto begin = static_cast<int32_t>(i % parts) * part_pixels;
      const int32_t channels = std::min(kPanel, out_channels - first);
      std::byte* const scratch = frame.scratch + thread * layout.bytes;
      auto* const panel = reinterpret_cast<double*>(scratch);
      const auto row = static_cast<size_t>(group) * out_channels + first;
      fill_panel(row, channels, panel, reinterpret_cast<uint8_t*>(scratch + layout.codes));
      const Slice slice{depthwise ? kernels::real_depthwise : kernels::real_convolution,
                        depthwise ? first : group * shape.channels,
                        static_cast<int32_t>(row),
                        channels,
                        begin,
                        std::min(part_pixels, pixels - begin),
                        panel,
                        reinterpret_cast<double*>(scratch + layout.sums)};
      for (int32_t image = 0; image < geometry.images; ++image) convolve(frame, geometry, shape, image, slice);
    });
  }

 private:
  /// Of a thread: a panel of weights, sums of a tile, the codes of a panel.
  struct ScratchLayout {
    uint64_t sums, codes, bytes;
  };

  /// What one thread computes at a time: a panel of channels of some pixels of each image.
  struct Slice {
    decltype(&kernels::real_convolution) kernel;
    int32_t in_channel;         // the first that it reads
    int32_t channel, channels;  // that it writes
    int32_t pixel, pixels;
    const double* panel;
    double* sums;
  };

  /// Each part of the pixels makes its panels anew: there are as few as keep the threads busy. Whole tiles.
  static int32_t pixels_of_part(int32_t pixels, size_t panels, size_t threads) {
    const size_t wanted = threads == 1 ? 1 : 2 * threads;
    const auto parts = static_cast<int64_t>((wanted + panels - 1) / panels);
    const int64_t tiles = (int64_t{pixels} + kTilePixels - 1) / kTilePixels;
    return static_cast<int32_t>(std::min<int64_t>((tiles + parts - 1) / parts * kTilePixels, pixels));
  }

  ScratchLayout scratch_layout() const {
    const uint64_t depth = weights_.shape().row_elements();
    const uint64_t sums = aligned(product({depth, kPanel, sizeof(double)}));
    const uint64_t codes = sum({sums, uint64_t{kTilePixels} * kPanel * sizeof(double)});
    return {sums, codes, aligned(sum({codes, weights_.real() ? 0 : product({depth, kPanel})}))};
  }

  /// An epilogue's parameters: one, or one a channel.
  std::span<const double> parameters(const void* values, const kernels::Epilogue& epilogue) const {
    return {static_cast<const double*>(values), epilogue.per_channel ? static_cast<size_t>(weights_.shape().rows) : 1};
  }

  static double of_row(std::span<const double> values, size_t row) { return values[values.size() > 1 ? row : 0]; }

  double scale_of(size_t row) const { return scales_.empty() ? 1.0 : of_row(scales_, row); }

  /// Rows of weights times their scales and an epilogue's multipliers, [row][tap][channel].
  void fill_filter(size_t first, size_t count, std::span<const double> multipliers, float* to) const {
    const auto depth = static_cast<size_t>(weights_.shape().row_elements());
    std::vector<uint8_t> codes(weights_.real() ? 0 : depth);
    for (size_t row = first; row < first + count; ++row, to += depth) {
      const double factor = scale_of(row) * of_row(multipliers, row);
      if (weights_.real()) {
        const std::span<const float> reals = weights_.reals(row);
        for (size_t k = 0; k < depth; ++k) to[k] = static_cast<float>(factor * static_cast<double>(reals[k]));
      } else {
        weights_.codes(row, 1, codes.data());
        for (size_t k = 0; k < depth; ++k) to[k] = static_cast<float>(factor * weights_.grid().value(codes[k]));
      }
    }
  }

  /// Weights of `channels` rows from `row` on without their scales, which are float32 values, [tap][channel][kPanel].
  /// `codes` has room for these
  /// rows.
  void fill_panel(size_t row, int32_t channels, double* panel, uint8_t* codes) const noexcept {
    const auto depth = static_cast<size_t>(weights_.shape().row_elements());
    if (channels < kPanel) std::fill_n(panel, depth * kPanel, 0.0);
    if (!weights_.real()) weights_.codes(row, static_cast<size_t>(channels), codes);
    for (size_t begin = 0; begin < depth; begin += kTurned) {
      const size_t end = std::min(depth, begin + kTurned);
      for (int32_t i = 0; i < channels; ++i) {
        const auto turn = [&](const auto& value) {
          for (size_t k = begin; k < end; ++k) panel[k * kPanel + i] = value(k);
        };
        if (weights_.real()) {
          turn([reals = weights_.reals(row + i).data()](size_t k) { return static_cast<double>(reals[k]); });
        } else {
          turn([grid = weights_.grid(), of_row = codes + i * depth](size_t k) { return grid.value(of_row[k]); });
        }
      }
    }
  }

  /// Multiplies the sums of a tile by the scales of its weights.
  void scale(const Slice& slice, int32_t pixels) const noexcept {
    if (scales_.empty()) return;
    for (int32_t i = 0; i < pixels; ++i) {
      for (int32_t c = 0; c < slice.channels; ++c) {
        slice.sums[i * kPanel + c] *= scale_of(static_cast<size_t>(slice.channel) + c);
      }
    }
  }

  void convolve(const Frame& frame, const Geometry& geometry, const kernels::ConvolutionShape& shape, int32_t image,
                const Slice& slice) const noexcept {
    const float* const in = frame.tensor<const float>(input_) + image * geometry.in_elements() + slice.in_channel;
    for (int32_t done = 0; done < slice.pixels; done += std::min(kTilePixels, slice.pixels - done)) {
      const int32_t begin = slice.pixel + done, count = std::min(kTilePixels, slice.pixels - done);
      slice.kernel(shape, in, geometry.shape.channels, slice.panel, slice.channels, begin, count, slice.sums, kPanel,
                   kernels::host_isa());
      scale(slice, count);
      epilogues_.apply(frame, SumBlock<double>{.sums = slice.sums,
                                               .stride = kPanel,
                                               .pixel = image * shape.pixels() + begin,
                                               .pixels = count,
                                               .channel = slice.channel,
                                               .channels = slice.channels});
    }
  }

  Geometry geometry_;
  Weights weights_;
  Epilogues epilogues_;
  size_t input_, output_;
  std::span<const double> scales_;
  std::optional<Float32Convolution> float32_;
};

}  // namespace

std::unique_ptr<Op> make_real_convolution(const NodeReader& node, const OpOptions&) {
  return std::make_unique<RealConvolution>(node, node.op<file::RealConvolution>());
}

}  // namespace tidbit::internal
