// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What an epoch was like: the numbers behind its line in the log.
#pragma once

#include <gossamer/adaptive.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation.h"
#include "sync.h"

namespace goss::train {

// Plain data: a checkpoint in the middle of an epoch holds it as bytes.
struct EpochRecord {
  uint64_t updates = 0;
  uint64_t messages_before = 0;  // of the run, when the epoch began
  uint64_t payload_before = 0;
  uint64_t sent_before = 0;
  double step_s = 0;     // of the updates, everything included
  double exposed_s = 0;  // of that, posting what is exchanged and waiting for it
  double evaluate_s = 0;
  uint64_t trained = 0;    // samples whose losses this rank has recorded
  double codec_error = 0;  // Sync::error(), summed over the updates
};

// What only models that are mixed have.
struct MixedEpoch {
  double worst_accuracy = 0;    // of validation, of the worst of the ranks' own models
  uint64_t evaluate_bytes = 0;  // handed to the library by a rank to average copies of the models
  MixReport mixing;
};

// Everything there is to say about an epoch.
struct EpochReport {
  gossEpoch_t plan;
  std::vector<gossBucket_t> buckets;
  std::vector<int> bits;  // that the controller asked for; empty without one
  EpochRecord record;
  SyncCounters counters;  // of the run
  Evaluation validation;
  Evaluation test;
  std::vector<float> curve;       // loss_curve
  double loss = 0;                // mean training loss, of the forward passes of training
  double difficulty_correlation;  // 0 where there are no difficulties
  std::optional<gossDecision_t> decision;
  std::string precision_line;  // of the controller's own log
  std::optional<MixedEpoch> mixed;
  int ranks = 1;  // living
};

nlohmann::json to_json(const EpochReport& report);
std::string to_line(const EpochReport& report);

// The per-sample losses of an epoch in descending order, at 0, 1/64, ..., 1 of the way.
std::vector<float> loss_curve(std::span<const float> losses);

// Pearson's correlation of the ranks of losses with difficulties (Spearman's, ties in any order);
// 0 where one of them does not vary.
double rank_correlation(std::span<const float> losses, std::span<const uint8_t> difficulty);

}  // namespace goss::train
