// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How the learning rate follows the batch, for the planner and gossRateScale.
#pragma once

#include "gossamer/adaptive.h"

namespace goss::adaptive {

// g(scale), scale = batch / reference.
double rate_scale(gossRateRule_t rule, double scale);

// 1 + (g(scale) - 1) * ramp, at most `most` unless that is 0.
double batch_rate(gossRateRule_t rule, double scale, double ramp, double most);

}  // namespace goss::adaptive
