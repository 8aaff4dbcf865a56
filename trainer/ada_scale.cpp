// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "ada_scale.h"

#include "check.h"

namespace goss::train {

namespace {

double square(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return sum;
}

}  // namespace

AdaScale::AdaScale(Ranks& ranks) : ranks_(ranks) {
  if (ranks.count() < 2) {
    throw Failure("--lr-rule adascale compares the gradients of ranks: start two or more");
  }
  estimates_.fill(GOSS_ADASCALE_INITIALIZER);
}

void AdaScale::local(std::span<const float> gradient) { local_square_ = square(gradient); }

double AdaScale::learning_rate_factor(const gossBatch_t& batch, std::span<const float> gradient) {
  const double n = ranks_.count();
  const double real = static_cast<double>(batch.real);
  double squares = local_square_;
  ranks_.sum(std::span(&squares, 1));
  gossGradientNorms_t norms{};
  norms.parts = ranks_.count();
  // Of means over a rank's real / n samples: n / real times its sum.
  norms.part_squares = squares / n * (n / real) * (n / real);
  norms.mean_squares = square(gradient) / (real * real);
  norms.batch_ratio = batch.batch_ratio;
  gossAdaScale_t& estimate = estimates_[static_cast<size_t>(batch.bucket)];
  check(gossAdaScaleUpdate(&estimate, &norms), "AdaScale");
  double gain = 1;
  check(gossAdaScaleGain(&estimate, batch.batch_ratio, &gain), "AdaScale");
  return 1 + (gain - 1) * batch.lr_ramp;
}

}  // namespace goss::train
