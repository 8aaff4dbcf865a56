// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace goss::adaptive {
namespace {

TEST(Paired, MeanAndVarianceOfTheDifference) {
  const std::vector<float> now = {1, 2, 6};
  const std::vector<float> then = {0, 0, 1};
  const PairedDifference change = paired_difference(now, then);
  EXPECT_DOUBLE_EQ(change.mean, 8.0 / 3);
  // Differences 1, 2, 5: variance 13/3, of the mean a third of it.
  EXPECT_DOUBLE_EQ(change.variance, 13.0 / 9);
}

TEST(Paired, WhatSamplesHaveInCommonCancels) {
  std::vector<float> now;
  std::vector<float> then;
  for (int i = 0; i < 100; ++i) {
    then.push_back(static_cast<float>(i * i));
    now.push_back(static_cast<float>(i * i) + 0.25f);
  }
  const PairedDifference change = paired_difference(now, then);
  EXPECT_EQ(change.mean, 0.25);
  EXPECT_EQ(change.variance, 0);
}

TEST(Paired, OneSampleProvesNothing) {
  const std::vector<float> one = {1};
  EXPECT_TRUE(std::isinf(paired_difference(one, one).variance));
}

TEST(Paired, ABrokenLossIsNamed) {
  const std::vector<float> losses = {1, 2, std::numeric_limits<float>::quiet_NaN(), 4};
  const Status status = check_finite("somebody", losses);
  EXPECT_EQ(status.code(), gossInvalidArgument);
  EXPECT_NE(status.message().find("somebody : the loss of sample 2 of 4"), std::string::npos);
  EXPECT_TRUE(check_finite("somebody", std::vector<float>{1, 2}).ok());
}

}  // namespace
}  // namespace goss::adaptive
