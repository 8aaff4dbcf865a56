// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Bits: the ladder of allowed numbers, and what the losses of a bucket ask for. Pure functions.
#pragma once

#include "base/result.h"
#include "gossamer/adaptive.h"

namespace goss::adaptive {

// The caller's struct as this version knows it, every field checked.
Result<gossPrecisionConfig_t> read_config(const gossPrecisionConfig_t* given);
// What is wrong with it, if anything.
Status check(const gossPrecisionConfig_t& config);

// Names and places of the fields of a config but its rule, in the order in which logs and states
// have them.
template <class Visit>
void visit_fields(gossPrecisionConfig_t& c, Visit visit) {
  visit("buckets", c.buckets);
  visit("warmupEpochs", c.warmupEpochs);
  visit("warmupBits", c.warmupBits);
  visit("maxBits", c.maxBits);
  visit("minBits", c.minBits);
  visit("reduceEvery", c.reduceEvery);
  visit("reduceEveryMax", c.reduceEveryMax);
  visit("holdEpochs", c.holdEpochs);
  visit("confirmEpochs", c.confirmEpochs);
  visit("recoveryEpochs", c.recoveryEpochs);
  visit("tolerance", c.tolerance);
  visit("epochNoise", c.epochNoise);
}

bool on_ladder(int bits);
// The next allowed number below; 2 below 2.
int step_down(int bits);

// How much a bucket matters: what the rule measures, relative to `first`, the same bucket in the
// first epoch of buckets. 1 where there is nothing to compare.
double importance(gossPrecisionRule_t rule, const gossBucket_t& now, const gossBucket_t& first);

// minBits + (maxBits - minBits) * min(1, importance * 2^-bucket), rounded, up to the ladder.
int wanted_bits(const gossPrecisionConfig_t& config, int bucket, double importance);

}  // namespace goss::adaptive
