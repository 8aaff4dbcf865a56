// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/order.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace goss::topology {

namespace {

template <typename T>
const T& at(const std::vector<T>& list, int i) {
  return list[static_cast<size_t>(i)];
}

// The ranks of each machine, the machines in the order in which ranks name them.
std::vector<std::vector<int>> by_machine(const std::vector<RankPlace>& ranks) {
  std::map<int, size_t> known;
  std::vector<std::vector<int>> machines;
  for (size_t r = 0; r < ranks.size(); ++r) {
    const auto [entry, added] = known.emplace(ranks[r].machine, machines.size());
    if (added) machines.emplace_back();
    machines[entry->second].push_back(static_cast<int>(r));
  }
  return machines;
}

// Where a rank computes: near its GPU, else on its CPUs.
CpuSet place_of(const Machine& machine, const RankPlace& rank) {
  if (rank.gpu >= 0) return at(machine.gpus, rank.gpu).cpus & machine.cpus;
  return rank.cpus & machine.cpus;
}

// Ranks in this order walk through a machine without coming back. What a rank is not within comes
// last: a rank that may run on a whole package, behind those that may not leave one of its nodes.
auto walk_key(const Machine& machine, const RankPlace& rank, int number) {
  constexpr int kLast = 1 << 30;
  const CpuSet cpus = place_of(machine, rank);
  const Common common = topology::common(machine, cpus);
  const auto place = [](int i) { return i < 0 ? kLast : i; };
  return std::tuple{place(common.package),
                    place(common.node),
                    place(common.l3),
                    rank.gpu >= 0 ? rank.gpu : kLast,
                    place(common.core),
                    cpus.empty() ? kLast : cpus.first(),
                    number};
}

uint64_t link(const Machine& machine, const std::vector<RankPlace>& ranks, int from, int to) {
  return machine.gpu_link(at(ranks, from).gpu, at(ranks, to).gpu);
}

// Narrowest link of a ring, then the sum of all.
std::pair<uint64_t, uint64_t> width(const Machine& machine, const std::vector<RankPlace>& ranks,
                                    const std::vector<int>& ring) {
  std::pair<uint64_t, uint64_t> width{UINT64_MAX, 0};
  for (size_t i = 0; i < ring.size(); ++i) {
    const uint64_t here = link(machine, ranks, ring[i], ring[(i + 1) % ring.size()]);
    width.first = std::min(width.first, here);
    width.second += here;
  }
  return width;
}

// `ring` is in the order of the walk, which stays where no other is better.
void follow_links(const Machine& machine, const std::vector<RankPlace>& ranks,
                  std::vector<int>* ring) {
  constexpr size_t kMostTried = 8;  // 5,040 rings
  if (ring->size() <= kMostTried) {
    std::vector<size_t> turn(ring->size() - 1);  // who follows the first
    std::iota(turn.begin(), turn.end(), size_t{1});
    std::vector<int> best = *ring;
    auto widest = width(machine, ranks, best);
    while (std::next_permutation(turn.begin(), turn.end())) {
      std::vector<int> other{ring->front()};
      for (const size_t i : turn) other.push_back((*ring)[i]);
      const auto found = width(machine, ranks, other);
      if (found <= widest) continue;
      widest = found;
      best = std::move(other);
    }
    *ring = std::move(best);
    return;
  }
  for (auto next = ring->begin() + 1; next != ring->end(); ++next) {
    const int from = *(next - 1);
    const auto best = std::max_element(next, ring->end(), [&](int a, int b) {
      return link(machine, ranks, from, a) < link(machine, ranks, from, b);
    });
    std::rotate(next, best, best + 1);  // those in between keep their order
  }
}

bool has_links(const Machine& machine, const std::vector<RankPlace>& ranks,
               const std::vector<int>& members) {
  return !machine.gpu_links.empty() && members.size() > 2 &&
         std::all_of(members.begin(), members.end(), [&](int r) { return at(ranks, r).gpu >= 0; });
}

}  // namespace

std::vector<int> ring_order(const std::vector<Machine>& machines,
                            const std::vector<RankPlace>& ranks) {
  std::vector<int> order;
  for (std::vector<int> members : by_machine(ranks)) {
    const Machine& machine = at(machines, at(ranks, members.front()).machine);
    std::sort(members.begin(), members.end(), [&](int a, int b) {
      return walk_key(machine, at(ranks, a), a) < walk_key(machine, at(ranks, b), b);
    });
    if (has_links(machine, ranks, members)) follow_links(machine, ranks, &members);
    order.insert(order.end(), members.begin(), members.end());
  }
  return order;
}

std::vector<int> leaders(const std::vector<Machine>& machines,
                         const std::vector<RankPlace>& ranks) {
  std::vector<int> leaders;
  for (const std::vector<int>& members : by_machine(ranks)) {
    const auto distance = [&](int r) {
      return network_reach(at(machines, at(ranks, r).machine), at(ranks, r), {});
    };
    leaders.push_back(*std::min_element(members.begin(), members.end(),
                                        [&](int a, int b) { return distance(a) < distance(b); }));
  }
  return leaders;
}

std::vector<NodeGroup> node_groups(const std::vector<Machine>& machines,
                                   const std::vector<RankPlace>& ranks) {
  std::vector<NodeGroup> groups;
  for (const std::vector<int>& members : by_machine(ranks)) {
    const int number = at(ranks, members.front()).machine;
    const Machine& machine = at(machines, number);
    std::map<unsigned, std::vector<int>> nodes;  // -1 as the largest
    for (const int r : members) {
      nodes[static_cast<unsigned>(common(machine, place_of(machine, at(ranks, r))).node)].push_back(
          r);
    }
    for (auto& [node, inside] : nodes) {
      groups.push_back({number, static_cast<int>(node), std::move(inside)});
    }
  }
  return groups;
}

}  // namespace goss::topology
