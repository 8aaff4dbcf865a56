// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "planner.h"

#include <gtest/gtest.h>

namespace goss::train {
namespace {

// By samples alone the learning rate of InfoBatch, which leaves samples out, would never come down.
TEST(Planner, EveryEpochIsOneEpochHoweverManySamplesItHas) {
  Ranks ranks;
  for (const gossBatchMode_t mode : {gossBatchFixed, gossBatchAdaptive, gossBatchInfoBatch}) {
    gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
    config.mode = mode;
    config.samples = 1000;
    config.warmupEpochs = 1;
    config.epochs = 5;
    Planner planner(config, ranks);
    bool left_out = false;
    for (int e = 0; e < config.epochs; ++e) {
      const gossEpoch_t epoch = planner.epoch();
      left_out = left_out || epoch.samples < config.samples;
      double expected = e;
      for (uint64_t step = 0; step < epoch.steps; ++step) {
        const Batch batch = planner.batch(step);
        EXPECT_NEAR(planner.epochs_before(batch.info), expected, 1e-9);
        expected += static_cast<double>(batch.info.real) / static_cast<double>(epoch.samples);
        std::vector<float> losses;
        for (const uint32_t sample : batch.samples) losses.push_back(static_cast<float>(sample));
        planner.record(step, losses);
      }
      EXPECT_NEAR(expected, e + 1, 1e-9);
      planner.next_epoch({});
    }
    EXPECT_EQ(left_out, mode == gossBatchInfoBatch);
  }
}

}  // namespace
}  // namespace goss::train
