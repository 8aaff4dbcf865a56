// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks as threads that each have a gossip object.
#pragma once

#include <gossamer/gossip.h>

#include <cstring>
#include <functional>
#include <vector>

#include "support/ranks.h"
#include "support/test_scale.h"

namespace goss::test {

struct GossipRank {
  int index;
  int n;
  gossComm_t comm;
  gossGossip_t gossip;
};

inline gossGossipConfig_t gossip_config() {
  gossGossipConfig_t config = GOSS_GOSSIP_CONFIG_INITIALIZER;
  return config;
}

// Threads may be held up for long on a crowded machine: what is to be exact waits for everybody.
inline gossGossipConfig_t deterministic() {
  gossGossipConfig_t config = gossip_config();
  config.deterministic = 1;
  return config;
}

inline std::vector<gossGossipConfig_t> all_topologies() {
  std::vector<gossGossipConfig_t> all;
  for (int t = 0; t < gossCustom; ++t) {
    gossGossipConfig_t config = deterministic();
    config.topology = static_cast<gossGossipTopology_t>(t);
    config.rotate = t % 2;
    all.push_back(config);
  }
  gossGossipConfig_t skips = deterministic();
  skips.hypercubeSkips = 1;
  all.push_back(skips);
  return all;
}

inline std::vector<int> some_sizes() {
  return goss::test_scale(100, 0) >= 100 ? std::vector<int>{2, 3, 4, 5, 6, 7, 8, 12, 13, 17}
                                         : std::vector<int>{2, 3, 5, 8};
}

inline void run_gossip(int n, const gossGossipConfig_t& config,
                       const std::function<void(GossipRank&)>& fn) {
  run_ranks(n, [&](Rank& rank) {
    GossipRank gossip{rank.rank, n, rank.comm, nullptr};
    MUST(gossGossipCreate(&gossip.gossip, rank.comm, &config));
    try {
      fn(gossip);
    } catch (...) {
      gossGossipDestroy(gossip.gossip);
      throw;
    }
    MUST(gossGossipDestroy(gossip.gossip));
  });
}

inline gossGossipStats_t stats_of(const GossipRank& rank) {
  gossGossipStats_t stats{};
  stats.size = sizeof(stats);
  MUST(gossGossipGetStats(rank.gossip, &stats));
  return stats;
}

inline gossGossipInfo_t info_of(const GossipRank& rank) {
  gossGossipInfo_t info{};
  info.size = sizeof(info);
  MUST(gossGossipGetInfo(rank.gossip, &info));
  return info;
}

inline void mix(const GossipRank& rank, std::vector<double>* x, uint64_t step) {
  MUST(gossGossipMix(x->data(), x->data(), x->size(), gossDouble, step, rank.gossip, nullptr));
}

}  // namespace goss::test
