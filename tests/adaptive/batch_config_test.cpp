// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/batch_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace goss::adaptive {
namespace {

gossBatchConfig_t config_of(gossBatchMode_t mode) {
  gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
  config.mode = mode;
  config.samples = 100;
  return config;
}

struct Refused {
  const char* field;
  std::function<void(gossBatchConfig_t&)> change;
};

TEST(BatchConfig, EveryFieldOutsideItsRangeIsRefusedByName) {
  const std::vector<Refused> cases = {
      {"magic", [](auto& c) { c.magic = 1; }},
      {"size", [](auto& c) { c.size = 8; }},
      {"samples", [](auto& c) { c.samples = UINT32_MAX; }},
      {"sharded", [](auto& c) { c.sharded = 2; }},
      {"nranks", [](auto& c) { c.nranks = 0; }},
      {"rank", [](auto& c) { c.rank = 1; }},
      {"warmupEpochs", [](auto& c) { c.warmupEpochs = -1; }},
      {"referenceBatch", [](auto& c) { c.referenceBatch = -1; }},
      {"batchMin", [](auto& c) { c.batchMin = -1; }},
      {"batchMax", [](auto& c) { c.batchMax = -1; }},
      {"batchMin", [](auto& c) { c.batchMin = 9, c.batchMax = 8; }},
      {"buckets", [](auto& c) { c.buckets = 9; }},
      {"buckets", [](auto& c) { c.buckets = 0; }},
      {"share[1]", [](auto& c) { c.share[1] = 0; }},
      {"share[0]", [](auto& c) { c.share[0] = NAN; }},
      {"shares", [](auto& c) { c.share[0] = 0.2; }},
      {"batch[1]", [](auto& c) { c.batch[1] = 16; }},
      {"batch[0]", [](auto& c) { c.batch[0] = 0; }},
      {"trim", [](auto& c) { c.trim = -0.1; }},
      {"trim", [](auto& c) { c.trim = 0.6; }},
      {"lossDecay", [](auto& c) { c.lossDecay = NAN; }},
      {"lrScaleMax", [](auto& c) { c.lrScaleMax = -1; }},
      {"lrRamp", [](auto& c) { c.lrRamp = 2; }},
      {"correctWeights", [](auto& c) { c.correctWeights = -1; }},
      {"guardPatience", [](auto& c) { c.guardPatience = -1; }},
      {"growthEvery", [](auto& c) { c.growthEvery = 0; }},
      {"growthFactor", [](auto& c) { c.growthFactor = 0.5; }},
      {"infoPrune", [](auto& c) { c.infoPrune = 1; }},
      {"infoFull", [](auto& c) { c.infoFull = 2; }},
      {"epochs", [](auto& c) { c.epochs = -1; }},
  };
  for (const Refused& refused : cases) {
    gossBatchConfig_t config = config_of(gossBatchAdaptive);
    refused.change(config);
    const auto read = read_config(&config);
    ASSERT_FALSE(read.ok()) << refused.field;
    EXPECT_EQ(read.status().code(), gossInvalidArgument);
    EXPECT_NE(read.status().message().find(refused.field), std::string::npos)
        << read.status().message();
  }
}

TEST(BatchConfig, AnUnknownModeOrRuleIsRefused) {
  gossBatchConfig_t config = config_of(gossBatchAdaptive);
  const int unknown = 7;
  static_assert(sizeof(config.mode) == sizeof(unknown));
  std::memcpy(&config.mode, &unknown, sizeof(unknown));
  EXPECT_FALSE(read_config(&config).ok());
  config = config_of(gossBatchAdaptive);
  std::memcpy(&config.lrRule, &unknown, sizeof(unknown));
  EXPECT_FALSE(read_config(&config).ok());
}

TEST(BatchConfig, ALongerStructIsTakenWhenItsTailIsNotSet) {
  struct Longer {
    gossBatchConfig_t known;
    int more;
  } longer = {config_of(gossBatchAdaptive), 0};
  longer.known.size = sizeof(longer);
  EXPECT_TRUE(read_config(&longer.known).ok());
  longer.more = 1;
  const auto read = read_config(&longer.known);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.status().message().find("is set"), std::string::npos);
}

