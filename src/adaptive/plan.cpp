// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/plan.h"

#include <algorithm>

#include "adaptive/state.h"

namespace goss::adaptive {

namespace {

// Where part `index` of `parts` nearly equal parts of `count` begins. Both are below 2^32.
uint64_t part_begin(uint64_t count, uint64_t parts, uint64_t index) {
  return count * index / parts;
}

}  // namespace

Plan::Plan(PlanInput input) : own_(std::move(input.own)), counts_(std::move(input.counts)) {
  for (size_t b = 0; b < own_.size(); ++b) {
    const auto lane = static_cast<uint32_t>(b);
    // Ranks have different samples behind equal indices, but nothing is gained by equal shuffles.
    const uint32_t source_lane = lane + GOSS_MAX_BUCKETS * static_cast<uint32_t>(input.source);
    shuffle(std::span(own_[b]), Philox(input.seed, Purpose::kBucket, input.epoch, source_lane));
    const auto batch = static_cast<uint64_t>(input.batch_per_source[b]);
    uint64_t steps = 0;
    for (const auto& source : counts_) steps = std::max(steps, (source[b] + batch - 1) / batch);
    steps_.push_back(steps);
    for (uint32_t i = 0; i < steps; ++i) batches_.push_back({lane, i});
  }
  shuffle(std::span(batches_), Philox(input.seed, Purpose::kMix, input.epoch, 0));
  before_.reserve(batches_.size() + 1);
  for (const Batch& batch : batches_) {
    uint64_t real = 0;
    for (const auto& source : counts_) {
      const uint64_t count = source[batch.bucket];
      real += part_begin(count, steps_[batch.bucket], batch.index + uint64_t{1}) -
              part_begin(count, steps_[batch.bucket], batch.index);
    }
    before_.push_back(before_.back() + real);
  }
}

uint64_t Plan::total(size_t bucket) const {
  uint64_t sum = 0;
  for (const auto& source : counts_) sum += source[bucket];
  return sum;
}

uint64_t Plan::most_per_source(uint64_t step) const {
  const Batch batch = batches_[step];
  uint64_t most = 0;
  for (const auto& source : counts_) {
    const uint64_t steps = steps_[batch.bucket];
    most = std::max(most, (source[batch.bucket] + steps - 1) / steps);
  }
  return most;
}

std::span<const uint32_t> Plan::own(uint64_t step) const {
  const Batch batch = batches_[step];
  const std::span<const uint32_t> all = own_[batch.bucket];
  const uint64_t begin = part_begin(all.size(), steps_[batch.bucket], batch.index);
  const uint64_t end = part_begin(all.size(), steps_[batch.bucket], batch.index + uint64_t{1});
  return all.subspan(begin, end - begin);
}

uint64_t Plan::hash(uint64_t config_hash, uint64_t epoch) const {
  Fnv1a sum;
  sum.add(config_hash);
  sum.add(epoch);
  for (const auto& source : counts_) {
    for (const uint64_t count : source) sum.add(count);
  }
  for (const Batch& batch : batches_) sum.add(uint64_t{batch.bucket} << 32 | batch.index);
  if (counts_.size() == 1) {
    for (const auto& samples : own_) {
      for (const uint32_t sample : samples) sum.add(uint64_t{sample});
    }
  }
  return sum.value();
}

}  // namespace goss::adaptive
