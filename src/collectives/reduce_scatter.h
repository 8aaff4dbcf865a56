// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reduce-scatter: output of rank r = block r of input 0 op block r of input 1 op ...
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Every rank publishes each block to the rank that reduces it: one step, n-1 blocks read per rank.
Schedule reduce_scatter_flat(const Shape& shape);

}  // namespace goss::collectives
