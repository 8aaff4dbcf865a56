// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Order: in which order a ring visits ranks, and which of them speak for others. Pure functions of
// the machines and of where each rank runs, so all ranks that know the same compute the same.
#pragma once

#include <vector>

#include "topology/placement.h"

namespace goss::topology {

// A ring through all ranks that enters every machine, every package and every memory node once. The
// machines come in the order in which ranks name them. Between GPUs with links of their own the
// narrowest link of the ring is as wide as possible (up to 8 GPUs; beyond, each goes on to the one
// it reaches best). Ranks without a place come behind the others of their machine, in their order.
std::vector<int> ring_order(const std::vector<Machine>& machines,
                            const std::vector<RankPlace>& ranks);

// One rank of each machine that has ranks, in the order in which ranks name the machines: the one
// with the shortest reach to an adapter, and of those the first.
std::vector<int> leaders(const std::vector<Machine>& machines, const std::vector<RankPlace>& ranks);

// The ranks of one memory node; the first leads. Those of a machine without a place are a group of
// their own (node -1), which is the last of their machine.
struct NodeGroup {
  int machine;
  int node;  // place in Machine::nodes
  std::vector<int> ranks;
  int leader() const { return ranks.front(); }
};
std::vector<NodeGroup> node_groups(const std::vector<Machine>& machines,
                                   const std::vector<RankPlace>& ranks);

}  // namespace goss::topology
