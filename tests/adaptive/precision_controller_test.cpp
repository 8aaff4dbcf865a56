// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// T10: when bits fall, when they come back, and when they do not.
#include "adaptive/precision_controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "adaptive/validation_model.h"
#include "support/test_scale.h"

namespace goss::adaptive {
namespace {

using test::ValidationModel;

gossPrecisionConfig_t default_config() {
  gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  return config;
}

// Three buckets whose losses are `level` times those at the start.
std::vector<gossBucket_t> buckets_at(double level) {
  std::vector<gossBucket_t> buckets(3);
  for (size_t b = 0; b < 3; ++b) {
    const double mean = level / static_cast<double>(1 + b);
    buckets[b].losses = 100;
    buckets[b].mean = mean;
    buckets[b].p10 = 0.5 * mean;
    buckets[b].p50 = mean;
    buckets[b].p90 = 2 * mean;
  }
  return buckets;
}

std::vector<int> bits_of(const PrecisionController& controller) {
  return {controller.bits().begin(), controller.bits().end()};
}

struct Course {
  std::vector<gossPrecisionEvent_t> events;
  std::vector<std::vector<int>> bits;  // that each epoch had
  int count(gossPrecisionEvent_t event) const {
    return static_cast<int>(std::count(events.begin(), events.end(), event));
  }
};

// `curve(epoch, fewest bits in the epoch)` is the mean validation loss.
Course run(const gossPrecisionConfig_t& config, ValidationModel& model, int epochs,
           const auto& curve) {
  PrecisionController controller(config);
  Course run;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    run.bits.push_back(bits_of(controller));
    const int fewest = *std::min_element(run.bits.back().begin(), run.bits.back().end());
    const auto losses = model.losses(curve(epoch, fewest));
    const Status status = controller.decide(buckets_at(std::exp(-0.02 * epoch)), losses);
    EXPECT_TRUE(status.ok()) << status.message();
    run.events.push_back(controller.decision().event);
  }
  return run;
}

TEST(PrecisionController, StartsInFullAndFallsWithEpochs) {
  ValidationModel model(1, 200, 0, 0.01);
  const Course calm = run(default_config(), model, 9, [](int, int) { return 1.0; });
  EXPECT_EQ(calm.bits[0], (std::vector<int>{32, 32, 32}));
  EXPECT_EQ(calm.bits[1], (std::vector<int>{32, 32, 32}));
  EXPECT_EQ(calm.bits[2], (std::vector<int>{8, 5, 4}));
  EXPECT_EQ(calm.bits[3], (std::vector<int>{6, 5, 3}));
  EXPECT_EQ(calm.bits[4], (std::vector<int>{5, 5, 3}));
  EXPECT_EQ(calm.bits[5], (std::vector<int>{4, 4, 3}));
  EXPECT_EQ(calm.bits[8], (std::vector<int>{2, 2, 2}));
}

TEST(PrecisionController, FallsWithTheLossesWhereTheRuleSaysSo) {
  for (const auto rule :
       {gossPrecisionCombined, gossPrecisionLevel, gossPrecisionFlatness, gossPrecisionEpochs}) {
    gossPrecisionConfig_t config = default_config();
    config.rule = rule;
    config.warmupEpochs = 1;
    config.reduceEvery = 8;
    PrecisionController controller(config);
    ASSERT_TRUE(controller.decide(buckets_at(1), Evidence{}).ok());
    const bool epochs_only = rule == gossPrecisionEpochs;
    EXPECT_EQ(bits_of(controller),
              (epochs_only ? std::vector<int>{8, 8, 8} : std::vector<int>{8, 5, 4}));
    ASSERT_TRUE(controller.decide(buckets_at(0.1), Evidence{}).ok());
    // The level is a tenth, the flatness is what it was.
    const std::vector<int> expected = rule == gossPrecisionLevel      ? std::vector<int>{3, 2, 2}
                                      : rule == gossPrecisionCombined ? std::vector<int>{4, 3, 2}
                                                                      : bits_of(controller);
    EXPECT_EQ(bits_of(controller), expected) << rule;
    // Never up again without a reset.
    const auto before = bits_of(controller);
    ASSERT_TRUE(controller.decide(buckets_at(1), Evidence{}).ok());
    EXPECT_EQ(bits_of(controller), before);
  }
}

// Two bits cost 15 % of loss, and go away with the bits.
TEST(PrecisionController, InjectedQuantizationDamageFiresAndBitsReturnThenDescend) {
  int recovered = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ValidationModel model(seed, 300, 0.003, 0.05);
    const Course damage =
        run(default_config(), model, 40, [](int, int fewest) { return fewest <= 2 ? 1.15 : 1.0; });
    const auto reset = std::find(damage.events.begin(), damage.events.end(), gossPrecisionReset);
    ASSERT_NE(reset, damage.events.end()) << seed;
    const auto at = static_cast<size_t>(reset - damage.events.begin());
    EXPECT_EQ(at, 8u) << seed;  // two bits in epochs 7 and 8: suspected, confirmed
    EXPECT_EQ(damage.events[at - 1], gossPrecisionSuspected);
    EXPECT_EQ(damage.bits[at + 1], (std::vector<int>{8, 8, 8}));
    EXPECT_EQ(damage.events[at + 1], gossPrecisionRecovered);
    // Down again by one step at a time, every two epochs now.
    for (size_t epoch = at + 2; epoch < damage.bits.size(); ++epoch) {
      if (damage.events[epoch - 1] == gossPrecisionReset) break;
      for (size_t b = 0; b < 3; ++b) {
        const int from = damage.bits[epoch - 1][b];
        const int to = damage.bits[epoch][b];
        EXPECT_TRUE(to == from || to == (from == 8 ? 6 : from - 1)) << from << " to " << to;
      }
    }
    EXPECT_LT(damage.bits[at + 5][0], 8);
    recovered += damage.count(gossPrecisionRecovered);
    EXPECT_EQ(damage.count(gossPrecisionNotCause), 0);
    EXPECT_EQ(damage.count(gossPrecisionReset), damage.count(gossPrecisionRecovered));
  }
  EXPECT_GE(recovered, 20);
}

