// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// LabelGuard: notices that learning the hard samples does not help with hard samples that were held
// out, as happens when they are hard because their labels are wrong. It follows the hard part of
// the validation samples; when its loss does not fall for some epochs, half of the hard bucket, and
// later all of it, is to go back to random batches. The planner owns one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "adaptive/state.h"
#include "base/result.h"

namespace goss::adaptive {

class LabelGuard {
 public:
  LabelGuard() = default;
  // `share`: of the validation samples, which are followed. `patience`: epochs; 0: never acts.
  LabelGuard(double share, int patience) : share_(share), patience_(patience) {}

  // The losses of an epoch. While `choosing`, they only help to choose whom to follow.
  Status observe(std::span<const float> losses, bool choosing);
  // Share of the hard bucket that goes to random batches: 0, 0.5 or 1.
  double excess() const { return 0.5 * halves_; }

  void put(StateWriter& state) const;
  static LabelGuard get(StateReader& state, double share, int patience);

 private:
  void choose();

  double share_ = 0;
  int patience_ = 0;
  std::vector<double> sums_;    // of the losses seen while choosing
  std::vector<uint32_t> hard_;  // followed samples, ascending; empty while choosing
  std::vector<float> best_;     // their losses in the best epoch
  uint64_t count_ = 0;          // validation samples
  uint32_t waited_ = 0;         // epochs since the best one
  uint32_t halves_ = 0;
};

}  // namespace goss::adaptive
