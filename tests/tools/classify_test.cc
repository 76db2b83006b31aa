#include "tools/classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace tidbit::tools {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(Classify, TakesTheSoftmaxOfScores) {
  const float scores[] = {0, 1000};  // would overflow without the shift
  EXPECT_THAT(probabilities(scores), ElementsAre(DoubleNear(0, 1e-12), DoubleNear(1, 1e-12)));
}

TEST(Classify, LeavesProbabilitiesAlone) {
  const float scores[] = {0.25f, 0.75f};
  EXPECT_THAT(probabilities(scores), ElementsAre(0.25, 0.75));
}

TEST(Classify, OneScoreIsCertain) {
  const float score[] = {-1};
  EXPECT_THAT(probabilities(score), ElementsAre(1));
}

TEST(Classify, RanksLargestFirstAndEqualOnesInOrder) {
  const float scores[] = {1, 3, 3, 2};
  EXPECT_THAT(best(scores, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(best(scores, 9), ElementsAre(1, 2, 3, 0));
}

TEST(Classify, NotANumberIsLast) {
  const float scores[] = {std::numeric_limits<float>::quiet_NaN(), -5, 1};
  EXPECT_THAT(best(scores, 3), ElementsAre(2, 1, 0));
}

}  // namespace
}  // namespace tidbit::tools
