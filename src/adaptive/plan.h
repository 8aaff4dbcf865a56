// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Plan: the batches of one epoch. A value, made from the samples of every bucket; the planner asks
// it for batches. A *source* has samples of its own: every rank with sharded data, one alone for
// all ranks with global data. A bucket has as many batches as the source with most samples needs,
// and every source spreads its samples evenly over them, so the sizes of a bucket's batches differ
// by at most one per source, and every sample is in exactly one batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "adaptive/philox.h"
#include "gossamer/adaptive.h"

namespace goss::adaptive {

struct PlanInput {
  uint64_t seed = 0;
  uint64_t epoch = 0;
  std::vector<std::vector<uint32_t>> own;     // [bucket]: samples of this source, any order
  std::vector<std::vector<uint64_t>> counts;  // [source][bucket]
  std::vector<int> batch_per_source;          // [bucket]
  int source = 0;                             // which one is this
};

class Plan {
 public:
  Plan() = default;
  explicit Plan(PlanInput input);

  struct Batch {
    uint32_t bucket;
    uint32_t index;  // among the batches of the bucket
  };

  uint64_t steps() const { return batches_.size(); }
  uint64_t steps(size_t bucket) const { return steps_[bucket]; }
  size_t buckets() const { return steps_.size(); }
  const std::vector<std::vector<uint64_t>>& counts() const { return counts_; }
  Batch batch(uint64_t step) const { return batches_[step]; }
  // Samples of all sources in a batch, in the batches before it, in all, in a bucket.
  uint64_t real(uint64_t step) const { return before_[step + 1] - before_[step]; }
  uint64_t before(uint64_t step) const { return before_[step]; }
  uint64_t total() const { return before_.back(); }
  uint64_t total(size_t bucket) const;
  // Samples of the source with most of them in a batch.
  uint64_t most_per_source(uint64_t step) const;
  // This source's part of a batch.
  std::span<const uint32_t> own(uint64_t step) const;
  // This source's samples of a bucket in the order of their batches.
  std::span<const uint32_t> own_bucket(size_t bucket) const { return own_[bucket]; }

  // Of batches and counts, and with one source also of the samples.
  uint64_t hash(uint64_t config_hash, uint64_t epoch) const;

 private:
  std::vector<std::vector<uint32_t>> own_;
  std::vector<std::vector<uint64_t>> counts_;
  std::vector<uint64_t> steps_;  // per bucket
  std::vector<Batch> batches_;
  std::vector<uint64_t> before_{0};
};

}  // namespace goss::adaptive
