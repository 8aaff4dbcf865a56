// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gather: block r of the root's output = input of rank r.
// Scatter: output of rank r = block r of the root's input.
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Every rank publishes its input to the root: one step, n-1 blocks read by the root.
Schedule gather_flat(const Shape& shape);

// The root publishes each block to the rank that it is for: one step, one block read per rank.
Schedule scatter_flat(const Shape& shape);

}  // namespace goss::collectives
