// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/placement.h"

#include "machines.h"

namespace goss::topology {
namespace {

using Cpus = std::vector<CpuSet>;

TEST(Common, IsTheSmallestThatHasBoth) {
  const Machine m = fixture("mi300x_8");
  const auto text = [&](const CpuSet& cpus) { return describe(m, common(m, cpus)); };
  EXPECT_EQ(text(CpuSet::range(9, 9)), "core 9, memory node 0, package 0");
  EXPECT_EQ(text(CpuSet::range(8, 11)), "L3 cache of 32 MiB, memory node 0, package 0");
  EXPECT_EQ(text(CpuSet::range(8, 12)), "memory node 0, package 0");
  EXPECT_EQ(text(CpuSet::range(31, 32)), "nothing but the machine");
}

TEST(Common, SeesThreadsOfACoreAndNodesInsideACache) {
  const Machine m = fixture("cpu_2s");
  CpuSet threads = CpuSet::range(3, 3);
  threads.add(67);
  EXPECT_EQ(describe(m, common(m, threads)), "core 3, memory node 0, package 0");
  EXPECT_EQ(describe(m, common(m, CpuSet::range(15, 16))), "L3 cache of 60 MiB, package 0");
}

TEST(Common, OfNoCpusIsNothing) {
  const Machine m = fixture("mi300x_8");
  EXPECT_EQ(common(m, CpuSet()).package, -1);
  EXPECT_EQ(common(m, CpuSet::range(500, 600)).package, -1);  // of another machine
}

TEST(Slots, LieAtTheNodeOfWhoWritesThem) {
  const Machine m = fixture("cpu_2s");
  const Slots slots = place_slots(m, {CpuSet::range(40, 40), CpuSet::range(0, 3),
                                      CpuSet::range(112, 127), CpuSet::range(16, 31)});
  EXPECT_EQ(slots.node_of, (std::vector<int>{2, 0, 3, 1}));
  EXPECT_EQ(slots.all.package, -1);
  EXPECT_EQ(slots.cpus, 1 + 4 + 16 + 16);
  EXPECT_EQ(slots.cores, 1 + 4 + 16 + 16);
  EXPECT_FALSE(slots.crowded);
}

TEST(Slots, OfRanksWithinOneCacheShareIt) {
  const Machine m = fixture("mi300x_8");
  const Slots slots = place_slots(m, Cpus{CpuSet::range(36, 36), CpuSet::range(39, 39)});
  EXPECT_EQ(slots.node_of, (std::vector<int>{1, 1}));
  ASSERT_GE(slots.all.l3, 0);
  EXPECT_EQ(m.caches[static_cast<size_t>(slots.all.l3)].cpus, CpuSet::range(36, 39));
  EXPECT_EQ(slots.cores, 2);
}

TEST(Slots, OfRanksBoundToNothingLieWhereTheyAreFirstWritten) {
  const Machine m = fixture("mi300x_8");
  const Slots slots = place_slots(m, {CpuSet(), CpuSet::range(0, 63), CpuSet::range(30, 33)});
  EXPECT_EQ(slots.node_of, (std::vector<int>{-1, -1, -1}));
  EXPECT_EQ(slots.cpus, 64);
  EXPECT_FALSE(slots.crowded);
}

TEST(Slots, OfMoreRanksThanCpusAreCrowded) {
  const Machine m = fixture("cpu_2s");
  const Slots full = place_slots(m, Cpus(4, CpuSet::range(0, 3)));
  EXPECT_FALSE(full.crowded);
  EXPECT_TRUE(place_slots(m, Cpus(5, CpuSet::range(0, 3))).crowded);
  // Threads of one core are CPUs, but not cores.
  CpuSet threads = CpuSet::range(0, 1);
  threads.add(64);
  threads.add(65);
  const Slots shared = place_slots(m, Cpus(4, threads));
  EXPECT_EQ(shared.cpus, 4);
  EXPECT_EQ(shared.cores, 2);
  EXPECT_TRUE(place_slots(m, Cpus(129, m.cpus)).crowded);
}

TEST(Slots, OfAContainerCountOnlyItsCpus) {
  Machine m = fixture("mi300x_8");
  m.cpus = CpuSet::range(30, 33);  // as where only these are allowed
  const Slots slots = place_slots(m, Cpus(5, CpuSet::range(0, 63)));
  EXPECT_EQ(slots.cpus, 4);
  EXPECT_TRUE(slots.crowded);
  EXPECT_EQ(place_slots(m, Cpus{CpuSet::range(0, 31)}).node_of, std::vector<int>{0});
}

TEST(Slots, OnOneNodeHaveNoChoice) {
  Machine m = fixture("mi300x_8");
  m.nodes = {{0, 1, m.cpus}};
  EXPECT_EQ(place_slots(m, {CpuSet(), CpuSet::range(3, 3)}).node_of, (std::vector<int>{0, 0}));
}

TEST(Adapters, AreTheFastOnesUnlessOthersAreNamed) {
  const Machine m = fixture("cpu_2s");
  EXPECT_EQ(network_adapters(m, {}), std::vector<int>{2});
  EXPECT_EQ(network_adapters(m, {"mlx5_0:1"}), std::vector<int>{2});
  EXPECT_EQ(network_adapters(m, {"eno2", "lo"}), std::vector<int>{1});
  EXPECT_EQ(network_adapters(m, {"nothing"}), std::vector<int>{2});
  Machine plain = m;
  plain.adapters.pop_back();
  EXPECT_EQ(network_adapters(plain, {}), (std::vector<int>{0, 1}));
  plain.adapters.push_back(Device{});
  plain.adapters.back().names = {"veth0"};
  EXPECT_EQ(network_adapters(plain, {}), (std::vector<int>{0, 1}));
  EXPECT_EQ(network_adapters(Machine{}, {}), std::vector<int>{});
}

TEST(Adapters, AreAsFarAsTheCpusBetween) {
  const Machine m = fixture("cpu_2s");
  const Device& fast = m.adapters[2];  // at node 2
  EXPECT_EQ(reach(m, on_cpus(33, 33), fast), Reach::kNode);
  EXPECT_EQ(reach(m, on_cpus(50, 50), fast), Reach::kPackage);
  EXPECT_EQ(reach(m, on_cpus(3, 3), fast), Reach::kMachine);
  EXPECT_EQ(reach(m, on_cpus(0, 127), fast), Reach::kMachine);  // wherever it happens to run
  EXPECT_EQ(reach(m, {0, CpuSet(), -1}, fast), Reach::kNowhere);
  EXPECT_EQ(network_reach(m, on_cpus(50, 50), {}), Reach::kPackage);
  EXPECT_EQ(network_reach(m, on_cpus(50, 50), {"eno1"}), Reach::kMachine);
}

TEST(Adapters, OfAGpuAreThoseBehindItsSwitch) {
  const Machine m = fixture("mi300x_8");
  std::vector<RankPlace> ranks;
  for (int gpu = 7; gpu >= 0; --gpu) ranks.push_back(on_gpu(m, gpu));
  const std::vector<int> nearest = nearest_adapters(m, ranks, {});
  for (int r = 0; r < 8; ++r) {
    const Device& adapter = m.adapters[static_cast<size_t>(nearest[static_cast<size_t>(r)])];
    EXPECT_EQ(adapter.name(), "mlx5_" + std::to_string(7 - r));
    EXPECT_EQ(reach(m, ranks[static_cast<size_t>(r)], adapter), Reach::kSwitch);
  }
}

TEST(Adapters, BehindASharedSwitchAreSharedOut) {
  const Machine m = fixture("h200_8");
  std::vector<RankPlace> ranks;
  for (int gpu = 0; gpu < 8; ++gpu) ranks.push_back(on_gpu(m, gpu));
  std::vector<std::string> names;
  for (const int adapter : nearest_adapters(m, ranks, {})) {
    names.push_back(m.adapters[static_cast<size_t>(adapter)].name());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"mlx5_0", "mlx5_1", "mlx5_2", "mlx5_3", "mlx5_4",
                                             "mlx5_5", "mlx5_6", "mlx5_7"}));
}

TEST(Adapters, AreSharedOutAmongTheCpusOfANode) {
  const Machine m = fixture("mi300x_8");
  std::vector<RankPlace> ranks;
  for (int r = 0; r < 5; ++r) ranks.push_back(on_cpus(32 + r, 32 + r));
  const std::vector<int> nearest = nearest_adapters(m, ranks, {});
  EXPECT_EQ(nearest[0], nearest[4]);  // four at that node
  for (const int adapter : nearest) {
    EXPECT_EQ(m.adapters[static_cast<size_t>(adapter)].cpus, CpuSet::range(32, 63));
  }
  EXPECT_EQ(nearest_adapters(Machine{}, ranks, {}), std::vector<int>(5, -1));
}

TEST(Reach, HasAWordForEach) {
  for (int i = 0; i <= static_cast<int>(Reach::kNowhere); ++i) {
    EXPECT_STRNE(reach_name(static_cast<Reach>(i)), "?");
  }
}

}  // namespace
}  // namespace goss::topology
