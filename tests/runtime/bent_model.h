// The small model with one field bent, which validation must name.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <ostream>
#include <string>

#include "tests/runtime/small_model.h"
#include "tidbit/tidbit.hpp"

namespace tidbit::test {

struct Bent {
  const char* name;
  void (*bend)(TbitBuilder&);
  const char* where;  // in the message
  const char* field;

  friend void PrintTo(const Bent& bent, std::ostream* out) { *out << bent.name; }
};

inline void expect_refused(const Bent& bent) {
  SmallModel small;
  bent.bend(small.builder);
  const TbitFile file = small.builder.finish();
  const Result<Model> model = Model::load(file.bytes());
  ASSERT_FALSE(model);
  EXPECT_EQ(model.status().code(), StatusCode::InvalidFile);
  EXPECT_THAT(model.status().message(), testing::HasSubstr(bent.where));
  EXPECT_THAT(model.status().message(), testing::HasSubstr(bent.field));
  EXPECT_EQ(model.status().message().find('\n'), std::string::npos);
}

inline std::string bent_name(const testing::TestParamInfo<Bent>& test) { return test.param.name; }

inline plain::NodeT& node(TbitBuilder& b, SmallNode index) { return *b.model.nodes[index]; }
inline plain::TensorT& tensor(TbitBuilder& b, uint32_t index) { return *b.model.tensors[index]; }
inline plain::ConvolutionT& conv(TbitBuilder& b) { return *node(b, kConvNode).op.AsConvolution(); }
inline plain::WindowT& window(TbitBuilder& b) { return *conv(b).window; }
inline plain::WeightsT& weights(TbitBuilder& b) { return *conv(b).weights; }
inline plain::AffineT& affine(TbitBuilder& b) { return *conv(b).epilogues[0]->form.AsAffine(); }
inline plain::BentAffineT& bent_affine(TbitBuilder& b) {
  return *node(b, kInterpolateNode).op.AsInterpolate()->epilogue->form.AsBentAffine();
}
inline plain::AveragePoolT& average(TbitBuilder& b) { return *node(b, kAveragePoolNode).op.AsAveragePool(); }
inline plain::FixedPointT& fixed_point(TbitBuilder& b) { return *average(b).epilogue->form.AsFixedPoint(); }
inline plain::DepthwiseConvolutionT& depthwise(TbitBuilder& b) {
  return *node(b, kDepthwiseNode).op.AsDepthwiseConvolution();
}
inline plain::ThresholdsT& steps(TbitBuilder& b) { return *depthwise(b).epilogues[0]->form.AsThresholds(); }
inline plain::RealConvolutionT& dense(TbitBuilder& b) { return *node(b, kRealConvNode).op.AsRealConvolution(); }
inline plain::RealAffineT& real_affine(TbitBuilder& b) { return *dense(b).epilogues[0]->form.AsRealAffine(); }
inline plain::MapStepT& map_step(TbitBuilder& b) { return *node(b, kMapNode).op.AsMap()->steps[0]; }
inline plain::InterpolateT& interpolate(TbitBuilder& b) { return *node(b, kInterpolateNode).op.AsInterpolate(); }
inline plain::NonMaxSuppressionT& suppression(TbitBuilder& b) {
  return *node(b, kSuppressionNode).op.AsNonMaxSuppression();
}
template <class Enum>
constexpr Enum beyond(Enum last) {
  return static_cast<Enum>(static_cast<int>(last) + 1);
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr const char *kConv = "node 'conv' (Convolution)", *kDense = "node 'dense'", *kDepthwise = "node 'depthwise'",
                     *kAverage = "node 'average'";

}  // namespace tidbit::test
