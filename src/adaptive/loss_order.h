// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Who is in which bucket, when every loss is known here: orders of samples, cuts at quantiles, and
// the numbers that describe a bucket. Pure functions; the planner calls them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "adaptive/philox.h"
#include "gossamer/adaptive.h"

namespace goss::adaptive {

// Samples never seen first, in random order, then by falling loss, equal losses by rising index.
// The `trimmed` highest losses are moved to the end.
std::vector<uint32_t> hardest_first(std::span<const uint32_t> codes, uint64_t trimmed,
                                    const Philox& random);

// 0 .. count-1 in random order.
std::vector<uint32_t> shuffled(uint64_t count, const Philox& random);

// Samples with a loss.
uint64_t count_known(std::span<const uint32_t> codes);

// Where buckets end: round(total * (share[0] + .. + share[b])), the last one at `total`.
std::vector<uint64_t> cut(uint64_t total, std::span<const double> shares);

// round(share * total), half away from 0, at most `total`.
uint64_t portion(double share, uint64_t total);

// The losses of `samples` in numbers: losses, mean, p10, p50, p90 of a bucket. Quantiles are losses
// that occur: the smallest that is not below such a part of all.
gossBucket_t describe(std::span<const uint32_t> codes, std::span<const uint32_t> samples);

}  // namespace goss::adaptive
