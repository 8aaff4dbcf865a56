// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/ada_scale.h"

#include <algorithm>

#include "adaptive/portable_math.h"

namespace goss::adaptive {

namespace {

constexpr double kLogDecay = -0.0010005003335835335;  // ln 0.999, per reference batch
constexpr double kLeastVariance = 1e-6;               // AdaptDL's; it keeps gain() from 0 / 0

}  // namespace

// A part is the true gradient and noise, so of n parts the mean square exceeds the square of the
// mean by (n - 1) / n of a part's noise. Both differences are unbiased; one may come out negative,
// which is why only their averages are clamped.
void take_in(gossAdaScale_t& estimate, const gossGradientNorms_t& norms) {
  const double others = norms.parts - 1;
  const double signal = (norms.parts * norms.mean_squares - norms.part_squares) / others;
  const double variance = (norms.part_squares - norms.mean_squares) * norms.batch_ratio / others;
  const double decay = portable_exp(kLogDecay * norms.batch_ratio);
  estimate.weight = decay * estimate.weight + (1 - decay);
  estimate.signal = decay * estimate.signal + (1 - decay) * signal;
  estimate.variance = decay * estimate.variance + (1 - decay) * variance;
}

double gain(const gossAdaScale_t& estimate, double batch_ratio) {
  if (estimate.weight == 0) return 1;
  const double signal = std::max(0.0, estimate.signal / estimate.weight);
  const double variance = std::max(kLeastVariance, estimate.variance / estimate.weight);
  return (variance + signal) / (variance / batch_ratio + signal);
}

}  // namespace goss::adaptive
