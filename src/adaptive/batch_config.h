// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The options of a batch planner: checked copies, what follows from them, their place in a state.
#pragma once

#include <span>

#include "adaptive/state.h"
#include "base/result.h"
#include "gossamer/adaptive.h"

namespace goss::adaptive {

// The caller's struct as this version knows it, every field checked.
Result<gossBatchConfig_t> read_config(const gossBatchConfig_t* given);

void put(StateWriter& state, const gossBatchConfig_t& config);
// Checked; the reader keeps a failure.
gossBatchConfig_t get_batch_config(StateReader& state);

// Of everything in which ranks must not differ: all but rank, and with sharded data samples.
uint64_t shared_hash(const gossBatchConfig_t& config);

// What a planned epoch is made of.
enum class EpochKind {
  kPlain,    // random samples, one size
  kBuckets,  // by loss, or as if
  kPruned    // InfoBatch
};
EpochKind epoch_kind(const gossBatchConfig_t& config, uint64_t epoch);
inline bool has_buckets(const gossBatchConfig_t& config, uint64_t epoch) {
  return epoch_kind(config, epoch) == EpochKind::kBuckets;
}

int reference_batch(const gossBatchConfig_t& config);
// Global batch size of a bucket in an epoch, bounds applied.
int batch_size(const gossBatchConfig_t& config, uint64_t epoch, int bucket);
// Of one rank's samples; with global data that of all ranks.
int batch_size_per_source(const gossBatchConfig_t& config, uint64_t epoch, int bucket);
// 1 in epochs without buckets.
int bucket_count(const gossBatchConfig_t& config, uint64_t epoch);
inline std::span<const double> shares(const gossBatchConfig_t& config) {
  return {config.share, static_cast<size_t>(config.buckets)};
}
// True in epochs in which the excess of the hard bucket goes to random batches.
bool uses_guard(const gossBatchConfig_t& config, uint64_t epoch);
// True in the one epoch in which rates rise from 1 to their rule.
bool is_ramp(const gossBatchConfig_t& config, uint64_t epoch);

}  // namespace goss::adaptive
