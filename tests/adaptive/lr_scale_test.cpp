// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/lr_scale.h"

#include <gtest/gtest.h>

namespace goss::adaptive {
namespace {

TEST(LrScale, FollowTheirRule) {
  EXPECT_EQ(lr_scale_of(gossLrLinear, 8), 8);
  EXPECT_EQ(lr_scale_of(gossLrSqrt, 16), 4);
  EXPECT_EQ(lr_scale_of(gossLrConstant, 8), 1);
}

TEST(LrScale, RampFromOneAndAreBounded) {
  EXPECT_EQ(batch_lr_scale(gossLrLinear, 8, 0, 0), 1);
  EXPECT_EQ(batch_lr_scale(gossLrLinear, 8, 0.5, 0), 4.5);
  EXPECT_EQ(batch_lr_scale(gossLrLinear, 8, 1, 0), 8);
  EXPECT_EQ(batch_lr_scale(gossLrLinear, 8, 1, 3), 3);
  // A third is not changed by 1 + (1/3 - 1) * 1.
  EXPECT_EQ(batch_lr_scale(gossLrLinear, 1.0 / 3, 1, 0), 1.0 / 3);
}

}  // namespace
}  // namespace goss::adaptive
