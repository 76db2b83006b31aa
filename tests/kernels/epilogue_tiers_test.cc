// Every tier of the epilogues gives the bytes of the scalar one: all forms, sums, residuals, shapes and edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/epilogue/epilogue.h"
#include "tests/support/every_isa.h"

namespace tidbit::kernels {
namespace {

constexpr int32_t kFirstChannel = 5;

/// Numbers that meet every edge: the ends of their type, halves, huge and tiny ones, infinities and NaN.
class Numbers {
 public:
  explicit Numbers(uint32_t seed) : random_(seed) {}

  uint32_t below(uint32_t end) { return static_cast<uint32_t>(random_()) % end; }

  int32_t integer() {
    static constexpr int32_t kEdges[] = {INT32_MIN, INT32_MIN + 1, -16777217,     -1,       0,
                                         1,         16777217,      INT32_MAX - 1, INT32_MAX};
    if (below(4) == 0) return kEdges[below(std::size(kEdges))];
    if (below(4) == 0) return static_cast<int32_t>(random_());
    return static_cast<int32_t>(below(400)) - 200;
  }

  double real() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    static const double kEdges[] = {-kInfinity, kInfinity, std::nan(""), -std::nan(""), 0.0,     -0.0,
                                    1e300,      -1e300,    1e-300,       0.5,           1.5,     -0.5,
                                    254.5,      255.5,     1e-45,        3.5e38,        -3.5e38, 5e-324};
    if (below(4) == 0) return kEdges[below(std::size(kEdges))];
    if (below(4) == 0) return static_cast<int32_t>(below(400)) / 2.0 - 100;  // halves
    return finite();
  }

  double finite() { return std::uniform_real_distribution<double>(-100, 100)(random_); }

  template <class T>
  T of() {
    if constexpr (std::is_same_v<T, int32_t>) {
      return integer();
    } else if constexpr (std::is_same_v<T, float>) {
      return static_cast<float>(std::clamp(real(), -3e38, 3e38));  // keeps NaN
    } else {
      return real();
    }
  }

 private:
  std::mt19937 random_;
};

/// A NaN is as good as another: which one results is not the formula's to say.
std::vector<uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::isnan(value) ? 0x7fc00000 : std::bit_cast<uint32_t>(value));
  return bits;
}
std::vector<uint8_t> bits_of(const std::vector<uint8_t>& codes) { return codes; }

enum class With { Nothing, Codes, Reals };

struct Shape {
  int32_t pixels, channels, gap;  // the gap between pixels, in elements
};

constexpr Shape kShapes[] = {{1, 1, 0},  {7, 1, 0},   {40, 1, 0},  {40, 3, 0}, {33, 3, 1}, {16, 8, 0}, {5, 15, 0},
                             {5, 15, 2}, {3, 16, 0},  {3, 16, 7},  {4, 17, 0}, {4, 31, 3}, {3, 64, 0}, {2, 64, 8},
                             {3, 67, 0}, {2, 130, 1}, {1, 200, 0}, {9, 16, 0}, {5, 32, 0}, {9, 48, 0}};

/// A block whose buffers end where its last pixel does.
template <class Sum>
struct Data {
  Shape shape;
  std::vector<Sum> sums;
  std::vector<uint8_t> codes;
  std::vector<float> reals;
  Grid grid;  // of the codes: with both a step and a base, one of them, or neither

  Data(const Shape& of, Numbers& numbers) : shape(of) {
    constexpr Grid kGrids[] = {{4, 2, -15}, {4, 1, -8}, {4, 2, 0}, {4, 1, 0}};
    grid = kGrids[numbers.below(std::size(kGrids))];
    const auto size = static_cast<size_t>(of.pixels * (of.channels + of.gap) - of.gap);
    for (size_t i = 0; i < size; ++i) {
      sums.push_back(numbers.of<Sum>());
      codes.push_back(static_cast<uint8_t>(numbers.below(16)));
      reals.push_back(numbers.of<float>());
    }
  }

  template <class Out>
  std::vector<Out> apply(const Epilogue& epilogue, With residual, Isa isa) const {
    const ptrdiff_t stride = shape.channels + shape.gap;
    std::vector<Out> out(sums.size(), Out{77});
    kernels::apply(epilogue,
                   EpilogueBlock<Sum>{.sums = sums.data(),
                                      .sums_stride = stride,
                                      .residual = {.codes = residual == With::Codes ? codes.data() : nullptr,
                                                   .reals = residual == With::Reals ? reals.data() : nullptr,
                                                   .stride = stride,
                                                   .grid = grid},
                                      .out = out.data(),
                                      .out_stride = stride,
                                      .pixels = shape.pixels,
                                      .channel_begin = kFirstChannel,
                                      .channels = shape.channels},
                   isa);
    return out;
  }

