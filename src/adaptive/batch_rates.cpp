// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/batch_rates.h"

#include <algorithm>
#include <cmath>

namespace goss::adaptive {

double rate_scale(gossRateRule_t rule, double scale) {
  switch (rule) {
    case gossRateLinear: return scale;
    case gossRateSqrt: return std::sqrt(scale);  // correctly rounded by IEEE 754
    case gossRateConstant: return 1;
  }
  return scale;  // no such rule: configs are checked
}

double batch_rate(gossRateRule_t rule, double scale, double ramp, double most) {
  const double gain = rate_scale(rule, scale);
  // Without a ramp exactly the gain, which 1 + (gain - 1) need not be.
  const double rate = ramp == 1 ? gain : 1 + (gain - 1) * ramp;
  return most > 0 ? std::min(rate, most) : rate;
}

}  // namespace goss::adaptive
