// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How the ranks come to one model. The loop tells when parts of the gradient are final and when the
// model was updated; what is exchanged, how and when is up to the implementation.
#pragma once

#include <gossamer/adaptive.h>

#include <memory>
#include <span>

#include "ranks.h"

namespace goss::train {

// Of all ranks alike, but for the times.
struct SyncCounters {
  uint64_t messages = 0;       // collectives
  uint64_t payload_bytes = 0;  // handed to the library by this rank
  uint64_t sent_bytes = 0;     // written by this rank for others to read
};

class Sync {
 public:
  virtual ~Sync() = default;

  // A step begins; `bits` is what the precision controller asks for in this batch.
  virtual void begin(const gossBatch_t& batch, int bits) = 0;
  // `part` of this rank's gradient is final. May return before it was exchanged.
  virtual void post(std::span<float> part) = 0;
  // The parts are what the optimizer shall see: sums over all ranks.
  virtual void finish() = 0;
  // The optimizer has made its step. Where models are mixed, here is the place.
  virtual void updated(std::span<float> weights) = 0;

  virtual SyncCounters counters() const = 0;
};

// Exact all-reduce of every part in fp32. With `overlap` parts travel on the library's thread while
// the rest is computed; without, each is complete when post() returns.
std::unique_ptr<Sync> make_all_reduce(const Ranks& ranks, bool overlap);

}  // namespace goss::train
