// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Machine: what one host is made of, as far as placement cares: packages, memory nodes, caches,
// cores, GPUs and network adapters. A value; read.h makes it of the machine here or of a file, so
// whoever works on it (placement.h, order.h) can be tested on machines that are not here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "topology/cpu_set.h"

namespace goss::topology {

struct Package {
  int number = 0;  // the system's
  std::string model;
  CpuSet cpus;
};

struct MemoryNode {
  int number = 0;
  uint64_t bytes = 0;
  CpuSet cpus;  // empty: memory without CPUs
};

struct Cache {
  int level = 0;
  uint64_t bytes = 0;
  CpuSet cpus;
};

struct Core {
  int number = 0;
  CpuSet cpus;  // its threads
};

struct Device {
  enum class Kind : uint8_t { kGpu, kAdapter };
  Kind kind = Kind::kGpu;
  std::vector<std::string> names;  // of the system: rsmi0, mlx5_0, eth0; may be none
  std::string bus;                 // "0000:07:00.0"; empty: no PCI device
  std::string model;
  uint16_t vendor = 0;
  uint16_t product = 0;
  bool rdma = false;
  double pci_gbytes_per_s = 0;  // 0: not known
  CpuSet cpus;                  // near it; all of the machine where that is not known
  // Bridges above it, from that of the host inwards; their numbers mean nothing else.
  std::vector<uint64_t> bridges;

  std::string name() const { return !names.empty() ? names.front() : bus; }
};

struct Machine {
  std::string name;
  CpuSet cpus;  // that programs may use here
  std::vector<Package> packages;
  std::vector<MemoryNode> nodes;
  std::vector<Cache> caches;  // shared ones and private ones, of all levels from 2 on
  std::vector<Core> cores;
  std::vector<Device> gpus;
  std::vector<Device> adapters;
  // MB/s from GPU to GPU by links of their own, gpus.size() squared; empty: there are none.
  std::vector<uint64_t> gpu_links;
  std::string gpu_link_kind;  // "xGMI", "NVLink"

  uint64_t gpu_link(int from, int to) const {
    if (gpu_links.empty()) return 0;
    return gpu_links[static_cast<size_t>(from) * gpus.size() + static_cast<size_t>(to)];
  }
};

}  // namespace goss::topology
