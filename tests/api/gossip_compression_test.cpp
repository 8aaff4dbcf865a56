// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compressed mixing through the public API: the mean stays, the disagreement goes, the bytes are
// those of the formula, and a bound that is too small is noticed.
#include "api/gossip_ranks.h"

#include <cmath>
#include <random>

namespace goss::test {
namespace {

constexpr size_t kCount = 3000;
constexpr size_t kBlocks = (kCount + 255) / 256;

// Weights of rms .05 that disagree by rms .005.
std::vector<float> model_of(int rank) {
  std::mt19937 common(1);
  std::mt19937 own(static_cast<unsigned>(rank) + 100);
  std::normal_distribution<float> weight(0, 0.05f);
  std::normal_distribution<float> deviation(0, 0.005f);
  std::vector<float> x(kCount);
  for (float& value : x) value = weight(common) + deviation(own);
  return x;
}

struct Outcome {
  double mean_drift = 0;    // relative
  double disagreement = 0;  // root mean square
  gossGossipStats_t stats{};
};

Outcome mix_for(int n, const gossGossipConfig_t& config, uint64_t steps,
                const std::function<void(int, uint64_t, std::vector<float>*)>& disturb = {}) {
  std::vector<std::vector<float>> all(static_cast<size_t>(n));
  std::vector<double> before(kCount, 0);
  for (int r = 0; r < n; ++r) {
    all[static_cast<size_t>(r)] = model_of(r);
    for (size_t i = 0; i < kCount; ++i) before[i] += all[static_cast<size_t>(r)][i];
  }
  Outcome outcome;
  run_gossip(n, config, [&](GossipRank& rank) {
    std::vector<float>& x = all[static_cast<size_t>(rank.index)];
    for (uint64_t step = 0; step < steps; ++step) {
      if (disturb) disturb(rank.index, step, &x);
      MUST(gossGossipMix(x.data(), x.data(), kCount, gossFloat, step, rank.gossip, nullptr));
    }
    if (rank.index == 0) outcome.stats = stats_of(rank);
  });
  double squares = 0;
  double drift = 0;
  double size = 0;
  for (size_t i = 0; i < kCount; ++i) {
    double mean = 0;
    for (const auto& x : all) mean += x[i];
    drift += std::abs(mean - before[i]);
    size += std::abs(before[i]);
    for (const auto& x : all) squares += std::pow(x[i] - mean / n, 2);
  }
  outcome.mean_drift = drift / size;
  outcome.disagreement = std::sqrt(squares / static_cast<double>(kCount) / n);
  return outcome;
}

gossGossipConfig_t compressed(gossGossipCompression_t compression, int bits) {
  gossGossipConfig_t config = deterministic();
  config.compression = compression;
  config.bits = bits;
  return config;
}

class GossipCompressionTest : public ::testing::TestWithParam<gossGossipCompression_t> {};

TEST_P(GossipCompressionTest, FourBitsKeepTheMeanAndFallBelowTheBoundIn24Steps) {
  for (const int n : {2, 6, 8}) {
    const Outcome outcome = mix_for(n, compressed(GetParam(), 4), 24);
    EXPECT_LT(outcome.mean_drift, 1e-6) << "n " << n;
    EXPECT_LT(outcome.disagreement, 1e-5) << "n " << n;
    EXPECT_EQ(outcome.stats.skipped, 0u);
  }
}

TEST_P(GossipCompressionTest, BytesAreThoseOfTheFormula) {
  for (const int bits : {3, 8}) {
    const Outcome first = mix_for(8, compressed(GetParam(), bits), 12);
    const Outcome more = mix_for(8, compressed(GetParam(), bits), 13);
    const uint64_t planes = kCount / 256 * 32 + (kCount % 256 + 7) / 8;
    const uint64_t message = kBlocks * 8 + planes * static_cast<uint64_t>(bits);
    ASSERT_EQ(more.stats.repairs, first.stats.repairs) << bits << " bits: repaired late";
    EXPECT_EQ(more.stats.bytes - first.stats.bytes, message) << bits << " bits";
  }
}

INSTANTIATE_TEST_SUITE_P(Both, GossipCompressionTest,
                         ::testing::Values(gossGossipModulo, gossGossipEdgeDifference));

TEST(GossipModulo, ModelsThatSuddenlyDisagreeAreRepairedAndTheMeanStays) {
  const auto jump = [](int rank, uint64_t step, std::vector<float>* x) {
    if (step != 12) return;
    // The sum over the ranks is zero.
    for (float& value : *x) value += rank % 2 == 0 ? 3.0f : -3.0f;
  };
  const Outcome outcome = mix_for(4, compressed(gossGossipModulo, 4), 48, jump);
  EXPECT_LT(outcome.mean_drift, 1e-4);  // 3 is 60 times the weights, and rounded in fp32
  EXPECT_LT(outcome.disagreement, 1e-4);
  EXPECT_GE(outcome.stats.repairs, 2 * kBlocks);  // at first, and after the jump
}

TEST(GossipModulo, ANanIsSeenByThePartnerAndHurtsNoOtherBlock) {
  std::vector<std::vector<float>> all(2);
  run_gossip(2, compressed(gossGossipModulo, 4), [&](GossipRank& rank) {
    std::vector<float>& x = all[static_cast<size_t>(rank.index)];
    x = model_of(rank.index);
    if (rank.index == 0) x[300] = std::nanf("");
    for (uint64_t step = 0; step < 12; ++step) {
      MUST(gossGossipMix(x.data(), x.data(), kCount, gossFloat, step, rank.gossip, nullptr));
    }
  });
  EXPECT_TRUE(std::isnan(all[0][300]));
  EXPECT_TRUE(std::isnan(all[1][300]));
  EXPECT_NEAR(all[0][0], all[1][0], 1e-4);
  EXPECT_NEAR(all[0][1000], all[1][1000], 1e-4);
}

}  // namespace
}  // namespace goss::test
