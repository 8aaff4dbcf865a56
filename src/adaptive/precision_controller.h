// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// PrecisionController: the bits of every bucket, epoch by epoch. Fewer with the losses and with the
// epochs; all of them again when the validation loss rises, in case too few bits were the cause.
// Whether they were shows in whether the loss comes down again. A state machine without input or
// output; precision_log.h writes and replays what it does.
// One thread at a time. Called by src/api only.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "adaptive/state.h"
#include "adaptive/validation_alarm.h"
#include "base/result.h"
#include "gossamer/adaptive.h"

namespace goss::adaptive {

const char* to_string(gossPrecisionEvent_t event);

class PrecisionController {
 public:
  // A checked config.
  explicit PrecisionController(const gossPrecisionConfig_t& config);
  static Result<PrecisionController> restore(std::span<const std::byte> state);
  std::vector<std::byte> save() const;
  uint64_t hash() const;

  const gossPrecisionConfig_t& config() const { return config_; }
  std::span<const int> bits() const { return {bits_.data(), static_cast<size_t>(config_.buckets)}; }
  // Buckets of the epoch to come; none are needed while that is one of warm-up.
  bool needs_buckets() const { return epoch_ + 1 >= warmup(); }

  // From losses: checks, compares with the best epoch, decides.
  Status decide(std::span<const gossBucket_t> buckets, std::span<const float> losses);
  // From what was made of them, as a log has it.
  Status decide(std::span<const gossBucket_t> buckets, const Evidence& evidence);

  // The last decision and what it rests on. decision().size is not set.
  bool decided() const { return epoch_ > 0; }
  const gossDecision_t& decision() const { return decision_; }
  const Evidence& evidence() const { return evidence_; }
  std::span<const gossBucket_t> buckets() const { return buckets_; }

 private:
  enum class Phase : uint32_t { kWatching, kRecovering, kMuted };

  uint64_t warmup() const { return static_cast<uint64_t>(config_.warmupEpochs); }
  Status check_buckets(std::span<const gossBucket_t> buckets) const;
  gossPrecisionEvent_t react(const Verdict& verdict);
  gossPrecisionEvent_t watch(const Verdict& verdict);
  gossPrecisionEvent_t recover(const Verdict& verdict);
  void reset();
  bool step(gossPrecisionEvent_t event);
  void lower(bool stepped);
  void choose_bits(gossPrecisionEvent_t event);
  void put(StateWriter& state) const;
  void read(StateReader& state);

  gossPrecisionConfig_t config_;
  ValidationAlarm alarm_;
  uint64_t epoch_ = 0;  // the one that is running
  Phase phase_ = Phase::kWatching;
  int cap_;
  int every_;              // epochs between two steps down, now
  int every_before_;       // as it was before the last reset
  uint64_t waited_ = 0;    // epochs since the last step down
  uint64_t suspects_ = 0;  // alarms in a row
  uint64_t resets_ = 0;
  uint64_t since_reset_ = 0;
  double rise_at_reset_ = 0;
  bool has_first_ = false;
  std::array<gossBucket_t, GOSS_MAX_BUCKETS> first_{};  // in the first epoch of buckets
  std::array<int, GOSS_MAX_BUCKETS> bits_{};

  gossDecision_t decision_{};
  Evidence evidence_;
  std::vector<gossBucket_t> buckets_;
};

}  // namespace goss::adaptive
