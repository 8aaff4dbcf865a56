// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The command line of goss-train.
#pragma once

#include <gossamer/adaptive.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "data/source.h"
#include "optimizer.h"
#include "sync.h"

namespace goss::train {

struct Options {
  DataOptions data;
  std::string network = "lenet";
  uint64_t seed = 1;  // of initial weights and of the order of samples
  int epochs = 10;
  Schedule schedule;
  OptimizerOptions optimizer;
  bool ada_scale = false;  // the rule of batches.lrRule otherwise
  gossBatchConfig_t batches = GOSS_BATCH_CONFIG_INITIALIZER;
  enum class Bounds { kOff, kMeasure, kApply };
  Bounds bounds = Bounds::kOff;  // of a rank's share of a batch, by memory and by throughput
  bool watch_precision = false;
  gossPrecisionConfig_t precision = GOSS_PRECISION_CONFIG_INITIALIZER;
  GradientCodec codec;
  bool gossip = false;  // models are mixed; gradients are summed otherwise
  gossGossipConfig_t gossip_config = GOSS_GOSSIP_CONFIG_INITIALIZER;
  MixOrder mix_order = MixOrder::kAdaptThenCombine;
  size_t bucket_kib = 1024;  // parts of the gradient that are exchanged; 0: all at once, after
  size_t micro_batch = 0;
  std::string checkpoint;         // folder; empty: none
  uint64_t checkpoint_every = 0;  // steps, besides the ends of epochs
  bool resume = false;
  std::string log;
  bool quiet = false;
};

// Nothing for --help and --version, which have been printed. Throws Failure.
std::optional<Options> parse_options(int argc, char** argv);

// Everything that decides what is computed; two runs with equal texts do the same.
nlohmann::json to_json(const Options& options);

}  // namespace goss::train
