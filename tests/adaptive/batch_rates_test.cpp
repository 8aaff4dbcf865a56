// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/batch_rates.h"

#include <gtest/gtest.h>

namespace goss::adaptive {
namespace {

TEST(BatchRates, FollowTheirRule) {
  EXPECT_EQ(rate_scale(gossRateLinear, 8), 8);
  EXPECT_EQ(rate_scale(gossRateSqrt, 16), 4);
  EXPECT_EQ(rate_scale(gossRateConstant, 8), 1);
}

TEST(BatchRates, RampFromOneAndAreBounded) {
  EXPECT_EQ(batch_rate(gossRateLinear, 8, 0, 0), 1);
  EXPECT_EQ(batch_rate(gossRateLinear, 8, 0.5, 0), 4.5);
  EXPECT_EQ(batch_rate(gossRateLinear, 8, 1, 0), 8);
  EXPECT_EQ(batch_rate(gossRateLinear, 8, 1, 3), 3);
  // A third is not changed by 1 + (1/3 - 1) * 1.
  EXPECT_EQ(batch_rate(gossRateLinear, 1.0 / 3, 1, 0), 1.0 / 3);
}

}  // namespace
}  // namespace goss::adaptive