  template <class Out>
  void expect_equal(const Epilogue& epilogue, With residual, Isa isa) const {
    EXPECT_EQ(bits_of(apply<Out>(epilogue, residual, isa)), bits_of(apply<Out>(epilogue, residual, Isa::Scalar)))
        << shape.pixels << " pixels of " << shape.channels << " channels and a gap of " << shape.gap
        << (epilogue.per_channel ? ", per channel" : "") << ", form " << static_cast<int>(epilogue.form)
        << ", residual " << static_cast<int>(residual) << ", steps " << epilogue.steps;
  }
};

size_t parameter_count(const Shape& shape, bool per_channel) {
  return per_channel ? static_cast<size_t>(kFirstChannel + shape.channels) : 1;
}

class EpilogueTiers : public test::IsaTest {};
TIDBIT_FOR_EVERY_ISA(EpilogueTiers);

template <class Sum>
void expect_equal_thresholds(Isa isa) {
  using Value = std::conditional_t<std::is_same_v<Sum, int32_t>, int32_t, double>;
  Numbers numbers(11);
  for (const Shape& shape : kShapes) {
    for (const bool per_channel : {false, true}) {
      for (const bool falls : {false, true}) {
        for (const int32_t steps : {0, 1, 2, 3, 4, 7, 15, 64, 65, 255}) {
          std::vector<Value> values;
          std::vector<uint8_t> falling;
          for (size_t c = 0; c < parameter_count(shape, per_channel); ++c) {
            std::vector<Value> row(static_cast<size_t>(steps));
            for (Value& value : row) {
              do value = numbers.of<Value>();
              while (value != value);
            }
            std::ranges::sort(row);
            values.insert(values.end(), row.begin(), row.end());
            falling.push_back(static_cast<uint8_t>(numbers.below(2)));
          }
          Data<Sum>(shape, numbers)
              .template expect_equal<uint8_t>({.form = EpilogueForm::Thresholds,
                                               .per_channel = per_channel,
                                               .values = values.data(),
                                               .falling = falls ? falling.data() : nullptr,
                                               .steps = steps,
                                               .lowest = steps == 255 ? 0 : 3},
                                              With::Nothing, isa);
        }
      }
    }
  }
}

TEST_P(EpilogueTiers, ThresholdsEqualScalar) {
  expect_equal_thresholds<int32_t>(isa());
  expect_equal_thresholds<double>(isa());
  expect_equal_thresholds<float>(isa());
}

/// Steps and sums around the ends of int16, where a tier may cut the sums to it: those within, and any.
TEST_P(EpilogueTiers, ThresholdsAroundTheEndsOfInt16) {
  const int32_t numbers[] = {-32768, -32769, -40000, -32767, -32766, -1,    0,     1,
                             32765,  32766,  32767,  32768,  32769,  70000, 65536, -65536};
  constexpr int32_t kChannels = 133, kPixels = 40;
  Numbers random(17);
  for (const int32_t steps : {1, 2, 3}) {
    for (const bool within : {true, false}) {
      std::vector<int32_t> values;
      for (int32_t c = 0; c < kChannels; ++c) {
        std::vector<int32_t> row(static_cast<size_t>(steps));
        for (int32_t& value : row) {
          do value = numbers[random.below(std::size(numbers))];
          while (within && (value <= INT16_MIN || value > INT16_MAX));
        }
        std::ranges::sort(row);
        values.insert(values.end(), row.begin(), row.end());
      }
      std::vector<int32_t> sums(size_t{kChannels} * kPixels);
      for (int32_t& sum : sums) sum = numbers[random.below(std::size(numbers))];
      const auto codes = [&](Isa isa) {
        std::vector<uint8_t> out(sums.size());
        apply({.form = EpilogueForm::Thresholds, .per_channel = true, .values = values.data(), .steps = steps},
              EpilogueBlock<int32_t>{.sums = sums.data(),
                                     .sums_stride = kChannels,
                                     .residual = {},
                                     .out = out.data(),
                                     .out_stride = kChannels,
                                     .pixels = kPixels,
                                     .channel_begin = 0,
                                     .channels = kChannels},
              isa);
        return out;
      };
      EXPECT_EQ(codes(isa()), codes(Isa::Scalar)) << steps << " steps" << (within ? " within int16" : "");
    }
  }
}

/// Sums next to a step, above and below it.
TEST_P(EpilogueTiers, ThresholdsOfFloatsCompareAsDoubles) {
  const double steps[] = {-1e300, -3.5e38, -1 - 1e-9, -1e-50, 0, 1e-50, 1e-45, 0.1, 1 + 1e-9, 16777217, 3.5e38, 1e300};
  for (const double step : steps) {
    std::vector<float> sums = {0.0f, -0.0f, std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity(), std::nanf("")};
    const float near = static_cast<float>(std::clamp(step, -3.4e38, 3.4e38));
    for (const float sum : {near, std::nextafter(near, INFINITY), std::nextafter(near, -INFINITY)}) {
      sums.insert(sums.end(), {sum, -sum});
    }
    for (const uint8_t falling : {uint8_t{0}, uint8_t{1}}) {
      std::vector<uint8_t> expected, out(sums.size());
      for (const float sum : sums) expected.push_back((falling != 0 ? -double{sum} : double{sum}) >= step ? 1 : 0);
      const auto count = static_cast<int32_t>(sums.size());
      apply({.form = EpilogueForm::Thresholds, .values = &step, .falling = &falling, .steps = 1},
            EpilogueBlock<float>{.sums = sums.data(),
                                 .sums_stride = count,
                                 .residual = {},
                                 .out = out.data(),
                                 .out_stride = count,
                                 .pixels = 1,
                                 .channel_begin = 0,
                                 .channels = count},
            isa());
      EXPECT_EQ(out, expected) << step;
    }
  }
}

