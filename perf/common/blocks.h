// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How long a timed block is: one rule for Gossamer and for all that it is compared with.
#pragma once

#include <algorithm>
#include <cmath>

namespace goss::perf {

inline constexpr double kLeastOperations = 5;  // of a block: one or two would be mostly barrier
inline constexpr double kMostOperations = 1e6;

// The number of operations that last about block_ms, found by trials that also warm up.
// time_block(n) runs n operations and returns microseconds per operation, the same on all ranks.
template <class TimeBlock>
long operations_per_block(double block_ms, TimeBlock time_block) {
  constexpr double kSlowUs = 1000;  // a trial of few of these is good enough
  const auto fitting = [block_ms](double us) {
    return std::lround(std::clamp(block_ms * 1000 / us, kLeastOperations, kMostOperations));
  };
  double us = time_block(1);
  if (us < kSlowUs) us = time_block(20);
  if (us < kSlowUs) us = time_block(fitting(us));
  return fitting(us);
}

}  // namespace goss::perf
