// Convolution of real activations, for layers whose input is not quantized.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/convolution.h"
#include "kernels/isa.h"

namespace tidbit::kernels {

/// Channels a panel of weights holds.
constexpr int32_t kRealPanelChannels = 16;

/// Sums of real products in float64, for one group and one panel of up to kRealPanelChannels output channels.
/// Products of float32 are exact in float64; sums are rounded one by one, in the order of taps and channels. So a
/// quantizer behind the sum sees no more than their rounding, and every tier (that of `isa`, or the one below it) gives
/// the same bytes.
///   in:    [height][width][.], pixels `pixel_stride` elements apart, the group's channels first
///   panel: [tap][channel][kRealPanelChannels] values of float32 as float64, zero filled past channel_count
///   sums:  [pixel][.], pixels sums_stride elements apart, of output pixels [pixel_begin, pixel_begin + pixel_count)
void real_convolution(const ConvolutionShape&, const float* in, ptrdiff_t pixel_stride, const double* panel,
                      int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                      ptrdiff_t sums_stride, Isa isa = host_isa()) noexcept;

/// The same of a depthwise layer, for up to kRealPanelChannels channels of it: each has a filter of its own. `in`
/// begins with the first of these channels; panel: [tap][kRealPanelChannels] float64.
void real_depthwise(const ConvolutionShape&, const float* in, ptrdiff_t pixel_stride, const double* panel,
                    int32_t channel_count, int32_t pixel_begin, int32_t pixel_count, double* sums,
                    ptrdiff_t sums_stride, Isa isa = host_isa()) noexcept;

}  // namespace tidbit::kernels
