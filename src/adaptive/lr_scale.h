// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How the learning rate follows the batch, for the planner and gossLrScale.
#pragma once

#include "gossamer/adaptive.h"

namespace goss::adaptive {

// g(ratio), ratio = batch / reference batch.
double lr_scale_of(gossLrRule_t rule, double ratio);

// 1 + (g(ratio) - 1) * ramp, at most `most` unless that is 0.
double batch_lr_scale(gossLrRule_t rule, double ratio, double ramp, double most);

}  // namespace goss::adaptive
