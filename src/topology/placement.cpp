// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/placement.h"

#include <algorithm>

#include "base/status.h"

namespace goss::topology {

namespace {

// The place of the smallest that includes `cpus`, or -1.
template <typename Things>
int smallest(const Things& things, const CpuSet& cpus) {
  int best = -1;
  for (size_t i = 0; i < things.size(); ++i) {
    if (!things[i].cpus.includes(cpus)) continue;
    const bool first = best < 0;
    if (first || things[i].cpus.count() < things[static_cast<size_t>(best)].cpus.count()) {
      best = static_cast<int>(i);
    }
  }
  return best;
}

int smallest_of_level(const Machine& machine, int level, const CpuSet& cpus) {
  for (size_t i = 0; i < machine.caches.size(); ++i) {
    const Cache& cache = machine.caches[i];
    if (cache.level == level && cache.cpus.includes(cpus)) return static_cast<int>(i);
  }
  return -1;
}

bool named(const Device& device, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    // UCX writes mlx5_0:1 for the first port.
    const std::string plain = name.substr(0, name.find(':'));
    return std::find(device.names.begin(), device.names.end(), plain) != device.names.end();
  });
}

// Bridges above both. The first is the host's; one more is a switch, or a port with one below it.
size_t shared_bridges(const Device& a, const Device& b) {
  const size_t most = std::min(a.bridges.size(), b.bridges.size());
  size_t n = 0;
  while (n < most && a.bridges[n] == b.bridges[n]) ++n;
  return n;
}

std::string megabytes(uint64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1 ? format("%.0f KiB", mib * 1024) : format("%.0f MiB", mib);
}

}  // namespace

Common common(const Machine& machine, const CpuSet& cpus) {
  const CpuSet here = cpus & machine.cpus;
  if (here.empty()) return {};
  Common common;
  common.core = smallest(machine.cores, here);
  common.cache = smallest(machine.caches, here);
  common.l3 = smallest_of_level(machine, 3, here);
  common.node = smallest(machine.nodes, here);
  common.package = smallest(machine.packages, here);
  return common;
}

std::string describe(const Machine& machine, const Common& common) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (common.core >= 0) {
    add(format("core %d", machine.cores[static_cast<size_t>(common.core)].number));
  } else if (common.cache >= 0) {
    const Cache& cache = machine.caches[static_cast<size_t>(common.cache)];
    add(format("L%d cache of %s", cache.level, megabytes(cache.bytes).c_str()));
  }
  if (common.node >= 0) {
    add(format("memory node %d", machine.nodes[static_cast<size_t>(common.node)].number));
  }
  if (common.package >= 0) {
    add(format("package %d", machine.packages[static_cast<size_t>(common.package)].number));
  }
  return text.empty() ? "nothing but the machine" : text;
}

Slots place_slots(const Machine& machine, const std::vector<CpuSet>& ranks) {
  Slots slots;
  CpuSet all;
  for (const CpuSet& rank : ranks) {
    const CpuSet here = rank & machine.cpus;
    // Where there is one node, nothing else is possible.
    slots.node_of.push_back(machine.nodes.size() == 1 ? 0 : common(machine, here).node);
    all = all | (here.empty() ? machine.cpus : here);
  }
  slots.all = common(machine, all);
  slots.cpus = all.count();
  slots.cores =
      static_cast<int>(std::count_if(machine.cores.begin(), machine.cores.end(),
                                     [&](const Core& core) { return core.cpus.intersects(all); }));
  slots.crowded = static_cast<int>(ranks.size()) > slots.cpus;
  return slots;
}

const char* reach_name(Reach reach) {
  switch (reach) {
    case Reach::kSwitch: return "behind the same PCI switch";
    case Reach::kNode: return "at the same memory node";
    case Reach::kPackage: return "at the same package";
    case Reach::kMachine: return "at another package";
    case Reach::kNowhere: return "nowhere";
  }
  return "?";
}

Reach reach(const Machine& machine, const RankPlace& rank, const Device& adapter) {
  CpuSet from = rank.cpus & machine.cpus;
  if (rank.gpu >= 0) {
    const Device& gpu = machine.gpus[static_cast<size_t>(rank.gpu)];
    if (shared_bridges(gpu, adapter) >= 2) return Reach::kSwitch;
    from = gpu.cpus;
  }
  if (from.empty()) return Reach::kNowhere;
  // What is attached to the whole machine is as near to everybody.
  if (adapter.cpus.includes(machine.cpus)) return Reach::kNode;
  // By how far from the farthest CPU that the rank may run on.
  if (common(machine, from | adapter.cpus).node >= 0) return Reach::kNode;
  if (common(machine, from | adapter.cpus).package >= 0) return Reach::kPackage;
  return Reach::kMachine;
}

std::vector<int> network_adapters(const Machine& machine, const std::vector<std::string>& wanted) {
  const auto those = [&](auto fits) {
    std::vector<int> found;
    for (size_t i = 0; i < machine.adapters.size(); ++i) {
      if (fits(machine.adapters[i])) found.push_back(static_cast<int>(i));
    }
    return found;
  };
  std::vector<int> found = those([&](const Device& a) { return named(a, wanted); });
  if (found.empty()) found = those([](const Device& a) { return a.rdma; });
  if (found.empty()) found = those([](const Device& a) { return !a.bus.empty(); });
  if (found.empty()) found = those([](const Device&) { return true; });
  return found;
}

Reach network_reach(const Machine& machine, const RankPlace& rank,
                    const std::vector<std::string>& wanted) {
  Reach best = Reach::kNowhere;
  for (const int adapter : network_adapters(machine, wanted)) {
    best = std::min(best, reach(machine, rank, machine.adapters[static_cast<size_t>(adapter)]));
  }
  return best;
}

std::vector<int> nearest_adapters(const Machine& machine, const std::vector<RankPlace>& ranks,
                                  const std::vector<std::string>& wanted) {
  const std::vector<int> adapters = network_adapters(machine, wanted);
  std::vector<int> uses(machine.adapters.size(), 0);
  std::vector<int> nearest;
  for (const RankPlace& rank : ranks) {
    int best = -1;
    std::pair<Reach, int> least;
    for (const int adapter : adapters) {
      const auto at = static_cast<size_t>(adapter);
      const std::pair<Reach, int> cost{reach(machine, rank, machine.adapters[at]), uses[at]};
      if (best >= 0 && cost >= least) continue;
      best = adapter;
      least = cost;
    }
    if (best >= 0) ++uses[static_cast<size_t>(best)];
    nearest.push_back(best);
  }
  return nearest;
}

}  // namespace goss::topology
