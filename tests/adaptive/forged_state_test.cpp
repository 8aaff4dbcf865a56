// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// States whose checksum fits and whose content does not: every byte of every field is changed in
// turn. What is taken must be usable; the sanitizers watch.
#include <gtest/gtest.h>

#include "adaptive/batch_planner.h"
#include "adaptive/precision_controller.h"

namespace goss::adaptive {
namespace {

constexpr size_t kHeaderBytes = 40;

std::vector<std::byte> forged(std::vector<std::byte> state, size_t at, unsigned flip) {
  state[at] ^= static_cast<std::byte>(flip);
  Fnv1a sum;
  sum.add(std::span(state).first(24));
  sum.add(std::span(state).subspan(kHeaderBytes));
  for (size_t i = 0; i < 8; ++i) state[24 + i] = static_cast<std::byte>(sum.value() >> (8 * i));
  return state;
}

// One rank's exchange, as if the others had said nothing.
void exchange(BatchPlanner& planner) {
  for (auto offer = planner.exchange(); offer.ok() && offer.value().count > 0;) {
    offer = planner.exchange();
  }
}

void use_planner(BatchPlanner& planner) {
  const BatchPlanner::Seat seat{planner.config().rank, planner.config().nranks};
  gossEpoch_t epoch{};
  ASSERT_TRUE(planner.epoch(&epoch).ok());
  for (uint64_t step = 0; step < epoch.steps; ++step) {
    gossBatch_t batch{};
    ASSERT_TRUE(planner.describe_batch(step, seat, &batch).ok());
    const std::vector<float> losses(batch.slots, 1.0f);
    ASSERT_TRUE(planner.record(step, seat, losses).ok());
  }
  (void)planner.guard(std::vector<float>{3, 2, 1, 1});
  ASSERT_TRUE(planner.end_epoch().ok());
  exchange(planner);
}

std::vector<std::byte> planner_state(int sharded) {
  gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
  config.samples = 40;
  config.sharded = sharded;
  config.nranks = 1 + sharded;
  config.warmupEpochs = 1;
  config.batch[0] = 4;
  auto planner = BatchPlanner::create(config).take();
  exchange(*planner);
  use_planner(*planner);
  return planner->save().take();
}

TEST(ForgedState, OfAPlannerIsRefusedOrUsable) {
  for (const int sharded : {0, 1}) {
    const auto good = planner_state(sharded);
    int refused = 0;
    for (size_t at = kHeaderBytes; at < good.size(); ++at) {
      for (const unsigned flip : {0x01u, 0x80u, 0xFFu}) {
        auto restored = BatchPlanner::restore(forged(good, at, flip));
        if (restored.ok()) {
          use_planner(*restored.value());
        } else {
          EXPECT_EQ(restored.status().code(), gossInvalidArgument);
          ++refused;
        }
      }
    }
    EXPECT_GT(refused, 1000) << "sharded=" << sharded;
  }
}

TEST(ForgedState, OfAControllerIsRefusedOrUsable) {
  const gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  PrecisionController controller(config);
  const std::vector<gossBucket_t> buckets(3, gossBucket_t{9, 3, 9, 1, 0.5, 1, 2, 32});
  const std::vector<float> losses = {1, 2, 3};
  for (int epoch = 0; epoch < 9; ++epoch) ASSERT_TRUE(controller.decide(buckets, losses).ok());
  const auto good = controller.save();
  for (size_t at = kHeaderBytes; at < good.size(); ++at) {
    for (const unsigned flip : {0x01u, 0x80u, 0xFFu}) {
      auto restored = PrecisionController::restore(forged(good, at, flip));
      if (!restored.ok()) continue;
      PrecisionController& other = restored.value();
      for (int epoch = 0; epoch < 3; ++epoch) (void)other.decide(buckets, losses);
      for (const int bits : other.bits()) EXPECT_GE(bits, 2);
    }
  }
}

}  // namespace
}  // namespace goss::adaptive
