// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/lr_scale.h"

#include <algorithm>
#include <cmath>

namespace goss::adaptive {

double lr_scale_of(gossLrRule_t rule, double ratio) {
  switch (rule) {
    case gossLrLinear: return ratio;
    case gossLrSqrt: return std::sqrt(ratio);  // correctly rounded by IEEE 754
    case gossLrConstant: return 1;
  }
  return ratio;  // no such rule: configs are checked
}

double batch_lr_scale(gossLrRule_t rule, double ratio, double ramp, double most) {
  const double full = lr_scale_of(rule, ratio);
  // Without a ramp exactly g, which 1 + (g - 1) need not be.
  const double scale = ramp == 1 ? full : 1 + (full - 1) * ramp;
  return most > 0 ? std::min(scale, most) : scale;
}

}  // namespace goss::adaptive
