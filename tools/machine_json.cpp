// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "machine_json.h"

#include <algorithm>

#include "base/status.h"
#include "topology/order.h"

namespace goss::tools {

using nlohmann::json;
using topology::CpuSet;
using topology::Machine;
using topology::RankPlace;

namespace {

template <typename T>
const T& at(const std::vector<T>& list, int i) {
  return list[static_cast<size_t>(i)];
}

// The number that the system gives the memory node at this place of the list.
json node_number(const Machine& machine, int place) {
  return place < 0 ? json(nullptr) : json(at(machine.nodes, place).number);
}

json device_json(const Machine& machine, const topology::Device& device) {
  json out{{"name", device.name()},
           {"names", device.names},
           {"bus", device.bus},
           {"model", device.model},
           {"memory_node", node_number(machine, common(machine, device.cpus).node)},
           {"cpus", device.cpus.text()},
           {"pci_gbytes_per_s", device.pci_gbytes_per_s}};
  if (device.vendor != 0) out["id"] = format("%04x:%04x", device.vendor, device.product);
  if (device.kind == topology::Device::Kind::kAdapter) out["rdma"] = device.rdma;
  return out;
}

// Caches that differ in nothing but their place are counted.
json caches_json(const Machine& machine) {
  json out = json::array();
  for (const topology::Cache& cache : machine.caches) {
    const json kind{
        {"level", cache.level}, {"bytes", cache.bytes}, {"cpus_each", cache.cpus.count()}};
    const auto known = std::find_if(out.begin(), out.end(), [&](json entry) {
      entry.erase("count");
      return entry == kind;
    });
    if (known != out.end()) {
      (*known)["count"] = (*known)["count"].get<int>() + 1;
    } else {
      out.push_back(kind);
      out.back()["count"] = 1;
    }
  }
  return out;
}

json links_json(const Machine& machine) {
  if (machine.gpu_links.empty()) return nullptr;
  json rows = json::array();
  for (size_t a = 0; a < machine.gpus.size(); ++a) {
    json row = json::array();
    for (size_t b = 0; b < machine.gpus.size(); ++b) {
      row.push_back(machine.gpu_link(static_cast<int>(a), static_cast<int>(b)));
    }
    rows.push_back(row);
  }
  return {{"kind", machine.gpu_link_kind}, {"mbytes_per_s", rows}};
}

}  // namespace

json machine_json(const Machine& machine) {
  json out{{"name", machine.name},
           {"cpus", machine.cpus.text()},
           {"cpu_count", machine.cpus.count()},
           {"core_count", machine.cores.size()},
           {"packages", json::array()},
           {"memory_nodes", json::array()},
           {"caches", caches_json(machine)},
           {"gpus", json::array()},
           {"adapters", json::array()},
           {"gpu_links", links_json(machine)}};
  for (const topology::Package& package : machine.packages) {
    out["packages"].push_back(
        {{"number", package.number}, {"model", package.model}, {"cpus", package.cpus.text()}});
  }
  for (const topology::MemoryNode& node : machine.nodes) {
    out["memory_nodes"].push_back(
        {{"number", node.number}, {"bytes", node.bytes}, {"cpus", node.cpus.text()}});
  }
  for (const auto& gpu : machine.gpus) out["gpus"].push_back(device_json(machine, gpu));
  for (const auto& nic : machine.adapters) out["adapters"].push_back(device_json(machine, nic));
  return out;
}

json placement_json(const Machine& machine, const std::vector<RankPlace>& ranks,
                    const std::vector<int>& numbers, const std::vector<std::string>& wanted) {
  std::vector<CpuSet> cpus;
  for (const RankPlace& rank : ranks) {
    cpus.push_back(rank.gpu >= 0 ? at(machine.gpus, rank.gpu).cpus : rank.cpus);
  }
  const topology::Slots slots = place_slots(machine, cpus);
  const std::vector<int> adapters = nearest_adapters(machine, ranks, wanted);
  json out{{"ranks", json::array()},
           {"ring", json::array()},
           {"memory_node_leaders", json::array()},
           {"usable_cpus", slots.cpus},
           {"crowded", slots.crowded},
           {"all_share", describe(machine, slots.all)}};
  for (size_t r = 0; r < ranks.size(); ++r) {
    json rank{{"rank", numbers[r]},
              {"cpus", cpus[r].text()},
              {"place", describe(machine, common(machine, cpus[r]))},
              {"slots_on_memory_node", node_number(machine, slots.node_of[r])}};
    if (ranks[r].gpu >= 0) rank["gpu"] = at(machine.gpus, ranks[r].gpu).name();
    if (adapters[r] >= 0) {
      const topology::Device& adapter = at(machine.adapters, adapters[r]);
      rank["adapter"] = adapter.name();
      rank["adapter_is"] = reach_name(reach(machine, ranks[r], adapter));
    }
    out["ranks"].push_back(rank);
  }
  const std::vector<Machine> machines{machine};
  for (const int r : ring_order(machines, ranks)) out["ring"].push_back(at(numbers, r));
  out["leader"] = at(numbers, leaders(machines, ranks).front());
  for (const topology::NodeGroup& group : node_groups(machines, ranks)) {
    out["memory_node_leaders"].push_back({{"memory_node", node_number(machine, group.node)},
                                          {"rank", at(numbers, group.leader())},
                                          {"ranks", group.ranks.size()}});
  }
  return out;
}

std::vector<RankPlace> spread_ranks(const Machine& machine, int nranks) {
  std::vector<RankPlace> ranks;
  const auto gpus = static_cast<int>(machine.gpus.size());
  const auto cores = static_cast<int>(machine.cores.size());
  for (int r = 0; r < nranks; ++r) {
    if (gpus > 0) {
      ranks.push_back({0, at(machine.gpus, r % gpus).cpus, r % gpus});
      continue;
    }
    CpuSet cpus = cores == 0 ? machine.cpus : CpuSet();
    if (cores > 0 && nranks >= cores) cpus = at(machine.cores, r % cores).cpus;
    for (int c = r * cores / nranks; nranks < cores && c < (r + 1) * cores / nranks; ++c) {
      cpus = cpus | at(machine.cores, c).cpus;
    }
    ranks.push_back({0, cpus, -1});
  }
  return ranks;
}

}  // namespace goss::tools