template <class Sum, class Real>
void expect_equal_affine(Isa isa, EpilogueForm form) {
  Numbers numbers(12);
  for (const Shape& shape : kShapes) {
    for (const bool per_channel : {false, true}) {
      for (const With residual : {With::Nothing, With::Codes, With::Reals}) {
        for (const double scale : {1.0, 0.01, 1e30}) {
          std::vector<Real> multiplier, offset, knee, slope, below;
          for (size_t c = 0; c < parameter_count(shape, per_channel); ++c) {
            multiplier.push_back(static_cast<Real>(numbers.finite() * scale));
            offset.push_back(static_cast<Real>(numbers.finite()));
            knee.push_back(static_cast<Real>(numbers.below(2) != 0 ? numbers.finite() : numbers.below(9)));
            slope.push_back(static_cast<Real>(numbers.finite() / 50));
            below.push_back(static_cast<Real>(numbers.finite()));
          }
          if (scale == 1.0) std::ranges::fill(multiplier, Real{0.5});  // halves to round
          Epilogue epilogue = {.form = form,
                               .per_channel = per_channel,
                               .multiplier = multiplier.data(),
                               .offset = offset.data(),
                               .residual_multiplier = residual == With::Nothing ? 0 : 0.3 * scale,
                               .lowest = static_cast<int32_t>(numbers.below(4)),
                               .highest = 3 + static_cast<int32_t>(numbers.below(253)),
                               .real_lowest = numbers.below(2) != 0 ? 0.0f : -50.0f,
                               .real_highest = numbers.below(2) != 0 ? 6.0f : INFINITY};
          const Data<Sum> data(shape, numbers);
          if (form == EpilogueForm::Real) {
            data.template expect_equal<float>(epilogue, residual, isa);
          } else {
            data.template expect_equal<uint8_t>(epilogue, residual, isa);
            epilogue.knee = knee.data();
            epilogue.slope_below = slope.data();
            epilogue.offset_below = below.data();
            data.template expect_equal<uint8_t>(epilogue, residual, isa);
          }
        }
      }
    }
  }
}

TEST_P(EpilogueTiers, Affine32EqualsScalar) {
  expect_equal_affine<int32_t, float>(isa(), EpilogueForm::Affine32);
  expect_equal_affine<double, float>(isa(), EpilogueForm::Affine32);
  expect_equal_affine<float, float>(isa(), EpilogueForm::Affine32);
}

TEST_P(EpilogueTiers, Affine64EqualsScalar) {
  expect_equal_affine<int32_t, double>(isa(), EpilogueForm::Affine64);
  expect_equal_affine<double, double>(isa(), EpilogueForm::Affine64);
  expect_equal_affine<float, double>(isa(), EpilogueForm::Affine64);
}

TEST_P(EpilogueTiers, RealsEqualScalar) {
  expect_equal_affine<int32_t, double>(isa(), EpilogueForm::Real);
  expect_equal_affine<double, double>(isa(), EpilogueForm::Real);
  expect_equal_affine<float, double>(isa(), EpilogueForm::Real);
}

/// What the same values as doubles give.
TEST_P(EpilogueTiers, FloatsEqualDoubles) {
  Numbers numbers(13);
  const Data<float> floats({50, 19, 0}, numbers);
  Data<double> doubles({50, 19, 0}, numbers);
  doubles.sums.assign(floats.sums.begin(), floats.sums.end());
  const double values[] = {-1.1, 0.3, 7}, multiplier = 0.37, offset = 2.1;
  const float multiplier32 = 0.37f, offset32 = 2.1f;
  for (const Epilogue& epilogue :
       {Epilogue{.form = EpilogueForm::Thresholds, .values = values, .steps = 3},
        Epilogue{.form = EpilogueForm::Affine32, .multiplier = &multiplier32, .offset = &offset32, .highest = 15},
        Epilogue{.form = EpilogueForm::Affine64, .multiplier = &multiplier, .offset = &offset, .highest = 15}}) {
    EXPECT_EQ(floats.apply<uint8_t>(epilogue, With::Nothing, isa()),
              doubles.apply<uint8_t>(epilogue, With::Nothing, isa()));
  }
}

}  // namespace
}  // namespace tidbit::kernels
