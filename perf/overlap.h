// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// --overlap: how much of a collective hides behind computing, and what that costs the computing.
// The collective is put on a host stream and the thread that called it runs a fixed loop of
// arithmetic in registers, about as long as the collective takes alone.
#pragma once

#include <algorithm>

#include "timing.h"

namespace goss::perf {

// Medians over the repetitions, averaged over the ranks.
struct Overlap {
  double collective_s = 0;        // the collective alone, on its stream
  double computing_s = 0;         // the loop alone
  double both_s = 0;              // from the call until both are done
  double computing_beside_s = 0;  // the loop while the collective runs

  // Part of the collective's time that did not add to the computing: 1 is all, 0 nothing.
  double hidden() const {
    if (collective_s <= 0) return 0;
    return std::clamp(1 - (both_s - computing_s) / collective_s, 0.0, 1.0);
  }
  double slowdown() const { return computing_s > 0 ? computing_beside_s / computing_s : 0; }
};

// Collective over the crews.
Overlap measure_overlap(Runner& runner, const Work& work);

}  // namespace goss::perf
