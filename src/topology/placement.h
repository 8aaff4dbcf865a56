// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Placement: what the ranks of one machine share, which memory is theirs, which adapter is nearest.
// Pure functions of a Machine and of where each rank may run. CPUs of a rank that the machine does
// not have (a file of another machine, a container) do not count; a rank that is left with none,
// or is bound to nothing, has no place: it may be anywhere.
#pragma once

#include <string>
#include <vector>

#include "topology/machine.h"

namespace goss::topology {

// The smallest things that have all these CPUs, as places in the lists of the Machine; -1: there is
// none, they are spread over several. `cache` is the smallest of any level, `l3` of level 3.
struct Common {
  int core = -1;
  int cache = -1;
  int l3 = -1;
  int node = -1;
  int package = -1;
};
Common common(const Machine& machine, const CpuSet& cpus);
// "L3 cache of 32 MiB, memory node 0, package 0", or "nothing but the machine".
std::string describe(const Machine& machine, const Common& common);

// Where the ranks of a machine keep what others read.
struct Slots {
  // For each rank the memory node (place in Machine::nodes) on which its slots belong, for it
  // writes them; -1: where the thread runs that writes them first.
  std::vector<int> node_of;
  Common all;            // what all ranks share
  int cpus = 0;          // that any of the ranks may use
  int cores = 0;         // likewise
  bool crowded = false;  // more ranks than CPUs: who waits must let others run
};
Slots place_slots(const Machine& machine, const std::vector<CpuSet>& ranks);

// How far an adapter is, from a GPU or from CPUs.
enum class Reach : uint8_t {
  kSwitch,   // behind the same PCI switch as the GPU
  kNode,     // at the same memory node
  kPackage,  // at another node of the same package
  kMachine,  // at another package
  kNowhere,  // no adapter, or no place
};
const char* reach_name(Reach reach);

// Where a rank runs.
struct RankPlace {
  int machine = 0;
  CpuSet cpus;
  int gpu = -1;  // place in Machine::gpus; -1: it computes on the CPU
};

Reach reach(const Machine& machine, const RankPlace& rank, const Device& adapter);

// Adapters that carry what goes to other hosts, as places in Machine::adapters: those named in
// `wanted`; else those with RDMA; else those on PCI; else all.
std::vector<int> network_adapters(const Machine& machine, const std::vector<std::string>& wanted);
// The shortest reach to one of those.
Reach network_reach(const Machine& machine, const RankPlace& rank,
                    const std::vector<std::string>& wanted);
// For each of the ranks, all of this machine, the nearest of those adapters; of equally near ones
// that with the fewest ranks so far. -1: there is none.
std::vector<int> nearest_adapters(const Machine& machine, const std::vector<RankPlace>& ranks,
                                  const std::vector<std::string>& wanted);

}  // namespace goss::topology
