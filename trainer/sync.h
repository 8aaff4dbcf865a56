// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How the ranks come to one model. The loop tells when parts of the gradient are final; what is
// exchanged, how and when, and when the optimizer makes its step, is up to the implementation.
// All-reduce sums gradients, exactly or compressed (all_reduce.cpp); gossip mixes models
// (gossip.cpp).
#pragma once

#include <gossamer/adaptive.h>
#include <gossamer/gossip.h>

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "ranks.h"

namespace goss::train {

// With all-reduce the same on all ranks.
struct SyncCounters {
  uint64_t messages = 0;       // calls of the library
  uint64_t payload_bytes = 0;  // handed to the library by this rank
  uint64_t sent_bytes = 0;     // written by this rank for others to read
};

// Elements [begin, end) of weights and gradient.
struct Part {
  size_t begin = 0;
  size_t end = 0;
  size_t size() const { return end - begin; }
};

// What is known of a step when it begins.
struct StepPlan {
  uint64_t step = 0;  // of the run
  int bits = 32;      // what the precision controller asks for in this batch
  float unit = 1;     // of the gradient in units of weights, see Optimizer::unit()
};

struct Snapshot;

class Sync {
 public:
  // Makes the optimizer's step for a part of the weights, with the gradient that is there.
  using Update = std::function<void(Part)>;

  virtual ~Sync() = default;

  // `update` is called once for every element until finish() returns.
  virtual void begin(const StepPlan& plan, const Update& update) = 0;
  // This rank's gradient is final there. The same parts in the same order on every rank.
  virtual void post(Part part) = 0;
  // All parts were posted; behind it, all were updated.
  virtual void finish() = 0;
  // Behind it the weights are at rest until the next begin(), not only to compute gradients.
  virtual void settle() {}

  // By what the loop divides the gradient that it sees in `update`.
  virtual double samples(const gossBatch_t& batch) const = 0;
  virtual SyncCounters counters() const = 0;
  // Expected squared error over squared sum of the gradients that were compressed in the last step.
  virtual double error() const { return 0; }

  // What this rank needs besides the weights to go on with the same bits.
  virtual void save(Snapshot&) const {}
  virtual void restore(const Snapshot&) {}
};

// Where the models are: weights and gradient, flat, for the life of the model.
struct Flat {
  std::span<float> weights;
  std::span<float> gradient;
};

// How gradients travel.
struct GradientCodec {
  std::string wish = "none";         // of gossamer/compression.h; adaptive: intN for N bits
  std::string feedback = "float32";  // how what a codec takes away is kept: float32, int8, none
  uint64_t seed = 0;                 // of stochastic rounding
};

// All-reduce of every part. With `overlap` parts travel on the library's thread while the rest is
// computed; without, each is complete when post() returns.
std::unique_ptr<Sync> make_all_reduce(const Ranks& ranks, const Flat& flat, bool overlap,
                                      const GradientCodec& codec);

// When the models are mixed; W is the mixing matrix of the step, g the optimizer's step.
enum class MixOrder {
  kCombineThenAdapt,  // x <- W x - g(x): the model travels while the gradient is computed
  kAdaptThenCombine,  // x <- W (x - g(x)): models stay nearer to one another
  kLayerwise          // the same part by part, each as soon as its gradient is final
};

struct MixReport {
  double disagreement = 0;  // root mean square of (partner - own) in the last mix
  uint64_t skipped = 0;     // exchanges without a partner, of this process
};

class Mixing : public Sync {
 public:
  virtual MixReport report() const = 0;
};

// The loop's rank numbers follow the living; the mixing itself knows who lives by its own means.
std::unique_ptr<Mixing> make_gossip(const Ranks& ranks, const Flat& flat,
                                    const gossGossipConfig_t& config, MixOrder order);

}  // namespace goss::train
