// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/epoch_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "adaptive/loss_code.h"

namespace goss::adaptive {
namespace {

constexpr uint64_t kEpoch = 2;  // the first after warm-up

gossBatchConfig_t config_of(gossBatchMode_t mode, uint64_t samples) {
  gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
  config.mode = mode;
  config.samples = samples;
  return config;
}

// Sample i has loss i: the last ones are hard.
std::vector<uint32_t> rising(uint64_t samples) {
  std::vector<uint32_t> codes;
  for (uint64_t i = 0; i < samples; ++i) codes.push_back(encode_loss(static_cast<float>(i)));
  return codes;
}

std::vector<uint32_t> sorted(std::vector<uint32_t> samples) {
  std::sort(samples.begin(), samples.end());
  return samples;
}

TEST(BucketSamples, HardSamplesAreInTheFirstBucketAndTrimmedOnesInTheLast) {
  const auto result =
      bucket_samples(config_of(gossBatchAdaptive, 100), kEpoch, rising(100), nullptr, 0);
  ASSERT_EQ(result.own.size(), 3u);
  EXPECT_EQ(sorted(result.own[0]).front(), 70u);
  EXPECT_EQ(sorted(result.own[0]).back(), 94u);
  EXPECT_EQ(sorted(result.own[1]).front(), 45u);
  EXPECT_EQ(sorted(result.own[2]).back(), 99u);
  EXPECT_EQ(std::count_if(result.own[2].begin(), result.own[2].end(),
                          [](uint32_t sample) { return sample >= 95; }),
            5);
  // The trimmed ones do not count in the numbers of their bucket.
  EXPECT_EQ(result.described[2].losses, 45u);
  EXPECT_EQ(result.described[2].mean, 22);
  EXPECT_EQ(result.described[0].mean, 82);
}

TEST(BucketSamples, ReversedIsTheOtherWayRound) {
  const auto result =
      bucket_samples(config_of(gossBatchReversed, 100), kEpoch, rising(100), nullptr, 0);
  EXPECT_EQ(sorted(result.own[0]).back(), 24u);
  EXPECT_EQ(sorted(result.own[2]).front(), 50u);
}

TEST(BucketSamples, SortedHasTheBucketsOfAdaptive) {
  const auto adaptive =
      bucket_samples(config_of(gossBatchAdaptive, 97), kEpoch, rising(97), nullptr, 0);
  const auto sorted =
      bucket_samples(config_of(gossBatchSorted, 97), kEpoch, rising(97), nullptr, 0);
  EXPECT_EQ(adaptive.own, sorted.own);
}

TEST(BucketSamples, RandomHasTheSizesOfAdaptiveAndLossesDoNotMatter) {
  const auto adaptive =
      bucket_samples(config_of(gossBatchAdaptive, 97), kEpoch, rising(97), nullptr, 0);
  const auto random =
      bucket_samples(config_of(gossBatchRandom, 97), kEpoch, rising(97), nullptr, 0);
  auto falling = rising(97);
  std::reverse(falling.begin(), falling.end());
  const auto again = bucket_samples(config_of(gossBatchRandom, 97), kEpoch, falling, nullptr, 0);
  for (size_t b = 0; b < 3; ++b) EXPECT_EQ(adaptive.own[b].size(), random.own[b].size());
  EXPECT_EQ(random.own, again.own);
}

TEST(BucketSamples, TheGuardsExcessChangesPlacesWithRandomSamples) {
  const auto config = config_of(gossBatchAdaptive, 1000);
  const auto plain = bucket_samples(config, kEpoch, rising(1000), nullptr, 0);
  const auto guarded = bucket_samples(config, kEpoch, rising(1000), nullptr, 1);
  std::multiset<uint32_t> all;
  for (size_t b = 0; b < 3; ++b) {
    EXPECT_EQ(plain.own[b].size(), guarded.own[b].size());
    all.insert(guarded.own[b].begin(), guarded.own[b].end());
  }
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_EQ(std::set<uint32_t>(all.begin(), all.end()).size(), 1000u);
  // A quarter of a random plan's hard bucket would be hard; 5 standard deviations around it.
  const auto hard = std::count_if(guarded.own[0].begin(), guarded.own[0].end(),
                                  [](uint32_t sample) { return sample >= 700 && sample < 950; });
  EXPECT_NEAR(static_cast<double>(hard), 62.5, 35);
}

TEST(BucketSamples, InfoBatchLeavesOutHalfOfTheEasyOnesAndLetsTheOthersStandForThem) {
  const auto result =
      bucket_samples(config_of(gossBatchInfoBatch, 101), kEpoch, rising(101), nullptr, 0);
  // The mean is 50: samples 0 to 49 are easy, 25 of them stay.
  ASSERT_EQ(result.own.size(), 1u);
  EXPECT_EQ(result.own[0].size(), 76u);
  EXPECT_EQ(result.heavy_weight, 2);
  double weight = 0;
  for (const uint32_t sample : result.own[0]) {
    EXPECT_EQ(result.heavy[sample], sample < 50);
    weight += result.heavy[sample] ? result.heavy_weight : 1;
  }
  EXPECT_EQ(weight, 101);
}

TEST(BucketSamples, InfoBatchKeepsOneOfTheEasyOnesAndAllWithoutALoss) {
  auto config = config_of(gossBatchInfoBatch, 3);
  config.infoPrune = 0.99;
  const auto result = bucket_samples(config, kEpoch, rising(3), nullptr, 0);
  EXPECT_EQ(result.own[0].size(), 3u);  // only sample 0 is below the mean
  const std::vector<uint32_t> unseen(10, kNoLoss);
  EXPECT_EQ(
      bucket_samples(config_of(gossBatchInfoBatch, 10), kEpoch, unseen, nullptr, 0).own[0].size(),
      10u);
}

TEST(BucketSamples, OfOneShardAreThoseOfGlobalDataUpToTheClasses) {
  auto config = config_of(gossBatchAdaptive, 1000);
  const auto codes = rising(1000);
  const auto global = bucket_samples(config, kEpoch, codes, nullptr, 0);
  config.sharded = 1;
  SharedLosses shared;
  shared.all = count_classes(codes);
  const auto sharded = bucket_samples(config, kEpoch, codes, &shared, 0);
  // One rank cuts its own sorted samples, so it even cuts inside classes exactly.
  for (size_t b = 0; b < 3; ++b) EXPECT_EQ(sorted(global.own[b]), sorted(sharded.own[b]));
}

TEST(FixedLoss, IsRoundedAndBounded) {
  EXPECT_EQ(fixed_loss(encode_loss(1.0f)), 1 << 20);
  EXPECT_EQ(fixed_loss(encode_loss(-0.5f)), -(1 << 19));
  EXPECT_EQ(fixed_loss(encode_loss(1e30f)), int64_t{1} << 30);
  EXPECT_EQ(fixed_loss(kNoLoss), 0);
}

}  // namespace
}  // namespace goss::adaptive
