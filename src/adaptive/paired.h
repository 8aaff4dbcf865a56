// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Differences between the losses of the same samples in two epochs. Most of what makes samples
// differ is the same in both epochs and cancels, so small changes of the mean are seen.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace goss::adaptive {

struct PairedDifference {
  double mean = 0;      // of now - then
  double variance = 0;  // of that mean, from the scatter of the differences; infinite for 1 sample
};

// Both have the same size, 1 or more.
PairedDifference paired_difference(std::span<const float> now, std::span<const float> then);

double mean_of(std::span<const float> losses);

// Failure naming the first loss that is no finite number.
Status check_finite(const char* what, std::span<const float> losses);

}  // namespace goss::adaptive
