// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// ValidationAlarm: has the validation loss really risen above its best epoch? Compares sample by
// sample with that epoch and asks that the lower 95 % bound of the mean difference is above 0. The
// bound holds for the whole run at once: it allows for the scatter of samples, for the scatter of
// whole epochs, for the luck of the best of many epochs, and for asking after every epoch.
// PrecisionController owns one. What it keeps of an epoch is an Evidence, so a log can be replayed
// without the losses.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "adaptive/state.h"

namespace goss::adaptive {

struct Evidence {
  uint64_t count = 0;   // validation samples; 0: the epoch was not validated
  double loss = 0;      // their mean loss
  double rise = 0;      // mean of the paired differences to the best epoch before; 0 without one
  double variance = 0;  // of that mean
};

struct Verdict {
  bool best = false;   // a new best epoch
  bool alarm = false;  // the bound is above 0, and the rise above the tolerance
  double bound = 0;
};

class ValidationAlarm {
 public:
  ValidationAlarm() = default;
  // Both are shares of the best loss: a rise below `tolerance` is none; epochs are assumed to
  // scatter by `epoch_noise` (a standard deviation) at least.
  ValidationAlarm(double tolerance, double epoch_noise)
      : tolerance_(tolerance), epoch_noise_(epoch_noise) {}

  uint64_t count() const { return count_; }
  uint64_t best_epoch() const { return best_epoch_; }
  Evidence compare(std::span<const float> losses) const;
  // Takes the epoch in. Nothing happens when it was not validated.
  Verdict judge(uint64_t epoch, const Evidence& evidence);
  // The losses behind a Verdict with `best`. A replay has none and never compares.
  void keep_best(std::span<const float> losses) { best_.assign(losses.begin(), losses.end()); }

  void put(StateWriter& state) const;
  static ValidationAlarm get(StateReader& state, double tolerance, double epoch_noise);

 private:
  double epoch_deviation() const;

  double tolerance_ = 0;
  double epoch_noise_ = 0;
  uint64_t count_ = 0;   // samples, the same in every epoch
  uint64_t judged_ = 0;  // epochs
  uint64_t best_epoch_ = 0;
  double best_loss_ = 0;
  std::vector<float> best_;      // losses of the best epoch
  std::vector<double> history_;  // mean losses of the last epochs without an alarm
};

}  // namespace goss::adaptive
