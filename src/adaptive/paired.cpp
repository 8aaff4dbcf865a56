// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/paired.h"

#include <cmath>
#include <limits>

namespace goss::adaptive {

// Sums run from the first sample to the last in double: the same bits everywhere.
double mean_of(std::span<const float> losses) {
  double sum = 0;
  for (const float loss : losses) sum += double{loss};
  return sum / static_cast<double>(losses.size());
}

PairedDifference paired_difference(std::span<const float> now, std::span<const float> then) {
  const auto count = static_cast<double>(now.size());
  double sum = 0;
  for (size_t i = 0; i < now.size(); ++i) sum += double{now[i]} - double{then[i]};
  const double mean = sum / count;
  if (now.size() < 2) return {mean, std::numeric_limits<double>::infinity()};
  double squares = 0;
  for (size_t i = 0; i < now.size(); ++i) {
    const double off = double{now[i]} - double{then[i]} - mean;
    squares += off * off;
  }
  return {mean, squares / (count - 1) / count};
}

Status check_finite(const char* what, std::span<const float> losses) {
  for (size_t i = 0; i < losses.size(); ++i) {
    if (std::isfinite(losses[i])) continue;
    return fail(gossInvalidArgument,
                "%s : the loss of sample %zu of %zu is %g: the training has diverged or the sample "
                "is broken",
                what, i, losses.size(), double{losses[i]});
  }
  return {};
}

}  // namespace goss::adaptive
