// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// All-to-all: block s of the output of rank r = block r of the input of rank s.
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Every rank publishes each block to the rank that it is for: one step, n-1 blocks read per rank.
Schedule all_to_all_flat(const Shape& shape);

}  // namespace goss::collectives
