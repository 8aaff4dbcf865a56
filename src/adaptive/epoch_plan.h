// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// EpochPlan: from what is known about the samples to the samples of every bucket. Between the
// planner, which owns losses and talks to the ranks, and Plan, which makes batches.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "adaptive/histogram.h"
#include "gossamer/adaptive.h"

namespace goss::adaptive {

// What all ranks with sharded data know of each other's losses.
struct SharedLosses {
  Histogram all{};
  int64_t sum = 0;  // of all losses, in units of 2^-20, see fixed_loss()
};
// A loss as an integer, so that a sum over ranks does not depend on their order. Bounded by 2^10,
// so that the sum of 2^32 losses fits.
int64_t fixed_loss(uint32_t code);

struct BucketedSamples {
  std::vector<std::vector<uint32_t>> own;  // [bucket]
  std::vector<gossBucket_t> described;     // [bucket]: the losses; no counts
  std::vector<bool> heavy;  // [sample]: stands for pruned ones. Empty without pruning
  double heavy_weight = 1;
};

// `shared` is NULL with global data. `excess`: see LabelGuard.
BucketedSamples bucket_samples(const gossBatchConfig_t& config, uint64_t epoch,
                               std::span<const uint32_t> codes, const SharedLosses* shared,
                               double excess);

}  // namespace goss::adaptive
