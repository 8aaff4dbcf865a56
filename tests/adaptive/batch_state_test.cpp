// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Planners that are saved in the middle of an epoch and go on as if nothing had been.
#include <gtest/gtest.h>

#include "adaptive/planners.h"

namespace goss::test {
namespace {

std::vector<unsigned char> save(gossBatchPlanner_t planner) {
  size_t bytes = 0;
  EXPECT_EQ(gossBatchPlannerSave(planner, nullptr, 0, &bytes), gossSuccess) << said();
  std::vector<unsigned char> state(bytes);
  EXPECT_EQ(gossBatchPlannerSave(planner, state.data(), state.size(), &bytes), gossSuccess);
  return state;
}

gossBatchPlanner_t restore(const std::vector<unsigned char>& state) {
  gossBatchPlanner_t planner = nullptr;
  EXPECT_EQ(gossBatchPlannerRestore(&planner, state.data(), state.size()), gossSuccess) << said();
  return planner;
}

float changing_loss(int rank, uint32_t sample, uint64_t step) {
  return scattered_loss(rank, sample * 3 + static_cast<uint32_t>(step), step);
}

// Runs four epochs; at `saved_epoch`, before `saved_step`, all planners are replaced by restored
// ones.
std::vector<std::vector<unsigned char>> run(gossBatchConfig_t config, uint64_t saved_epoch,
                                            uint64_t saved_step) {
  Planners planners(config, 3, {211, 150, 0});
  planners.exchange_well();
  const std::vector<float> held_out = {3, 1, 1, 1};
  for (uint64_t epoch = 0; epoch < 5; ++epoch) {
    const uint64_t steps = planners.epoch().steps;
    for (uint64_t step = 0; step < steps; ++step) {
      if (epoch == saved_epoch && step == std::min(saved_step, steps - 1)) {
        for (int rank = 0; rank < 3; ++rank) {
          EXPECT_EQ(planners.epoch(rank).next_step, step);
          planners.replace(rank, restore(save(planners[rank])));
        }
      }
      for (int rank = 0; rank < 3; ++rank) planners.record(step, rank, changing_loss);
    }
    for (int rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(gossBatchPlannerGuard(planners[rank], held_out.data(), 4), gossSuccess);
    }
    planners.end_epoch();
    planners.exchange_well();
  }
  std::vector<std::vector<unsigned char>> states;
  for (int rank = 0; rank < 3; ++rank) states.push_back(save(planners[rank]));
  return states;
}

TEST(BatchState, ARestoredPlannerGoesOnBitForBit) {
  for (const gossBatchMode_t mode : {gossBatchFixed, gossBatchAdaptive, gossBatchRandom,
                                     gossBatchReversed, gossBatchGrowth, gossBatchInfoBatch}) {
    for (const int sharded : {0, 1}) {
      gossBatchConfig_t config = batch_config(mode);
      config.sharded = sharded;
      config.guardPatience = 1;
      const auto uninterrupted = run(config, UINT64_MAX, 0);
      for (uint64_t epoch = 0; epoch < 5; ++epoch) {
        for (const uint64_t step : {0u, 1u, 1000u}) {
          EXPECT_EQ(run(config, epoch, step), uninterrupted)
              << "mode=" << mode << ",sharded=" << sharded << ",epoch=" << epoch
              << ",step=" << step;
        }
      }
    }
  }
}

TEST(BatchState, BatchesAreTheSameAfterRestoring) {
  Planners planners(batch_config(gossBatchAdaptive), 2, {300});
  planners.exchange_well();
  for (int epoch = 0; epoch < 2; ++epoch) planners.next_epoch(scattered_loss);
  Planners others(batch_config(gossBatchAdaptive), 2, {300});
  for (int rank = 0; rank < 2; ++rank) others.replace(rank, restore(save(planners[rank])));
  ASSERT_EQ(planners.epoch().hash, others.epoch().hash);
  for (uint64_t step = 0; step < planners.epoch().steps; ++step) {
    EXPECT_EQ(planners.batch(step, 1).samples, others.batch(step, 1).samples);
    EXPECT_EQ(planners.batch(step, 1).weights, others.batch(step, 1).weights);
    EXPECT_EQ(planners.batch(step, 1).batch.lr_scale, others.batch(step, 1).batch.lr_scale);
  }
}

TEST(BatchState, DamagedTruncatedAndForeignStatesAreRefused) {
  Planners planners(batch_config(gossBatchAdaptive), 1, {20});
  planners.exchange_well();
  planners.next_epoch(scattered_loss);
  const auto good = save(planners[0]);
  gossBatchPlanner_t planner = nullptr;
  for (size_t at = 0; at < good.size(); at += 3) {
    auto bad = good;
    bad[at] ^= 0x10;
    ASSERT_EQ(gossBatchPlannerRestore(&planner, bad.data(), bad.size()), gossInvalidArgument);
    EXPECT_EQ(planner, nullptr);
    EXPECT_NE(said().find("byte"), std::string::npos) << said();
  }
  for (const size_t length : {size_t{0}, size_t{39}, size_t{40}, good.size() - 1}) {
    EXPECT_EQ(gossBatchPlannerRestore(&planner, good.data(), length), gossInvalidArgument);
    EXPECT_NE(said().find("trunc"), std::string::npos) << said();
  }
  const std::vector<unsigned char> foreign(good.size(), 'x');
  EXPECT_EQ(gossBatchPlannerRestore(&planner, foreign.data(), foreign.size()), gossInvalidArgument);
  EXPECT_NE(said().find("was not saved by Gossamer"), std::string::npos) << said();
  EXPECT_EQ(gossBatchPlannerRestore(&planner, nullptr, 0), gossInvalidArgument);
}

TEST(BatchState, TooLittleRoomSaysHowMuchIsNeeded) {
  Planners planners(batch_config(gossBatchAdaptive), 1, {20});
  planners.exchange_well();
  size_t bytes = 0;
  unsigned char little[8];
  EXPECT_EQ(gossBatchPlannerSave(planners[0], little, sizeof(little), &bytes), gossInvalidArgument);
  EXPECT_GT(bytes, sizeof(little));
  EXPECT_NE(said().find(std::to_string(bytes)), std::string::npos) << said();
}

TEST(BatchState, SaysWithWhatItWasMade) {
  gossBatchConfig_t config = batch_config(gossBatchReversed);
  Planners planners(config, 1, {20});
  planners.exchange_well();
  gossBatchPlanner_t planner = restore(save(planners[0]));
  gossBatchConfig_t found{};
  found.size = sizeof(found);
  ASSERT_EQ(gossBatchPlannerGetConfig(planner, &found), gossSuccess);
  EXPECT_EQ(found.mode, gossBatchReversed);
  EXPECT_EQ(found.samples, 20u);
  EXPECT_EQ(found.batch[2], 256);
  EXPECT_EQ(gossBatchPlannerDestroy(planner), gossSuccess);
}

}  // namespace
}  // namespace goss::test
