// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the tests of gossip schedules share: making one, and every topology at every size.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "collectives/gossip.h"

namespace goss::collectives {

inline GossipSchedule make_gossip(const GossipOptions& options, const AliveSet& alive) {
  Result<GossipSchedule> schedule = GossipSchedule::create(options, alive);
  EXPECT_TRUE(schedule.ok()) << schedule.status().message();
  return schedule.take();
}

inline GossipSchedule make_gossip(Topology topology, int n, bool rotate = false) {
  GossipOptions options;
  options.topology = topology;
  options.rotate = rotate;
  return make_gossip(options, AliveSet::all(n));
}

// Rank r sends to r + hop and to r + 1: two phases that differ in kind.
inline std::vector<CustomPhase> custom_phases(int n) {
  std::vector<CustomPhase> phases(2, CustomPhase(static_cast<size_t>(n)));
  for (int r = 0; r < n; ++r) {
    phases[0][static_cast<size_t>(r)] = (r + 1) % n;
    phases[1][static_cast<size_t>(r)] = (r ^ 1) < n ? r ^ 1 : r;
  }
  return phases;
}

struct GossipCase {
  std::string name;
  GossipOptions options;
};

// Every topology, with and without rotation, and the hypercube with skips.
inline std::vector<GossipCase> gossip_cases(int n) {
  std::vector<GossipCase> cases;
  for (int t = 0; t < kNumTopologies; ++t) {
    for (const bool rotate : {false, true}) {
      GossipOptions options;
      options.topology = static_cast<Topology>(t);
      options.rotate = rotate;
      if (options.topology == Topology::kCustom) {
        if (rotate) continue;
        options.custom = custom_phases(n);
      }
      cases.push_back(
          {topology_name(options.topology) + std::string(rotate ? " rotated" : ""), options});
      if (options.topology != Topology::kHypercube) continue;
      options.hypercube_skips = true;
      cases.push_back({cases.back().name + " with skips", options});
    }
  }
  return cases;
}

}  // namespace goss::collectives
