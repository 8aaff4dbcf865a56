// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/guard.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace goss::adaptive {
namespace {

// 100 validation samples; the first 25 are hard. Deterministic scatter of +-0.05.
std::vector<float> losses_of(float hard, float easy, uint32_t epoch) {
  std::vector<float> losses;
  for (uint32_t i = 0; i < 100; ++i) {
    const uint32_t mixed = (i * 97 + epoch * 31 + 1) * 2654435761u >> 24;
    losses.push_back((i < 25 ? hard : easy) + (static_cast<float>(mixed) - 127.5f) / 2550);
  }
  return losses;
}

TEST(LabelGuard, StaysQuietWhileTheHardHeldOutSamplesImprove) {
  LabelGuard guard(0.25, 2);
  for (uint32_t epoch = 0; epoch < 20; ++epoch) {
    const auto losses = losses_of(3.0f - 0.1f * static_cast<float>(epoch), 1, epoch);
    ASSERT_TRUE(guard.observe(losses, epoch == 0).ok());
    EXPECT_EQ(guard.excess(), 0) << epoch;
  }
}

// The mean over all samples still falls: what does not is the hard part.
TEST(LabelGuard, SendsBackHalfThenAllWhenTheyDoNot) {
  LabelGuard guard(0.25, 3);
  std::vector<double> seen;
  for (uint32_t epoch = 0; epoch < 12; ++epoch) {
    const auto losses = losses_of(3, 1.0f - 0.05f * static_cast<float>(epoch), epoch);
    ASSERT_TRUE(guard.observe(losses, epoch == 0).ok());
    seen.push_back(guard.excess());
  }
  // Epochs 0 and 1 choose, epoch 2 is the first best; three epochs later, and again three.
  EXPECT_EQ(seen, (std::vector<double>{0, 0, 0, 0, 0, .5, .5, .5, 1, 1, 1, 1}));
}

TEST(LabelGuard, WithoutPatienceNeverActs) {
  LabelGuard guard(0.25, 0);
  for (uint32_t epoch = 0; epoch < 12; ++epoch) {
    ASSERT_TRUE(guard.observe(losses_of(3, 1, epoch), false).ok());
  }
  EXPECT_EQ(guard.excess(), 0);
}

TEST(LabelGuard, RefusesOtherSamplesAndBrokenLosses) {
  LabelGuard guard(0.25, 2);
  ASSERT_TRUE(guard.observe(losses_of(3, 1, 0), false).ok());
  auto losses = losses_of(3, 1, 1);
  losses[17] = std::numeric_limits<float>::infinity();
  EXPECT_NE(guard.observe(losses, false).message().find("sample 17"), std::string::npos);
  losses.pop_back();
  EXPECT_NE(guard.observe(losses, false).message().find("99 losses, 100"), std::string::npos);
  EXPECT_FALSE(guard.observe({}, false).ok());
}

TEST(LabelGuard, GoesOnFromItsState) {
  for (uint32_t saved_at = 0; saved_at < 8; ++saved_at) {
    LabelGuard guard(0.25, 2);
    LabelGuard other;
    for (uint32_t epoch = 0; epoch < 10; ++epoch) {
      ASSERT_TRUE(guard.observe(losses_of(3, 1, epoch), epoch < 2).ok());
      if (epoch == saved_at) {
        StateWriter writer;
        guard.put(writer);
        const auto bytes = writer.finish(StateKind::kBatchPlanner);
        StateReader reader = StateReader::open(bytes, StateKind::kBatchPlanner).take();
        other = LabelGuard::get(reader, 0.25, 2);
        ASSERT_TRUE(reader.finish().ok());
      } else if (epoch > saved_at) {
        ASSERT_TRUE(other.observe(losses_of(3, 1, epoch), epoch < 2).ok());
      }
      if (epoch >= saved_at) EXPECT_EQ(guard.excess(), other.excess());
    }
    EXPECT_GT(guard.excess(), 0);
  }
}

}  // namespace
}  // namespace goss::adaptive
