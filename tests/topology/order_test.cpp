// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/order.h"

#include <algorithm>
#include <random>

#include "machines.h"

namespace goss::topology {
namespace {

using Order = std::vector<int>;

bool is_permutation_of_all(Order order) {
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<int>(i)) return false;
  }
  return true;
}

TEST(RingOrder, WalksThroughPackagesAndNodesOnce) {
  const Machine m = fixture("cpu_2s");
  // As an mpirun that deals ranks to packages in turn.
  std::vector<RankPlace> ranks;
  for (int r = 0; r < 8; ++r)
    ranks.push_back(on_cpus(r % 2 * 32 + r / 2 * 8, r % 2 * 32 + r / 2 * 8));
  EXPECT_EQ(ring_order({m}, ranks), (Order{0, 2, 4, 6, 1, 3, 5, 7}));
}

TEST(RingOrder, KeepsRanksOfOneCacheTogether) {
  const Machine m = fixture("mi300x_8");  // four cores share an L3
  const std::vector<RankPlace> ranks{on_cpus(8, 8), on_cpus(4, 4), on_cpus(9, 9), on_cpus(5, 5)};
  EXPECT_EQ(ring_order({m}, ranks), (Order{1, 3, 0, 2}));
}

TEST(RingOrder, PutsRanksWithoutAPlaceBehindTheOthers) {
  const Machine m = fixture("cpu_2s");
  const std::vector<RankPlace> ranks{
      on_cpus(0, 127), on_cpus(40, 40), {0, CpuSet(), -1}, on_cpus(0, 31), on_cpus(17, 17)};
  // One that may run on all of package 0 comes behind those of its nodes.
  EXPECT_EQ(ring_order({m}, ranks), (Order{4, 3, 1, 0, 2}));
  const std::vector<RankPlace> unbound(5, on_cpus(0, 127));
  EXPECT_EQ(ring_order({m}, unbound), (Order{0, 1, 2, 3, 4}));
}

TEST(RingOrder, EntersEveryMachineOnce) {
  const std::vector<Machine> machines{fixture("cpu_2s"), fixture("mi300x_8"), fixture("h200_8")};
  std::vector<RankPlace> ranks;
  std::minstd_rand random(7);
  for (int r = 0; r < 200; ++r) {
    const int cpu = static_cast<int>(random() % 64);
    ranks.push_back(on_cpus(cpu, cpu, static_cast<int>(random() % 3)));
  }
  const Order order = ring_order(machines, ranks);
  ASSERT_EQ(order.size(), ranks.size());
  EXPECT_TRUE(is_permutation_of_all(order));
  int entries = 0;  // to machines, and to nodes inside
  int nodes = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const RankPlace& here = ranks[static_cast<size_t>(order[i])];
    const RankPlace& before =
        ranks[static_cast<size_t>(order[(i + order.size() - 1) % order.size()])];
    const auto node = [&](const RankPlace& rank) {
      return common(machines[static_cast<size_t>(rank.machine)], rank.cpus).node;
    };
    entries += here.machine != before.machine;
    nodes += here.machine != before.machine || node(here) != node(before);
  }
  EXPECT_EQ(entries, 3);
  EXPECT_EQ(nodes, 4 + 2 + 2);
  EXPECT_EQ(ranks[static_cast<size_t>(order.front())].machine, ranks.front().machine);
}

TEST(RingOrder, IsTheGpusOwnWhereAllLinksAreAlike) {
  for (const char* name : {"mi300x_8", "h200_8"}) {
    const Machine m = fixture(name);
    std::vector<RankPlace> ranks;
    for (const int gpu : {6, 1, 4, 3, 0, 7, 2, 5}) ranks.push_back(on_gpu(m, gpu));
    const Order order = ring_order({m}, ranks);
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(ranks[static_cast<size_t>(order[static_cast<size_t>(i)])].gpu, i) << name;
    }
  }
}

// As in servers whose GPUs are two to a module: only some pairs have wide links.
Machine with_wide_ring(const Order& ring, uint64_t wide, uint64_t narrow) {
  Machine m = fixture("mi300x_8");
  std::fill(m.gpu_links.begin(), m.gpu_links.end(), narrow);
  for (size_t i = 0; i < ring.size(); ++i) {
    const auto a = static_cast<size_t>(ring[i]);
    const auto b = static_cast<size_t>(ring[(i + 1) % ring.size()]);
    m.gpu_links[a * 8 + b] = m.gpu_links[b * 8 + a] = wide;
  }
  return m;
}

