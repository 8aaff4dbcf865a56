// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Push-sum through the public API: what is late or never read is not lost.
#include "api/gossip_ranks.h"

#include <chrono>
#include <cmath>
#include <random>
#include <thread>

namespace goss::test {
namespace {

constexpr size_t kCount = 65;

gossGossipConfig_t push_sum(int stale) {
  gossGossipConfig_t config = gossip_config();
  config.pushSum = 1;
  config.maxStale = stale;
  return config;
}

// After everybody has stopped and taken back what was on its way: sum of w is n, and of w x what it
// was at the start.
void expect_conserved(int n, const gossGossipConfig_t& config,
                      const std::function<void(GossipRank&, std::vector<double>*)>& run) {
  std::vector<double> weights(static_cast<size_t>(n));
  std::vector<std::vector<double>> models(static_cast<size_t>(n));
  run_gossip(n, config, [&](GossipRank& rank) {
    std::vector<double> x(kCount);
    for (size_t i = 0; i < kCount; ++i) x[i] = rank.index + static_cast<double>(i) / 64;
    run(rank, &x);
    MUST(gossBarrier(rank.comm, nullptr));
    const gossGossipBuffer_t buffer = {x.data(), x.data(), kCount};
    MUST(gossGossipFlush(&buffer, 1, gossDouble, 0, rank.gossip));
    const double weight = info_of(rank).weight;
    const gossGossipStats_t stats = stats_of(rank);
    const double account = 1 - stats.weightSent + stats.weightReceived + stats.weightReturned;
    require(std::abs(weight - account) < 1e-12, "the account of one rank");
    require(weight > 0, "weights are positive");
    weights[static_cast<size_t>(rank.index)] = weight;
    models[static_cast<size_t>(rank.index)] = x;
    MUST(gossBarrier(rank.comm, nullptr));
  });
  double weight = 0;
  for (const double w : weights) weight += w;
  EXPECT_NEAR(weight, n, 1e-12 * n);
  for (size_t i = 0; i < kCount; ++i) {
    double mass = 0;
    double first = 0;
    for (size_t r = 0; r < models.size(); ++r) {
      mass += weights[r] * models[r][i];
      first += static_cast<double>(r) + static_cast<double>(i) / 64;
    }
    EXPECT_NEAR(mass, first, 1e-11 * n);
  }
}

TEST(GossipPushSum, MassIsConservedUnderRandomDelaysForEveryTopologyAndStaleness) {
  for (const gossGossipTopology_t topology : {gossHypercube, gossDissemination, gossRing}) {
    for (const int stale : {0, 1, 3}) {
      gossGossipConfig_t config = push_sum(stale);
      config.topology = topology;
      config.timeoutMs = 2;  // so that many are late
      expect_conserved(5, config, [](GossipRank& rank, std::vector<double>* x) {
        std::mt19937 random(static_cast<unsigned>(rank.index));
        for (uint64_t step = 0; step < 40; ++step) {
          mix(rank, x, step);
          if (random() % 8 == 0) {
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
          }
        }
      });
    }
  }
}

TEST(GossipPushSum, MassOfLettersToARankThatHasStoppedComesBack) {
  // Rank 0 mixes twice and never looks again.
  gossGossipConfig_t config = push_sum(0);
  config.timeoutMs = 5;
  expect_conserved(4, config, [](GossipRank& rank, std::vector<double>* x) {
    const uint64_t steps = rank.index == 0 ? 2 : 60;
    for (uint64_t step = 0; step < steps; ++step) mix(rank, x, step);
    if (rank.index != 0) require(stats_of(rank).skipped > 0, "somebody was missing");
  });
}

TEST(GossipPushSum, DeterministicRunsGiveTheSameBitsWithStaleness) {
  std::vector<std::vector<double>> runs[2];
  for (auto& run : runs) {
    run.resize(6);
    gossGossipConfig_t config = push_sum(2);
    config.deterministic = 1;
    config.rotate = 1;
    run_gossip(6, config, [&](GossipRank& rank) {
      std::vector<double> x(kCount, 1.0 / (rank.index + 1));
      for (uint64_t step = 0; step < 20; ++step) mix(rank, &x, step);
      require(stats_of(rank).mostStale == 2, "collected two steps later");
      run[static_cast<size_t>(rank.index)] = x;
    });
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(GossipPushSum, ModelsTendToTheMean) {
  gossGossipConfig_t config = push_sum(1);
  run_gossip(6, config, [](GossipRank& rank) {
    std::vector<double> x(kCount, rank.index);
    for (uint64_t step = 0; step < 120; ++step) mix(rank, &x, step);
    for (const double value : x) {
      require(std::abs(value - 2.5) < 1e-6, std::to_string(value) + " instead of 2.5");
    }
  });
}

}  // namespace
}  // namespace goss::test
