// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "planner.h"

#include <algorithm>

#include "check.h"

namespace goss::train {

Planner::Planner(const gossBatchConfig_t& config, Ranks& ranks) : ranks_(ranks) {
  gossBatchPlanner_t planner = nullptr;
  check(gossBatchPlannerCreate(&planner, &config), "batches");
  planner_.reset(planner);
  exchange();
}

Planner::Planner(std::span<const uint8_t> state, Ranks& ranks) : ranks_(ranks) {
  gossBatchPlanner_t planner = nullptr;
  check(gossBatchPlannerRestore(&planner, state.data(), state.size()), "batches of the checkpoint");
  planner_.reset(planner);
}

void Planner::exchange() {
  for (;;) {
    gossExchange_t x;
    check(gossBatchPlannerExchange(planner_.get(), &x), "batches");
    if (x.count == 0) return;
    ranks_.all_reduce(x.buffer, x.count, x.datatype, x.op);
  }
}

gossEpoch_t Planner::epoch() const {
  gossEpoch_t epoch{};
  epoch.size = sizeof epoch;
  check(gossBatchPlannerGetEpoch(planner_.get(), &epoch), "batches");
  return epoch;
}

std::vector<gossBucket_t> Planner::buckets() const {
  std::vector<gossBucket_t> buckets(GOSS_MAX_BUCKETS);
  size_t count = 0;
  check(gossBatchPlannerGetBuckets(planner_.get(), buckets.data(), buckets.size(), &count),
        "batches");
  buckets.resize(count);
  return buckets;
}

gossBatch_t Planner::describe(uint64_t step) {
  gossBatch_t batch{};
  batch.size = sizeof batch;
  check(gossBatchPlannerGetBatch(planner_.get(), step, ranks_.rank(), ranks_.count(), &batch,
                                 nullptr, nullptr, 0),
        "batches");
  return batch;
}

double Planner::epochs_before(const gossBatch_t& batch) {
  const gossEpoch_t now = epoch();
  return static_cast<double>(now.epoch) +
         static_cast<double>(batch.samples_before - describe(0).samples_before) /
             static_cast<double>(now.samples);
}

Batch Planner::batch(uint64_t step) {
  Batch batch;
  batch.info = describe(step);
  samples_.resize(batch.info.slots);
  weights_.resize(batch.info.slots);
  check(gossBatchPlannerGetBatch(planner_.get(), step, ranks_.rank(), ranks_.count(), &batch.info,
                                 samples_.data(), weights_.data(), samples_.size()),
        "batches");
  batch.samples = samples_;
  batch.weights = weights_;
  return batch;
}

void Planner::record(uint64_t step, std::span<const float> losses) {
  check(gossBatchPlannerRecord(planner_.get(), step, ranks_.rank(), ranks_.count(), losses.data(),
                               losses.size()),
        "losses");
}

void Planner::next_epoch(std::span<const float> validation) {
  if (!validation.empty()) {
    check(gossBatchPlannerGuard(planner_.get(), validation.data(), validation.size()),
          "validation losses");
  }
  check(gossBatchPlannerEndEpoch(planner_.get()), "batches");
  exchange();
}

std::vector<uint8_t> Planner::save() const {
  size_t bytes = 0;
  check(gossBatchPlannerSave(planner_.get(), nullptr, 0, &bytes), "batches");
  std::vector<uint8_t> state(bytes);
  check(gossBatchPlannerSave(planner_.get(), state.data(), state.size(), &bytes), "batches");
  return state;
}

Precision::Precision(const gossPrecisionConfig_t& config) {
  gossPrecision_t controller = nullptr;
  check(gossPrecisionCreate(&controller, &config), "precision");
  controller_.reset(controller);
}

Precision::Precision(std::span<const uint8_t> state) {
  gossPrecision_t controller = nullptr;
  check(gossPrecisionRestore(&controller, state.data(), state.size()),
        "precision of the checkpoint");
  controller_.reset(controller);
}

gossDecision_t Precision::decide(std::span<const gossBucket_t> buckets,
                                 std::span<const float> validation) {
  gossDecision_t decision{};
  decision.size = sizeof decision;
  check(gossPrecisionDecide(controller_.get(), buckets.data(), buckets.size(), validation.data(),
                            validation.size(), &decision),
        "precision");
  return decision;
}

std::vector<int> Precision::bits() const {
  std::vector<int> bits(GOSS_MAX_BUCKETS);
  check(gossPrecisionGetBits(controller_.get(), bits.data(), nullptr), "precision");
  bits.resize(
      static_cast<size_t>(std::count_if(bits.begin(), bits.end(), [](int b) { return b > 0; })));
  return bits;
}

std::string Precision::header() const {
  const char* text = nullptr;
  check(gossPrecisionGetLog(controller_.get(), &text, nullptr), "precision");
  return text;
}

std::string Precision::line() const {
  const char* text = nullptr;
  check(gossPrecisionGetLog(controller_.get(), nullptr, &text), "precision");
  return text;
}

std::vector<uint8_t> Precision::save() const {
  size_t bytes = 0;
  check(gossPrecisionSave(controller_.get(), nullptr, 0, &bytes), "precision");
  std::vector<uint8_t> state(bytes);
  check(gossPrecisionSave(controller_.get(), state.data(), state.size(), &bytes), "precision");
  return state;
}

}  // namespace goss::train
