// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "epoch_record.h"

#include <gtest/gtest.h>

#include <numeric>

namespace goss::train {
namespace {

TEST(LossCurve, DescendsFromTheLargestToTheSmallest) {
  std::vector<float> losses(129);
  std::iota(losses.begin(), losses.end(), 0.f);
  const std::vector<float> curve = loss_curve(losses);
  ASSERT_EQ(curve.size(), 65u);
  EXPECT_EQ(curve.front(), 128);
  EXPECT_EQ(curve[32], 64);
  EXPECT_EQ(curve.back(), 0);
  EXPECT_EQ(loss_curve(std::vector<float>{3}).back(), 3);
}

TEST(RankCorrelation, IsOneForEqualOrderAndMinusOneForTheReverse) {
  const std::vector<float> losses = {.1f, 5, .2f, 40};
  EXPECT_DOUBLE_EQ(rank_correlation(losses, std::vector<uint8_t>{1, 8, 3, 9}), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(losses, std::vector<uint8_t>{9, 3, 8, 1}), -1);
  EXPECT_DOUBLE_EQ(rank_correlation(std::vector<float>{1}, std::vector<uint8_t>{1}), 0);
}

}  // namespace
}  // namespace goss::train