TEST(BatchConfig, ComesBackFromAState) {
  gossBatchConfig_t config = config_of(gossBatchInfoBatch);
  config.seed = 123;
  config.growthFactor = 1.25;
  StateWriter writer;
  put(writer, read_config(&config).take());
  const auto bytes = writer.finish(StateKind::kBatchPlanner);
  StateReader reader = StateReader::open(bytes, StateKind::kBatchPlanner).take();
  const gossBatchConfig_t back = get_batch_config(reader);
  EXPECT_TRUE(reader.finish().ok());
  EXPECT_EQ(back.seed, 123u);
  EXPECT_EQ(back.mode, gossBatchInfoBatch);
  EXPECT_EQ(shared_hash(back), shared_hash(read_config(&config).take()));
}

TEST(BatchConfig, RanksMayDifferOnlyInWhatIsTheirs) {
  const gossBatchConfig_t base = config_of(gossBatchAdaptive);
  gossBatchConfig_t other = base;
  other.samples = 101;
  EXPECT_NE(shared_hash(base), shared_hash(other));
  other = base;
  other.seed = 5;
  EXPECT_NE(shared_hash(base), shared_hash(other));
  gossBatchConfig_t shard = base;
  shard.sharded = 1;
  shard.nranks = 2;
  gossBatchConfig_t sibling = shard;
  sibling.rank = 1;
  sibling.samples = 3;
  EXPECT_EQ(shared_hash(shard), shared_hash(sibling));
}

TEST(BatchConfig, SizesFollowTheModeAndTheirBounds) {
  gossBatchConfig_t config = config_of(gossBatchAdaptive);
  EXPECT_EQ(batch_size(config, 0, 0), 32);
  EXPECT_EQ(bucket_count(config, 1), 1);
  EXPECT_EQ(bucket_count(config, 2), 3);
  EXPECT_EQ(batch_size(config, 2, 2), 256);
  config.batchMax = 100;
  config.batchMin = 40;
  EXPECT_EQ(batch_size(config, 2, 2), 100);
  EXPECT_EQ(batch_size(config, 2, 0), 40);
  config = config_of(gossBatchSorted);
  config.referenceBatch = 48;
  EXPECT_EQ(batch_size(config, 2, 2), 48);
}

TEST(BatchConfig, TheGuardIsUsedByTheBucketsOfAdaptiveOnly) {
  EXPECT_TRUE(uses_guard(config_of(gossBatchAdaptive), 2));
  EXPECT_FALSE(uses_guard(config_of(gossBatchAdaptive), 1));
  EXPECT_FALSE(uses_guard(config_of(gossBatchRandom), 2));
  EXPECT_FALSE(uses_guard(config_of(gossBatchReversed), 2));
}

TEST(BatchConfig, GrowthMultipliesFromTheEndOfWarmUpToItsBound) {
  gossBatchConfig_t config = config_of(gossBatchGrowth);
  config.growthEvery = 3;
  config.batchMax = 200;
  const std::vector<int> expected = {32, 32, 32, 32, 32, 64, 64, 64, 128, 128, 128, 200, 200};
  for (size_t epoch = 0; epoch < expected.size(); ++epoch) {
    EXPECT_EQ(batch_size(config, epoch, 0), expected[epoch]) << epoch;
  }
  config.batchMax = 0;
  EXPECT_EQ(batch_size(config, 1'000'000, 0), INT32_MAX);
}

TEST(BatchConfig, InfoBatchEndsWithAllSamples) {
  gossBatchConfig_t config = config_of(gossBatchInfoBatch);
  config.epochs = 16;
  EXPECT_EQ(epoch_kind(config, 1), EpochKind::kPlain);
  EXPECT_EQ(epoch_kind(config, 2), EpochKind::kPruned);
  EXPECT_EQ(epoch_kind(config, 13), EpochKind::kPruned);
  EXPECT_EQ(epoch_kind(config, 14), EpochKind::kPlain);
  config.epochs = 0;
  EXPECT_EQ(epoch_kind(config, 1000), EpochKind::kPruned);
}

}  // namespace
}  // namespace goss::adaptive
