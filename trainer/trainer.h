// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The training loop. What to copy into a trainer of your own is in trainer.cpp: train_epoch() and
// train_step(). One object per rank, all in step.
#pragma once

#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>

#include "ada_scale.h"
#include "bounds.h"
#include "checkpoint.h"
#include "epoch_record.h"
#include "evaluation.h"
#include "log.h"
#include "model.h"
#include "options.h"
#include "planner.h"
#include "sync.h"

namespace goss::train {

class Trainer {
 public:
  // Goes on from a checkpoint where options and folder say so. `options` must outlive this.
  Trainer(const Options& options, Ranks& ranks, const Splits& data, std::unique_ptr<Model> model);

  // Until the last epoch, or until `stop` is set on any rank: then a checkpoint is written, where
  // there is a folder for it, and the answer is false.
  bool run(const std::atomic<bool>& stop);

 private:
  bool train_epoch(const std::atomic<bool>& stop);
  void train_step(uint64_t step);
  void end_epoch();
  void evaluate_models(EpochReport& report);

  // trainer_state.cpp
  void finish();
  void show_progress(const gossEpoch_t& epoch, uint64_t step);
  void describe_losses(EpochReport& report);
  void begin_record();
  bool stop_agreed(const std::atomic<bool>& stop, uint64_t step);
  void save();
  Snapshot snapshot();
  void restore(const Snapshot& snapshot);
  void notice_deaths();
  gossBatchConfig_t batch_config() const;
  nlohmann::json header();
  void introduce();
  uint64_t weights_hash();
  SyncCounters counters() const;  // of the whole run

  const Options& options_;
  Ranks& ranks_;
  const Splits& data_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Sync> sync_;
  Mixing* mixing_ = nullptr;  // sync_, where models are mixed
  Optimizer optimizer_;
  std::optional<Bounds> bounds_;
  std::optional<AdaScale> ada_scale_;
  std::optional<Planner> planner_;
  std::optional<Precision> precision_;
  std::optional<Checkpoints> checkpoints_;
  std::optional<Log> log_;     // rank 0
  nlohmann::json header_;      // first line of the log
  nlohmann::json last_epoch_;  // line of the last epoch

  std::vector<float> losses_;         // of the batch
  std::vector<float> sample_losses_;  // of this epoch, as this rank has seen them
  EpochRecord record_;                // of this epoch
  SyncCounters before_;               // of the processes before this one, when resumed
  uint64_t updates_ = 0;              // of the whole run
  std::optional<uint64_t> saved_at_;  // updates_ at the last checkpoint
  int noticed_ = 0;                   // generation of the ranks
  double best_validation_ = 0;        // accuracy
};

}  // namespace goss::train