TEST(PrecisionController, EveryResetMakesTheNextDescentSlower) {
  ValidationModel model(3, 300, 0, 0.02);
  PrecisionController controller(default_config());
  std::vector<int> every;
  for (int epoch = 0; epoch < 200; ++epoch) {
    const auto bits = controller.bits();
    const bool damaged = *std::min_element(bits.begin(), bits.end()) <= 2;
    ASSERT_TRUE(controller.decide(buckets_at(1), model.losses(damaged ? 1.3 : 1.0)).ok());
    if (controller.decision().event == gossPrecisionReset) {
      every.push_back(controller.decision().reduce_every);
    }
  }
  ASSERT_GE(every.size(), 4u);
  EXPECT_EQ(every[0], 2);
  EXPECT_EQ(every[1], 4);
  EXPECT_EQ(every[2], 8);
  EXPECT_EQ(every[3], 8);
}

TEST(PrecisionController, PureOverfittingResetsOnceAtMostAndIsNotBlamedOnPrecision) {
  int blamed = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    ValidationModel model(seed, 300, 0.002 + 0.00005 * static_cast<double>(seed), 0.05);
    const Course overfit = run(default_config(), model, 60, [](int epoch, int) {
      return epoch < 15 ? 1.0 - 0.02 * epoch : 0.7 + 0.02 * (epoch - 15);
    });
    EXPECT_LE(overfit.count(gossPrecisionReset), 1) << seed;
    EXPECT_EQ(overfit.count(gossPrecisionRecovered), 0) << seed;
    blamed += overfit.count(gossPrecisionNotCause);
  }
  EXPECT_GE(blamed, 195);
}

TEST(PrecisionController, ARiseAtFullPrecisionIsNotPrecision) {
  gossPrecisionConfig_t config = default_config();
  config.minBits = 8;
  ValidationModel model(1, 300, 0.003, 0.05);
  const Course rise = run(config, model, 20, [](int epoch, int) { return epoch < 12 ? 1.0 : 1.3; });
  EXPECT_EQ(rise.count(gossPrecisionReset), 0);
  EXPECT_EQ(rise.events[13], gossPrecisionNotCause);
  EXPECT_EQ(rise.events[19], gossPrecisionMuted);
}

