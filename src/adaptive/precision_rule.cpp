// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/precision_rule.h"

#include <algorithm>
#include <cmath>

#include "adaptive/config_struct.h"

namespace goss::adaptive {

namespace {

constexpr int kLadder[] = {8, 6, 5, 4, 3, 2};

Status refuse(const char* field, int value, const char* allowed) {
  return fail(gossInvalidArgument, "precision config : %s = %d (%s)", field, value, allowed);
}

// now / first, where both mean something.
double ratio(double now, double first) {
  if (!(first > 0) || !(now >= 0)) return 1;
  return now / first;
}

double flatness(const gossBucket_t& bucket) {
  return bucket.p50 > 0 ? (bucket.p90 - bucket.p10) / bucket.p50 : 0;
}

Status check_bits(const gossPrecisionConfig_t& c) {
  if (!on_ladder(c.maxBits)) return refuse("maxBits", c.maxBits, "8, 6, 5, 4, 3 or 2");
  if (!on_ladder(c.minBits)) return refuse("minBits", c.minBits, "8, 6, 5, 4, 3 or 2");
  if (c.minBits > c.maxBits) {
    return fail(gossInvalidArgument, "precision config : minBits = %d is above maxBits = %d",
                c.minBits, c.maxBits);
  }
  if (c.warmupBits != 32 && c.warmupBits != 16 && !on_ladder(c.warmupBits)) {
    return refuse("warmupBits", c.warmupBits, "32, 16, 8, 6, 5, 4, 3 or 2");
  }
  return {};
}

Status check_epochs(const gossPrecisionConfig_t& c) {
  if (c.warmupEpochs < 0) return refuse("warmupEpochs", c.warmupEpochs, "0 or more");
  if (c.reduceEvery < 1) return refuse("reduceEvery", c.reduceEvery, "1 or more");
  if (c.reduceEveryMax < c.reduceEvery) {
    return fail(gossInvalidArgument,
                "precision config : reduceEveryMax = %d is below reduceEvery = %d",
                c.reduceEveryMax, c.reduceEvery);
  }
  if (c.holdEpochs < 1) return refuse("holdEpochs", c.holdEpochs, "1 or more");
  if (c.confirmEpochs < 1) return refuse("confirmEpochs", c.confirmEpochs, "1 or more");
  if (c.recoveryEpochs < 1) return refuse("recoveryEpochs", c.recoveryEpochs, "1 or more");
  return {};
}

}  // namespace

Status check(const gossPrecisionConfig_t& c) {
  const auto rule = static_cast<int>(c.rule);
  if (rule < gossPrecisionCombined || rule > gossPrecisionEpochs) {
    return refuse("rule", rule, "gossPrecisionCombined to gossPrecisionEpochs");
  }
  if (c.buckets < 1 || c.buckets > GOSS_MAX_BUCKETS) {
    return refuse("buckets", c.buckets, "1 to GOSS_MAX_BUCKETS");
  }
  GOSS_TRY(check_bits(c));
  GOSS_TRY(check_epochs(c));
  if (!(c.tolerance >= 0) || std::isinf(c.tolerance)) {
    return fail(gossInvalidArgument, "precision config : tolerance = %g (0 or more)", c.tolerance);
  }
  if (!(c.epochNoise >= 0) || std::isinf(c.epochNoise)) {
    return fail(gossInvalidArgument, "precision config : epochNoise = %g (0 or more)",
                c.epochNoise);
  }
  return {};
}

Result<gossPrecisionConfig_t> read_config(const gossPrecisionConfig_t* given) {
  GOSS_TRY(check_struct("precision config", "GOSS_PRECISION_CONFIG_INITIALIZER", given,
                        sizeof(gossPrecisionConfig_t)));
  gossPrecisionConfig_t config = *given;
  config.size = sizeof(config);
  GOSS_TRY(check(config));
  return config;
}

bool on_ladder(int bits) {
  return std::find(kLadder, std::end(kLadder), bits) != std::end(kLadder);
}

int step_down(int bits) {
  for (const int rung : kLadder) {
    if (rung < bits) return rung;
  }
  return kLadder[std::size(kLadder) - 1];
}

double importance(gossPrecisionRule_t rule, const gossBucket_t& now, const gossBucket_t& first) {
  if (now.losses == 0 || first.losses == 0) return 1;
  const double level = ratio(now.mean, first.mean);
  const double flat = ratio(flatness(now), flatness(first));
  switch (rule) {
    case gossPrecisionCombined: return std::sqrt(level * flat);
    case gossPrecisionLevel: return level;
    case gossPrecisionFlatness: return flat;
    case gossPrecisionEpochs: return 1;
  }
  return 1;  // no such rule: configs are checked
}

int wanted_bits(const gossPrecisionConfig_t& config, int bucket, double importance) {
  if (config.rule == gossPrecisionEpochs) return config.maxBits;
  double share = importance;
  for (int b = 0; b < bucket; ++b) share *= 0.5;
  const int span = config.maxBits - config.minBits;
  // Half bits round up, and so does 7, which is not on the ladder: never fewer bits than asked for.
  const int wanted = config.minBits + static_cast<int>(span * std::min(1.0, share) + 0.5);
  int bits = config.maxBits;
  for (const int rung : kLadder) {
    if (rung >= wanted && rung <= bits) bits = rung;
  }
  return bits;
}

}  // namespace goss::adaptive
