// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How large and how small a rank's share of a batch may be: what fits into memory, and from where
// on computing is efficient. Measured once in a run, before the first update; a checkpoint keeps
// it, because the second number is of clocks and would be another one tomorrow.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "model.h"
#include "ranks.h"

namespace goss::train {

// A share of so many samples took so long, and so much memory at its peak.
struct Trial {
  uint64_t samples = 0;
  double seconds = 0;
  double peak_bytes = 0;  // of the process
};

struct Bounds {
  uint64_t memory = 0;        // most samples of a rank; 0: no bound is seen
  uint64_t compute = 0;       // fewest
  std::vector<Trial> trials;  // of this rank

  bool operator==(const Bounds& other) const {
    return memory == other.memory && compute == other.compute;
  }
};

// The fewest samples per share with half of the best throughput or more.
uint64_t compute_bound(std::span<const Trial> trials);

// Most samples by a straight line through the peaks of the smallest and the largest share, when the
// process may grow to `limit_bytes`; 0 when the peaks do not rise.
uint64_t memory_bound(std::span<const Trial> trials, double limit_bytes);

// Bytes that processes may still take: what the kernel calls available, or what is left in the
// control group (version 1 or 2) if that is less. `root`: where /proc and /sys are; "" but in
// tests.
double available_bytes(const std::string& root);

// Tries shares of 1, 2, 4, ... samples. Collective: the ranks agree on the smallest memory and the
// largest compute bound. The ranks of a host share what is available; a fifth of it is left alone.
Bounds measure_bounds(Model& model, const Dataset& data, Ranks& ranks);

void to_json(nlohmann::json& json, const Bounds& bounds);
void from_json(const nlohmann::json& json, Bounds& bounds);

}  // namespace goss::train