// A rise that was not precision ends with a new best epoch; the next rise is another one.
TEST(PrecisionController, IsHeardAgainAfterANewBestEpoch) {
  ValidationModel model(1, 300, 0.002, 0.05);
  gossPrecisionConfig_t config = default_config();
  const Course twice = run(config, model, 40, [](int epoch, int) {
    if (epoch < 12) return 1.0;
    return epoch < 18 ? 1.3 : epoch < 30 ? 0.95 : 1.3;
  });
  EXPECT_EQ(twice.count(gossPrecisionReset), 2);
  EXPECT_EQ(twice.count(gossPrecisionNotCause), 2);
}

// Whether a reset helped is not decided by epochs that nobody validated.
TEST(PrecisionController, WaitsForAValidatedEpochToJudgeAReset) {
  ValidationModel model(1, 300, 0.003, 0.05);
  PrecisionController controller(default_config());
  const std::vector<float> not_validated;
  while (controller.decision().event != gossPrecisionReset) {
    const bool damaged = *std::min_element(controller.bits().begin(), controller.bits().end()) <= 2;
    ASSERT_TRUE(controller.decide(buckets_at(1), model.losses(damaged ? 1.3 : 1.0)).ok());
    ASSERT_LT(controller.decision().epoch, 20u);
  }
  for (int epoch = 0; epoch < 5; ++epoch) {
    ASSERT_TRUE(controller.decide(buckets_at(1), not_validated).ok());
    EXPECT_EQ(controller.decision().event, gossPrecisionHolding);
    EXPECT_EQ(bits_of(controller), (std::vector<int>{8, 8, 8}));
  }
  ASSERT_TRUE(controller.decide(buckets_at(1), model.losses(1.0)).ok());
  EXPECT_EQ(controller.decision().event, gossPrecisionRecovered);
}

// 1,000 runs of 40 epochs in which nothing happens but scatter: of epochs by up to 1 %, of samples
// by 5 to 50 %, around a constant or a falling loss.
TEST(PrecisionController, NoiseAloneNeverResets) {
  const int runs = test_scale(1000, 50);
  int resets = 0;
  for (int seed = 0; seed < runs; ++seed) {
    const double epoch_scatter = 0.0025 * (seed % 5);
    const double sample_scatter = seed % 3 == 0 ? 0.5 : 0.05;
    const double fall = seed % 2 == 0 ? 0 : 0.05;
    ValidationModel model(static_cast<uint64_t>(seed), 100, epoch_scatter, sample_scatter);
    const Course noise =
        run(default_config(), model, 40, [&](int epoch, int) { return std::exp(-fall * epoch); });
    resets += noise.count(gossPrecisionReset);
  }
  EXPECT_EQ(resets, 0) << "in " << runs << " runs";
}

TEST(PrecisionController, WrongInputsAreNamedAndChangeNothing) {
  PrecisionController controller(default_config());
  ASSERT_TRUE(controller.decide({}, std::vector<float>{1, 2, 3}).ok());
  const uint64_t before = controller.hash();
  const float broken = std::numeric_limits<float>::quiet_NaN();
  const auto said = [&](std::span<const gossBucket_t> buckets, const std::vector<float>& losses) {
    const Status status = controller.decide(buckets, losses);
    EXPECT_EQ(status.code(), gossInvalidArgument);
    EXPECT_EQ(controller.hash(), before);
    return status.message();
  };
  const auto buckets = buckets_at(1);
  EXPECT_NE(said(buckets, {1, broken, 3}).find("sample 1 of 3"), std::string::npos);
  EXPECT_NE(said(buckets, {1, 2}).find("2 validation losses, 3"), std::string::npos);
  EXPECT_NE(said({}, {1, 2, 3}).find("0 buckets"), std::string::npos);
  auto infinite = buckets;
  infinite[2].p90 = std::numeric_limits<double>::infinity();
  EXPECT_NE(said(infinite, {1, 2, 3}).find("bucket 2"), std::string::npos);
  EXPECT_TRUE(controller.decide(buckets, std::vector<float>{1, 2, 3}).ok());
}

TEST(PrecisionController, EveryEventHasAName) {
  for (int event = 0; event <= gossPrecisionMuted; ++event) {
    EXPECT_STRNE(to_string(static_cast<gossPrecisionEvent_t>(event)), "unknown event");
  }
}

}  // namespace
}  // namespace goss::adaptive