TEST(RingOrder, FollowsTheWideLinks) {
  const Order hidden{0, 5, 2, 7, 1, 4, 6, 3};
  const Machine m = with_wide_ring(hidden, 100'000, 16'000);
  std::vector<RankPlace> ranks;
  for (int gpu = 0; gpu < 8; ++gpu) ranks.push_back(on_gpu(m, gpu));
  const Order order = ring_order({m}, ranks);
  EXPECT_TRUE(is_permutation_of_all(order));
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(m.gpu_link(order[i], order[(i + 1) % order.size()]), 100'000u);
  }
}

TEST(RingOrder, FollowsWideLinksOfMoreGpusThanCanAllBeTried) {
  Machine m = fixture("mi300x_8");
  const size_t n = 12;
  while (m.gpus.size() < n) m.gpus.push_back(m.gpus[m.gpus.size() - 8]);
  m.gpu_links.assign(n * n, 10);
  std::vector<RankPlace> ranks;
  // Even ones are a chain, then odd ones.
  for (size_t a = 0; a < n; ++a) {
    const size_t b = a + 2 < n ? a + 2 : (a + 1) % 2;
    m.gpu_links[a * n + b] = 100;
    ranks.push_back(on_gpu(m, static_cast<int>(a)));
  }
  const Order order = ring_order({m}, ranks);
  EXPECT_TRUE(is_permutation_of_all(order));
  int narrow = 0;
  for (size_t i = 0; i < n; ++i) narrow += m.gpu_link(order[i], order[(i + 1) % n]) == 10;
  EXPECT_EQ(narrow, 0);
}

TEST(Leaders, AreNearestToTheNetwork) {
  const Machine m = fixture("cpu_2s");  // its fast adapter is at node 2
  const std::vector<RankPlace> ranks{on_cpus(0, 0), on_cpus(16, 16), on_cpus(48, 48),
                                     on_cpus(40, 40), on_cpus(41, 41)};
  EXPECT_EQ(leaders({m}, ranks), Order{3});
  EXPECT_EQ(leaders({m}, {ranks[0], ranks[1], ranks[2]}), Order{2});
  EXPECT_EQ(leaders({m}, {ranks[0], ranks[1]}), Order{0});
}

TEST(Leaders, AreTheFirstWhereAllAreAsNear) {
  const Machine m = fixture("mi300x_8");  // adapters at both nodes
  EXPECT_EQ(leaders({m}, {on_cpus(40, 40), on_cpus(3, 3)}), Order{0});
  EXPECT_EQ(leaders({m}, std::vector<RankPlace>(9, {0, CpuSet(), -1})), Order{0});
  EXPECT_EQ(leaders({m}, {on_cpus(0, 0), on_gpu(m, 3)}), Order{1});  // behind its switch
  EXPECT_EQ(leaders({Machine{}}, {on_cpus(0, 0), on_cpus(1, 1)}), Order{0});
}

TEST(Leaders, AreOneOfEachMachine) {
  const std::vector<Machine> machines{fixture("mi300x_8"), fixture("cpu_2s")};
  const std::vector<RankPlace> ranks{on_cpus(3, 3, 1), on_cpus(0, 0, 0), on_cpus(33, 33, 1),
                                     on_cpus(1, 1, 0)};
  EXPECT_EQ(leaders(machines, ranks), (Order{2, 1}));
}

TEST(NodeGroups, HaveALeaderForEachNodeWithRanks) {
  const std::vector<Machine> machines{fixture("cpu_2s"), fixture("h200_8")};
  const std::vector<RankPlace> ranks{on_cpus(50, 50, 0),       on_cpus(1, 1, 0), on_cpus(51, 51, 0),
                                     {0, CpuSet(), -1},        on_cpus(2, 2, 0), on_cpus(63, 63, 1),
                                     on_gpu(machines[1], 0, 1)};
  const std::vector<NodeGroup> groups = node_groups(machines, ranks);
  ASSERT_EQ(groups.size(), 5u);
  const auto is = [&](size_t i, int machine, int node, const Order& members) {
    EXPECT_EQ(groups[i].machine, machine) << i;
    EXPECT_EQ(groups[i].node, node) << i;
    EXPECT_EQ(groups[i].ranks, members) << i;
    EXPECT_EQ(groups[i].leader(), members.front()) << i;
  };
  is(0, 0, 0, {1, 4});
  is(1, 0, 3, {0, 2});
  is(2, 0, -1, {3});
  is(3, 1, 0, {6});
  is(4, 1, 1, {5});
}

}  // namespace
}  // namespace goss::topology
