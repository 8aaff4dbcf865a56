// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// SGD with momentum, Adam, and the learning rate over the samples of a run. Plain loops over flat
// buffers; every rank does the same with the same numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace goss::train {

struct OptimizerOptions {
  std::string name = "sgd";  // sgd, adam
  double momentum = 0.9;     // sgd
  double weight_decay = 0;
};

// The update of one step: sum of gradients over `real` samples, learning rate `rate`.
struct Step {
  std::span<const float> gradient;
  double real = 1;
  double rate = 0;
};

class Optimizer {
 public:
  Optimizer(const OptimizerOptions& options, size_t parameters);

  // sgd: v = momentum * v + rate * gradient / real; weights -= v. The velocity is in units of
  // updates: a batch with another learning rate does not change what earlier batches weigh.
  void apply(const Step& step, std::span<float> weights) {
    advance();
    apply(step, weights, 0, weights.size());
  }
  // The same in parts, [begin, end) of weights and gradient; advance() comes before the first.
  void advance() { ++steps_; }
  void apply(const Step& step, std::span<float> weights, size_t begin, size_t end);

  // What a gradient, summed over `real` samples, is multiplied by in units that do not change from
  // batch to batch: those of weights (sgd), or of the mean gradient (adam, which has no others).
  double unit(double rate, double real) const;

  // What a checkpoint holds.
  std::vector<std::vector<float>>& buffers() { return buffers_; }
  uint64_t& steps() { return steps_; }

 private:
  void sgd(const Step& step, std::span<float> weights, size_t begin, size_t end);
  void adam(const Step& step, std::span<float> weights, size_t begin, size_t end);

  OptimizerOptions options_;
  std::vector<std::vector<float>> buffers_;  // velocity, or first and second moments
  uint64_t steps_ = 0;
};

// Indexed by samples and not by steps, so that runs with other batches decay alike; and by the
// share of an epoch's samples, so that an epoch that leaves some out is still a whole one.
struct Schedule {
  double rate = 0.05;    // of the reference batch
  double warmup = 0.05;  // share of the run in which the rate rises from 0
  bool cosine = true;    // then falls to 0, or stays

  // `part` of the run is done, 0 to 1.
  double at(double part) const;
};

}  // namespace goss::train
