// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// AdaScale: how far the learning rate may follow a larger batch, from the noise of its gradient.
// Johnson, Agrawal, Gu, Guestrin, "AdaScale SGD: A User-Friendly Algorithm for Distributed
// Training" (ICML 2020); the moving averages are those of AdaptDL (Qiao et al., OSDI 2021). Pure
// functions of the caller's estimate; src/api checks the arguments.
#pragma once

#include "gossamer/adaptive.h"

namespace goss::adaptive {

void take_in(gossAdaScale_t& estimate, const gossGradientNorms_t& norms);
double gain(const gossAdaScale_t& estimate, double batch_ratio);

}  // namespace goss::adaptive
