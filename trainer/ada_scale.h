// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// AdaScale: how much of linear scaling the noise of the gradients allows, one estimate per bucket.
#pragma once

#include <gossamer/adaptive.h>

#include <array>
#include <span>

#include "ranks.h"

namespace goss::train {

class AdaScale {
 public:
  explicit AdaScale(Ranks& ranks);  // throws Failure with one rank

  // The own gradient, a sum over this rank's samples, before it is reduced; and the sum of all.
  // `learning_rate_factor` is what the rate of this batch is multiplied by.
  void local(std::span<const float> gradient);
  double learning_rate_factor(const gossBatch_t& batch, std::span<const float> gradient);

  std::span<gossAdaScale_t> state() { return estimates_; }

 private:
  Ranks& ranks_;
  std::array<gossAdaScale_t, GOSS_MAX_BUCKETS> estimates_;
  double local_square_ = 0;
};

}  // namespace goss::train
