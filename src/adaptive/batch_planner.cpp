// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/batch_planner.h"

#include <algorithm>

#include "adaptive/batch_config.h"
#include "adaptive/loss_code.h"
#include "adaptive/lr_scale.h"

namespace goss::adaptive {

namespace {

unsigned long long printable(uint64_t value) { return value; }

}  // namespace

BatchPlanner::BatchPlanner(const gossBatchConfig_t& config)
    : config_(config),
      losses_(config.samples, kNoLoss),
      recorded_(config.samples, kNoLoss),
      guard_(config.share[0], config.guardPatience) {}

Result<std::unique_ptr<BatchPlanner>> BatchPlanner::create(const gossBatchConfig_t& config) {
  GOSS_TRY_ASSIGN(const gossBatchConfig_t checked, read_config(&config));
  return std::unique_ptr<BatchPlanner>(new BatchPlanner(checked));
}

// ---- the plan

void BatchPlanner::make_plan(std::vector<std::vector<uint64_t>> counts) {
  PlanInput input;
  input.seed = config_.seed;
  input.epoch = epoch_;
  input.own = bucketed_.own;
  input.counts = std::move(counts);
  input.source = config_.sharded == 1 ? config_.rank : 0;
  for (int b = 0; b < bucket_count(config_, epoch_); ++b) {
    input.batch_per_source.push_back(batch_size_per_source(config_, epoch_, b));
  }
  bucketed_.own.clear();
  plan_ = Plan(std::move(input));
  Fnv1a context;
  context.add(shared_hash(config_));
  context.add(clock_);
  context.add(planned_excess_);
  hash_ = plan_.hash(context.value(), epoch_);
  weigh();
}

void BatchPlanner::weigh() {
  correction_ = 1;
  if (config_.correctWeights == 0) return;
  double sum = 0;
  for (uint64_t step = 0; step < plan_.steps(); ++step) {
    sum += static_cast<double>(plan_.real(step)) * batch_ratio(step) / lr_scale(step);
  }
  if (sum > 0) correction_ = static_cast<double>(plan_.total()) / sum;
}

double BatchPlanner::batch_ratio(uint64_t step) const {
  return static_cast<double>(plan_.real(step)) / reference_batch(config_);
}

double BatchPlanner::lr_ramp(uint64_t step) const {
  if (!is_ramp(config_, epoch_)) return 1;
  return static_cast<double>(plan_.before(step)) / static_cast<double>(plan_.total());
}

double BatchPlanner::lr_scale(uint64_t step) const {
  return batch_lr_scale(config_.lrRule, batch_ratio(step), lr_ramp(step), config_.lrScaleMax);
}

float BatchPlanner::sample_weight(uint64_t step, uint32_t sample) const {
  double weight = 1;
  if (!bucketed_.heavy.empty() && bucketed_.heavy[sample]) weight = bucketed_.heavy_weight;
  if (config_.correctWeights == 1) weight *= correction_ * batch_ratio(step) / lr_scale(step);
  return static_cast<float>(weight);
}

// ---- questions

Status BatchPlanner::ready() const {
  if (!failure_.ok()) return failure_;
  if (waiting_ == Waiting::kNothing) return {};
  return fail(gossInvalidUsage,
              "batch planner : epoch %llu is not planned yet: call gossBatchPlannerExchange and "
              "all-reduce its buffer until count is 0",
              printable(epoch_));
}

Status BatchPlanner::check_seat(uint64_t step, Seat seat) const {
  GOSS_TRY(ready());
  if (step >= plan_.steps()) {
    return fail(gossInvalidArgument,
                "batch planner : step %llu of epoch %llu, which has %llu steps", printable(step),
                printable(epoch_), printable(plan_.steps()));
  }
  if (seat.nranks < 1 || seat.rank < 0 || seat.rank >= seat.nranks) {
    return fail(gossInvalidArgument, "batch planner : rank %d of %d ranks", seat.rank, seat.nranks);
  }
  if (config_.sharded == 1 && (seat.rank != config_.rank || seat.nranks != config_.nranks)) {
    return fail(gossInvalidArgument,
                "batch planner : rank %d of %d, but this shard belongs to rank %d of %d: sharded "
                "plans hold for their ranks only",
                seat.rank, seat.nranks, config_.rank, config_.nranks);
  }
  return {};
}

Status BatchPlanner::epoch(gossEpoch_t* out) const {
  GOSS_TRY(ready());
  out->epoch = epoch_;
  out->steps = plan_.steps();
  out->samples = plan_.total();
  out->hash = hash_;
  out->next_step = next_step_;
  out->excess = planned_excess_;
  out->buckets = static_cast<int>(plan_.buckets());
  return {};
}

Result<std::vector<gossBucket_t>> BatchPlanner::buckets() const {
  GOSS_TRY(ready());
  std::vector<gossBucket_t> buckets = bucketed_.described;
  for (size_t b = 0; b < buckets.size(); ++b) {
    buckets[b].samples = plan_.total(b);
    buckets[b].steps = plan_.steps(b);
    buckets[b].batch = batch_size(config_, epoch_, static_cast<int>(b));
  }
  return buckets;
}

size_t BatchPlanner::slots(uint64_t step, Seat seat) const {
  const uint64_t most = plan_.most_per_source(step);
  if (config_.sharded == 1) return most;
  const auto nranks = static_cast<uint64_t>(seat.nranks);
  return (plan_.real(step) + nranks - 1) / nranks;
}

Status BatchPlanner::describe_batch(uint64_t step, Seat seat, gossBatch_t* out) const {
  GOSS_TRY(check_seat(step, seat));
  out->bucket = static_cast<int>(plan_.batch(step).bucket);
  out->real = plan_.real(step);
  out->slots = slots(step, seat);
  out->samples_before = clock_ + plan_.before(step);
  out->batch_ratio = batch_ratio(step);
  out->lr_ramp = lr_ramp(step);
  out->lr_scale = lr_scale(step);
  return {};
}

// Rank r takes elements r, r + nranks, .. of the batch (all of its own part with sharded data);
// what is missing to the number of slots repeats samples that are there anyway, with weight 0.
Status BatchPlanner::fill_batch(uint64_t step, Seat seat, Slots slots_out) const {
  GOSS_TRY(check_seat(step, seat));
  const size_t count = slots(step, seat);
  if (slots_out.capacity < count) {
    return fail(gossInvalidArgument, "batch planner : capacity %zu, but step %llu has %zu slots",
                slots_out.capacity, printable(step), count);
  }
  const std::span<const uint32_t> own = plan_.own(step);
  const bool sharded = config_.sharded == 1;
  const size_t first = sharded ? 0 : static_cast<size_t>(seat.rank);
  const size_t stride = sharded ? 1 : static_cast<size_t>(seat.nranks);
  const std::span<const uint32_t> spare =
      own.empty() ? plan_.own_bucket(plan_.batch(step).bucket) : own;
  for (size_t slot = 0; slot < count; ++slot) {
    const size_t at = first + slot * stride;
    uint32_t sample = config_.samples > 0 ? 0 : GOSS_NO_SAMPLE;
    if (!spare.empty()) sample = spare[at % spare.size()];
    const bool real = at < own.size();
    if (slots_out.samples != nullptr) slots_out.samples[slot] = sample;
    if (slots_out.weights != nullptr) {
      slots_out.weights[slot] = real ? sample_weight(step, sample) : 0.0f;
    }
  }
  return {};
}

// ---- losses

Status BatchPlanner::record(uint64_t step, Seat seat, std::span<const float> losses) {
  GOSS_TRY(check_seat(step, seat));
  const size_t count = slots(step, seat);
  if (losses.size() != count) {
    return fail(gossInvalidArgument, "batch planner : %zu losses, but step %llu has %zu slots",
                losses.size(), printable(step), count);
  }
  std::vector<uint32_t> samples(count);
  std::vector<float> weights(count);
  GOSS_TRY(fill_batch(step, seat, {samples.data(), weights.data(), count}));
  for (size_t i = 0; i < count; ++i) {
    if (weights[i] == 0 || encode_loss(losses[i]) != kBrokenLoss) continue;
    // Remembered, so that the next exchange stops all ranks and not only this one.
    recorded_[samples[i]] = kBrokenLoss;
    return fail(gossInvalidArgument,
                "batch planner : the loss of sample %u is %g (epoch %llu, step %llu, rank %d, slot "
                "%zu): the training has diverged or the sample is broken",
                samples[i], double{losses[i]}, printable(epoch_), printable(step), seat.rank, i);
  }
  for (size_t i = 0; i < count; ++i) {
    if (weights[i] != 0) recorded_[samples[i]] = encode_loss(losses[i]);
  }
  next_step_ = std::max(next_step_, step + 1);
  return {};
}

void BatchPlanner::merge_recorded() {
  for (size_t i = 0; i < losses_.size(); ++i) {
    if (recorded_[i] == kNoLoss) continue;
    if (losses_[i] == kNoLoss) {
      losses_[i] = recorded_[i];
      continue;
    }
    const double old = double{decode_loss(losses_[i])};
    const double now = double{decode_loss(recorded_[i])};
    losses_[i] =
        encode_loss(static_cast<float>(config_.lossDecay * old + (1 - config_.lossDecay) * now));
  }
  std::fill(recorded_.begin(), recorded_.end(), kNoLoss);
}

Status BatchPlanner::end_epoch() {
  GOSS_TRY(ready());
  clock_ += plan_.total();
  ++epoch_;
  next_step_ = 0;
  waiting_ = Waiting::kStart;
  return {};
}

Status BatchPlanner::guard(std::span<const float> losses) {
  GOSS_TRY(ready());
  const bool choosing = epoch_ + 1 < static_cast<uint64_t>(config_.warmupEpochs);
  return guard_.observe(losses, choosing);
}

}  // namespace goss::adaptive
