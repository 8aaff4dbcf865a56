// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What ranks tell each other, and how they stop together.
#include <gtest/gtest.h>

#include <limits>

#include "adaptive/planners.h"

namespace goss::test {
namespace {

TEST(BatchExchange, TakesTwoRoundsOfGlobalDataAndThreeOfShards) {
  Planners global(batch_config(gossBatchAdaptive), 2, {50});
  global.exchange_well();
  EXPECT_EQ(global.exchanges(), 1);  // nothing is known yet: only the hash
  global.next_epoch(scattered_loss);
  EXPECT_EQ(global.exchanges(), 3);
  gossBatchConfig_t config = batch_config(gossBatchAdaptive);
  config.sharded = 1;
  Planners sharded(config, 2, {50, 60});
  sharded.exchange_well();
  EXPECT_EQ(sharded.exchanges(), 3);
}

TEST(BatchExchange, NothingWorksBeforeItsEnd) {
  Planners planners(batch_config(gossBatchAdaptive), 1, {50});
  gossEpoch_t epoch{};
  epoch.size = sizeof(epoch);
  EXPECT_EQ(gossBatchPlannerGetEpoch(planners[0], &epoch), gossInvalidUsage);
  EXPECT_NE(said().find("gossBatchPlannerExchange"), std::string::npos);
  EXPECT_EQ(gossBatchPlannerEndEpoch(planners[0]), gossInvalidUsage);
  size_t bytes = 0;
  EXPECT_EQ(gossBatchPlannerSave(planners[0], nullptr, 0, &bytes), gossInvalidUsage);
  planners.exchange_well();
  EXPECT_EQ(gossBatchPlannerGetEpoch(planners[0], &epoch), gossSuccess);
}

// Rank 1 alone sees the broken loss, and is told at once; the exchange tells everybody.
TEST(BatchExchange, ABrokenLossStopsAllRanksWithItsSample) {
  for (const int sharded : {0, 1}) {
    for (const float broken :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      gossBatchConfig_t config = batch_config(gossBatchAdaptive);
      config.sharded = sharded;
      Planners planners(config, 3, {70, 70, 70});
      planners.exchange_well();
      planners.record_all(scattered_loss);
      const SlotBatch batch = planners.batch(1, 1);
      std::vector<float> losses(batch.samples.size(), 1.0f);
      losses[2] = broken;
      ASSERT_GT(batch.weights[2], 0);
      EXPECT_EQ(gossBatchPlannerRecord(planners[1], 1, 1, 3, losses.data(), losses.size()),
                gossInvalidArgument);
      const std::string sample = "sample " + std::to_string(batch.samples[2]);
      EXPECT_NE(said().find(sample), std::string::npos) << said();
      EXPECT_NE(said().find("step 1, rank 1"), std::string::npos) << said();
      planners.end_epoch();
      for (const gossResult_t code : planners.exchange()) EXPECT_EQ(code, gossInvalidArgument);
      EXPECT_NE(said().find(sample), std::string::npos) << said();
      if (sharded == 1) EXPECT_NE(said().find("of rank 1"), std::string::npos) << said();
      // It stays so.
      for (const gossResult_t code : planners.exchange()) EXPECT_EQ(code, gossInvalidArgument);
    }
  }
}

TEST(BatchExchange, PaddingMayBeAnything) {
  Planners planners(batch_config(gossBatchFixed), 3, {4});
  planners.exchange_well();
  const SlotBatch batch = planners.batch(0, 2);
  ASSERT_EQ(batch.weights, (std::vector<float>{1, 0}));
  const float losses[] = {1, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(gossBatchPlannerRecord(planners[2], 0, 2, 3, losses, 2), gossSuccess) << said();
}

TEST(BatchExchange, RanksThatWouldTrainDifferentlyAreTold) {
  gossBatchConfig_t config = batch_config(gossBatchAdaptive);
  Planners planners(config, 2, {100});
  config.samples = 100;
  config.seed = 8;
  gossBatchPlanner_t other = nullptr;
  ASSERT_EQ(gossBatchPlannerCreate(&other, &config), gossSuccess);
  planners.replace(1, other);
  for (const gossResult_t code : planners.exchange()) EXPECT_EQ(code, gossInvalidUsage);
  EXPECT_NE(said().find("plans of epoch 0 differ"), std::string::npos) << said();
}

TEST(BatchExchange, ALostRanksSamplesKeepTheirEarlierLoss) {
  Planners planners(batch_config(gossBatchAdaptive), 2, {64});
  planners.exchange_well();
  planners.next_epoch([](int, uint32_t, uint64_t) { return 4.0f; });
  for (uint64_t step = 0; step < planners.epoch().steps; ++step) {
    planners.record(step, 0, [](int, uint32_t, uint64_t) { return 2.0f; });  // rank 1 is dead
  }
  planners.end_epoch();
  planners.exchange_well();
  const auto buckets = planners.buckets();
  EXPECT_EQ(buckets[0].mean, 4);
  EXPECT_EQ(buckets.back().p10, 3);  // half of 4, half of 2
}

TEST(BatchExchange, WrongArgumentsAreNamed) {
  Planners planners(batch_config(gossBatchAdaptive), 1, {50});
  planners.exchange_well();
  gossBatch_t batch{};
  EXPECT_EQ(gossBatchPlannerGetBatch(planners[0], 0, 0, 1, &batch, nullptr, nullptr, 0),
            gossInvalidArgument);
  EXPECT_NE(said().find("size"), std::string::npos);
  batch.size = sizeof(batch);
  uint32_t samples[64];
  EXPECT_EQ(gossBatchPlannerGetBatch(planners[0], 2, 0, 1, &batch, samples, nullptr, 64),
            gossInvalidArgument);
  EXPECT_NE(said().find("step 2 of epoch 0, which has 2 steps"), std::string::npos) << said();
  EXPECT_EQ(gossBatchPlannerGetBatch(planners[0], 0, 1, 1, &batch, samples, nullptr, 64),
            gossInvalidArgument);
  EXPECT_EQ(gossBatchPlannerGetBatch(planners[0], 0, 0, 1, &batch, samples, nullptr, 5),
            gossInvalidArgument);
  EXPECT_NE(said().find("capacity 5, but step 0 has 25 slots"), std::string::npos) << said();
  const float losses[3] = {};
  EXPECT_EQ(gossBatchPlannerRecord(planners[0], 0, 0, 1, losses, 3), gossInvalidArgument);
  EXPECT_EQ(gossBatchPlannerRecord(planners[0], 0, 0, 1, nullptr, 25), gossInvalidArgument);
  EXPECT_EQ(gossBatchPlannerExchange(nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossBatchPlannerCreate(nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossBatchPlannerDestroy(nullptr), gossSuccess);
  double scale = 0;
  EXPECT_EQ(gossLrScale(gossLrSqrt, 64, 16, &scale), gossSuccess);
  EXPECT_EQ(scale, 2);
  EXPECT_EQ(gossLrScale(gossLrSqrt, 64, 0, &scale), gossInvalidArgument);
}

}  // namespace
}  // namespace goss::test
