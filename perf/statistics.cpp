// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace goss::perf {

Statistics summarise(std::span<const double> times) {
  std::vector<double> sorted(times.begin(), times.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t n = sorted.size();
  const auto percentile = [&](size_t percent) {
    return sorted[std::min(n, (n * percent + 99) / 100) - 1];
  };
  Statistics s;
  s.min = sorted.front();
  s.max = sorted.back();
  s.p50 = sorted[n / 2];
  s.p95 = percentile(95);
  s.p99 = percentile(99);
  s.average = std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(n);
  double squares = 0;
  for (const double t : sorted) squares += (t - s.average) * (t - s.average);
  s.deviation = std::sqrt(squares / static_cast<double>(n));
  return s;
}

double median(std::vector<double> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace goss::perf
