// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Order statistics of measured times.
#pragma once

#include <span>
#include <vector>

namespace goss::perf {

// All in the unit of the times. Percentiles are by rank, as in nccl-tests.
struct Statistics {
  double min = 0, max = 0, average = 0, p50 = 0, p95 = 0, p99 = 0, deviation = 0;
  double variation_percent() const { return average > 0 ? deviation / average * 100 : 0; }
};

// `times` is not empty.
Statistics summarise(std::span<const double> times);
double median(std::vector<double> times);

}  // namespace goss::perf
