// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/precision_controller.h"

#include <algorithm>
#include <cmath>

#include "adaptive/paired.h"
#include "adaptive/precision_rule.h"

namespace goss::adaptive {

const char* to_string(gossPrecisionEvent_t event) {
  switch (event) {
    case gossPrecisionWarmup: return "warm-up";
    case gossPrecisionWatching: return "watching";
    case gossPrecisionSuspected: return "suspected";
    case gossPrecisionReset: return "reset";
    case gossPrecisionHolding: return "holding";
    case gossPrecisionRecovered: return "recovered";
    case gossPrecisionNotCause: return "not precision";
    case gossPrecisionMuted: return "muted";
  }
  return "unknown event";
}

PrecisionController::PrecisionController(const gossPrecisionConfig_t& config)
    : config_(config),
      alarm_(config.tolerance, config.epochNoise),
      cap_(config.maxBits),
      every_(config.reduceEvery),
      every_before_(config.reduceEvery) {
  const int bits = warmup() > 0 ? config.warmupBits : config.maxBits;
  std::fill_n(bits_.begin(), config.buckets, bits);
}

// ---- what happened

gossPrecisionEvent_t PrecisionController::react(const Verdict& verdict) {
  if (epoch_ < warmup()) return gossPrecisionWarmup;
  if (resets_ > 0) ++since_reset_;
  switch (phase_) {
    case Phase::kWatching: return watch(verdict);
    case Phase::kRecovering: return recover(verdict);
    case Phase::kMuted: break;
  }
  if (!verdict.best) return gossPrecisionMuted;
  phase_ = Phase::kWatching;
  return gossPrecisionWatching;
}

gossPrecisionEvent_t PrecisionController::watch(const Verdict& verdict) {
  if (evidence_.count == 0) return gossPrecisionWatching;
  suspects_ = verdict.alarm ? suspects_ + 1 : 0;
  if (!verdict.alarm) return gossPrecisionWatching;
  if (suspects_ < static_cast<uint64_t>(config_.confirmEpochs)) return gossPrecisionSuspected;
  suspects_ = 0;
  const auto all_bits = bits();
  if (std::all_of(all_bits.begin(), all_bits.end(), [&](int b) { return b >= config_.maxBits; })) {
    phase_ = Phase::kMuted;
    return gossPrecisionNotCause;
  }
  reset();
  return gossPrecisionReset;
}

void PrecisionController::reset() {
  phase_ = Phase::kRecovering;
  ++resets_;
  since_reset_ = 0;
  rise_at_reset_ = evidence_.rise;
  every_before_ = every_;
  // Halved, so that nothing overflows.
  every_ = every_ > config_.reduceEveryMax / 2 ? config_.reduceEveryMax : 2 * every_;
  cap_ = config_.maxBits;
  waited_ = 0;
}

// Half the rise is several times what epochs scatter by, or there would have been no alarm; so a
// lucky epoch does not pass for a recovery.
gossPrecisionEvent_t PrecisionController::recover(const Verdict& verdict) {
  if (evidence_.count == 0) return gossPrecisionHolding;  // it cannot be told
  if (verdict.best || evidence_.rise <= rise_at_reset_ / 2) {
    phase_ = Phase::kWatching;
    return gossPrecisionRecovered;
  }
  if (since_reset_ < static_cast<uint64_t>(config_.recoveryEpochs)) return gossPrecisionHolding;
  phase_ = Phase::kMuted;
  every_ = every_before_;  // it was not to blame
  return gossPrecisionNotCause;
}

// ---- what follows

// Counts an epoch towards the next step down; true when the step is due.
bool PrecisionController::step(gossPrecisionEvent_t event) {
  const bool held = resets_ > 0 && since_reset_ < static_cast<uint64_t>(config_.holdEpochs);
  if (event == gossPrecisionSuspected || event == gossPrecisionHolding || held) return false;
  if (++waited_ < static_cast<uint64_t>(every_)) return false;
  waited_ = 0;
  cap_ = std::max(config_.minBits, step_down(cap_));
  return true;
}

// Bits fall to what losses and epochs allow. After a reset they fall by one step at a time: what
// the losses asked for was too little once.
void PrecisionController::lower(bool stepped) {
  for (int b = 0; b < config_.buckets; ++b) {
    const auto at = static_cast<size_t>(b);
    const double weight = importance(config_.rule, buckets_[at], first_[at]);
    int wanted = std::min(wanted_bits(config_, b, weight), cap_);
    if (resets_ > 0) wanted = std::max(wanted, stepped ? step_down(bits_[at]) : bits_[at]);
    bits_[at] = std::min(bits_[at], std::max(wanted, config_.minBits));
  }
}

void PrecisionController::choose_bits(gossPrecisionEvent_t event) {
  if (epoch_ + 1 < warmup()) return;
  if (!has_first_) {
    std::copy(buckets_.begin(), buckets_.end(), first_.begin());
    has_first_ = true;
    std::fill_n(bits_.begin(), config_.buckets, config_.maxBits);
    lower(false);
    return;
  }
  if (event == gossPrecisionReset) {
    std::fill_n(bits_.begin(), config_.buckets, config_.maxBits);
    return;
  }
  const bool recovering = event == gossPrecisionSuspected || event == gossPrecisionHolding;
  const bool stepped = step(event);
  if (!recovering) lower(stepped);
}

Status PrecisionController::check_buckets(std::span<const gossBucket_t> buckets) const {
  if (!needs_buckets()) return {};
  if (buckets.size() != static_cast<size_t>(config_.buckets)) {
    return fail(
        gossInvalidArgument,
        "precision controller : %zu buckets after epoch %llu, the config says %d: give those "
        "of the planner after its exchange",
        buckets.size(), static_cast<unsigned long long>(epoch_), config_.buckets);
  }
  for (size_t b = 0; b < buckets.size(); ++b) {
    const gossBucket_t& bucket = buckets[b];
    for (const double number : {bucket.mean, bucket.p10, bucket.p50, bucket.p90}) {
      if (std::isfinite(number)) continue;
      return fail(gossInvalidArgument,
                  "precision controller : bucket %zu has a loss of %g after epoch %llu", b, number,
                  static_cast<unsigned long long>(epoch_));
    }
  }
  return {};
}

Status PrecisionController::decide(std::span<const gossBucket_t> buckets,
                                   std::span<const float> losses) {
  if (!losses.empty() && alarm_.count() != 0 && losses.size() != alarm_.count()) {
    return fail(gossInvalidArgument,
                "precision controller : %zu validation losses, %llu in the epochs before: it needs "
                "the same samples in the same order",
                losses.size(), static_cast<unsigned long long>(alarm_.count()));
  }
  GOSS_TRY(check_finite("precision controller", losses));
  const uint64_t ended = epoch_;
  GOSS_TRY(decide(buckets, alarm_.compare(losses)));
  if (evidence_.count > 0 && alarm_.best_epoch() == ended) alarm_.keep_best(losses);
  return {};
}

Status PrecisionController::decide(std::span<const gossBucket_t> buckets,
                                   const Evidence& evidence) {
  GOSS_TRY(check_buckets(buckets));
  const bool used = needs_buckets();
  buckets_.assign(buckets.begin(), used ? buckets.end() : buckets.begin());
  evidence_ = evidence;
  const Verdict verdict = alarm_.judge(epoch_, evidence);
  const gossPrecisionEvent_t event = react(verdict);
  choose_bits(event);
  decision_ = {};
  decision_.epoch = epoch_;
  decision_.event = event;
  decision_.buckets = config_.buckets;
  std::copy(bits_.begin(), bits_.end(), decision_.bits);
  decision_.cap = cap_;
  decision_.reduce_every = every_;
  decision_.resets = resets_;
  decision_.best_epoch = alarm_.best_epoch();
  decision_.loss = evidence.loss;
  decision_.rise = evidence.rise;
  decision_.bound = verdict.bound;
  ++epoch_;
  return {};
}

}  // namespace goss::adaptive
