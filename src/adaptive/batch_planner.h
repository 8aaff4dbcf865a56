// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// BatchPlanner: losses of single samples to the batches of the next epoch. Owns what is known about
// the samples; epoch_plan.h decides who is in which bucket, plan.h makes the batches. It does not
// communicate: exchange() hands out what the ranks have to all-reduce, step by step.
// One thread at a time. Called by src/api only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adaptive/epoch_plan.h"
#include "adaptive/guard.h"
#include "adaptive/plan.h"
#include "adaptive/state.h"
#include "base/result.h"
#include "gossamer/adaptive.h"

namespace goss::adaptive {

class BatchPlanner {
 public:
  static Result<std::unique_ptr<BatchPlanner>> create(const gossBatchConfig_t& config);
  static Result<std::unique_ptr<BatchPlanner>> restore(std::span<const std::byte> state);
  Result<std::vector<std::byte>> save() const;

  // The next buffer to be all-reduced; count 0 when the plan stands.
  Result<gossExchange_t> exchange();

  const gossBatchConfig_t& config() const { return config_; }
  Status epoch(gossEpoch_t* out) const;
  Result<std::vector<gossBucket_t>> buckets() const;

  // Who asks: a rank, and among how many.
  struct Seat {
    int rank;
    int nranks;
  };
  Status describe_batch(uint64_t step, Seat seat, gossBatch_t* out) const;
  // samples and weights have room for `capacity` elements or are NULL.
  struct Slots {
    uint32_t* samples;
    float* weights;
    size_t capacity;
  };
  Status fill_batch(uint64_t step, Seat seat, Slots slots) const;
  Status record(uint64_t step, Seat seat, std::span<const float> losses);
  Status end_epoch();
  Status guard(std::span<const float> losses);

 private:
  // What the buffer that was handed out last was for.
  enum class Waiting { kNothing, kStart, kLosses, kHistogram, kCounts, kHash };

  explicit BatchPlanner(const gossBatchConfig_t& config);

  Status ready() const;
  Status check_seat(uint64_t step, Seat seat) const;
  Status absorb();
  gossExchange_t hand_out();
  Status absorb_losses();
  Status absorb_histogram();
  Status absorb_counts();
  Status absorb_hash();
  void offer_histogram();
  void offer_counts();
  void merge_recorded();
  void make_plan(std::vector<std::vector<uint64_t>> counts);
  void weigh();
  float sample_weight(uint64_t step, uint32_t sample) const;
  double lr_ramp(uint64_t step) const;
  double lr_scale(uint64_t step) const;
  double batch_ratio(uint64_t step) const;
  size_t slots(uint64_t step, Seat seat) const;
  void read(StateReader& state);
  std::vector<std::vector<uint64_t>> read_counts(StateReader& state) const;

  gossBatchConfig_t config_;
  uint64_t epoch_ = 0;
  uint64_t clock_ = 0;  // samples seen before this epoch
  uint64_t next_step_ = 0;
  std::vector<uint32_t> losses_;    // codes, see loss_code.h: averaged over the epochs
  std::vector<uint32_t> recorded_;  // codes of this epoch
  LabelGuard guard_;
  double planned_excess_ = 0;  // the guard's, as this plan uses it
  SharedLosses shared_;
  BucketedSamples bucketed_;
  Plan plan_;
  uint64_t hash_ = 0;
  double correction_ = 1;  // makes the weights of correctWeights sum to the number of samples

  Waiting waiting_ = Waiting::kStart;
  std::vector<uint64_t> message_;
  Status failure_;  // for good: ranks that disagree, a broken loss
};

}  // namespace goss::adaptive
