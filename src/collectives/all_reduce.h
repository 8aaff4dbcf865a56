// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// All-reduce: output of every rank = input of rank 0 op input of rank 1 op ...
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Every rank publishes its input to all and reduces everything itself: one step, n-1 inputs read.
Schedule all_reduce_one_shot(const Shape& shape);

// Reduce-scatter, then all-gather, each by direct exchange: rank r reduces part r of all inputs and
// publishes it. Two steps, 2(n-1)/n of the bytes read per rank.
Schedule all_reduce_two_shot(const Shape& shape);

}  // namespace goss::collectives
