// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// gossamer/adaptive.h as C++ objects: the batch planner of one rank, and the precision controller.
#pragma once

#include <gossamer/adaptive.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ranks.h"

namespace goss::train {

struct Batch {
  gossBatch_t info{};
  std::span<const uint32_t> samples;  // of this rank, padding included; valid until the next
  std::span<const float> weights;
};

class Planner {
 public:
  Planner(const gossBatchConfig_t& config, Ranks& ranks);
  // Goes on where the saved one was; its config comes with it.
  Planner(std::span<const uint8_t> state, Ranks& ranks);

  gossEpoch_t epoch() const;
  std::vector<gossBucket_t> buckets() const;
  Batch batch(uint64_t step);
  // Epochs of the run before a batch: whole ones, and of the running one the share of its samples.
  double epochs_before(const gossBatch_t& batch);
  void record(uint64_t step, std::span<const float> losses);
  // Ends the epoch and agrees with the other ranks on the next one. `validation` are the losses of
  // the held-out samples, for the guard; empty: it is not asked.
  void next_epoch(std::span<const float> validation);
  std::vector<uint8_t> save() const;

 private:
  struct Destroy {
    void operator()(gossBatchPlanner* planner) const { gossBatchPlannerDestroy(planner); }
  };

  void exchange();
  gossBatch_t describe(uint64_t step);

  Ranks& ranks_;
  std::unique_ptr<gossBatchPlanner, Destroy> planner_;
  std::vector<uint32_t> samples_;
  std::vector<float> weights_;
};

class Precision {
 public:
  explicit Precision(const gossPrecisionConfig_t& config);
  explicit Precision(std::span<const uint8_t> state);

  gossDecision_t decide(std::span<const gossBucket_t> buckets, std::span<const float> validation);
  std::vector<int> bits() const;  // one per bucket
  std::string header() const;     // lines of its log
  std::string line() const;
  std::vector<uint8_t> save() const;

 private:
  struct Destroy {
    void operator()(gossPrecision* controller) const { gossPrecisionDestroy(controller); }
  };
  std::unique_ptr<gossPrecision, Destroy> controller_;
};

}  // namespace goss::train
