// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/precision_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace goss::adaptive {
namespace {

gossBucket_t bucket_of(double mean, double p10, double p50, double p90) {
  gossBucket_t bucket{};
  bucket.losses = 100;
  bucket.mean = mean;
  bucket.p10 = p10;
  bucket.p50 = p50;
  bucket.p90 = p90;
  return bucket;
}

TEST(PrecisionRule, BitsAreOnTheLadderAndNeverFewerThanAskedFor) {
  gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  for (int bucket = 0; bucket < GOSS_MAX_BUCKETS; ++bucket) {
    int last = 2;
    for (double x = 0; x <= 1.5; x += 0.01) {
      const int bits = wanted_bits(config, bucket, x);
      EXPECT_TRUE(on_ladder(bits));
      EXPECT_GE(bits, last);
      EXPECT_GE(bits, static_cast<int>(2 + 6 * std::min(1.0, x / (1 << bucket)) + 0.5));
      last = bits;
    }
  }
  // The first epoch of buckets: 8, 5, 3.5, 2.75.
  EXPECT_EQ(wanted_bits(config, 0, 1), 8);
  EXPECT_EQ(wanted_bits(config, 1, 1), 5);
  EXPECT_EQ(wanted_bits(config, 2, 1), 4);
  EXPECT_EQ(wanted_bits(config, 3, 1), 3);
  EXPECT_EQ(wanted_bits(config, 0, 0.8), 8);  // 7 is not on the ladder
  config.maxBits = 6;
  config.minBits = 3;
  EXPECT_EQ(wanted_bits(config, 0, 2), 6);
  EXPECT_EQ(wanted_bits(config, 7, 0), 3);
  config.rule = gossPrecisionEpochs;
  EXPECT_EQ(wanted_bits(config, 7, 0), 6);
}

TEST(PrecisionRule, StepsGoDownTheLadder) {
  std::vector<int> steps;
  for (int bits = 32; bits > 2; bits = step_down(bits)) steps.push_back(bits);
  EXPECT_EQ(steps, (std::vector<int>{32, 8, 6, 5, 4, 3}));
  EXPECT_EQ(step_down(2), 2);
}

TEST(PrecisionRule, MeasuresLevelFlatnessOrBothRelativeToTheFirstEpoch) {
  const gossBucket_t first = bucket_of(2, 1, 2, 3);         // flatness 1
  const gossBucket_t now = bucket_of(0.5, 0.4, 0.5, 0.65);  // level 1/4, flatness 1/2
  EXPECT_DOUBLE_EQ(importance(gossPrecisionLevel, now, first), 0.25);
  EXPECT_DOUBLE_EQ(importance(gossPrecisionFlatness, now, first), 0.5);
  EXPECT_DOUBLE_EQ(importance(gossPrecisionCombined, now, first), std::sqrt(0.125));
  EXPECT_EQ(importance(gossPrecisionEpochs, now, first), 1);
  EXPECT_EQ(importance(gossPrecisionCombined, first, first), 1);
}

TEST(PrecisionRule, WhatCannotBeComparedCountsInFull) {
  const gossBucket_t first = bucket_of(2, 1, 2, 3);
  const gossBucket_t nothing{};
  for (const auto rule : {gossPrecisionCombined, gossPrecisionLevel, gossPrecisionFlatness}) {
    EXPECT_EQ(importance(rule, nothing, first), 1);
    EXPECT_EQ(importance(rule, first, nothing), 1);
    EXPECT_EQ(importance(rule, first, bucket_of(-1, 0, 0, 0)), 1);
  }
}

TEST(PrecisionRule, EveryFieldOutsideItsRangeIsRefusedByName) {
  struct Refused {
    const char* field;
    std::function<void(gossPrecisionConfig_t&)> change;
  };
  const std::vector<Refused> cases = {
      {"size", [](auto& c) { c.size = 8; }},
      {"magic", [](auto& c) { c.magic = 0; }},
      {"buckets", [](auto& c) { c.buckets = 0; }},
      {"warmupEpochs", [](auto& c) { c.warmupEpochs = -1; }},
      {"warmupBits", [](auto& c) { c.warmupBits = 12; }},
      {"maxBits", [](auto& c) { c.maxBits = 7; }},
      {"minBits", [](auto& c) { c.minBits = 1; }},
      {"minBits", [](auto& c) { c.minBits = 6, c.maxBits = 4; }},
      {"reduceEvery", [](auto& c) { c.reduceEvery = 0; }},
      {"reduceEveryMax", [](auto& c) { c.reduceEvery = 9; }},
      {"holdEpochs", [](auto& c) { c.holdEpochs = 0; }},
      {"confirmEpochs", [](auto& c) { c.confirmEpochs = 0; }},
      {"recoveryEpochs", [](auto& c) { c.recoveryEpochs = 0; }},
      {"tolerance", [](auto& c) { c.tolerance = -1; }},
      {"epochNoise", [](auto& c) { c.epochNoise = NAN; }},
  };
  for (const Refused& refused : cases) {
    gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
    refused.change(config);
    const auto read = read_config(&config);
    ASSERT_FALSE(read.ok()) << refused.field;
    EXPECT_NE(read.status().message().find(refused.field), std::string::npos)
        << read.status().message();
  }
}

}  // namespace
}  // namespace goss::adaptive
