// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// All-gather: block r of every output = input of rank r.
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Every rank publishes its input to all: one step, n-1 blocks read per rank.
Schedule all_gather_flat(const Shape& shape);

}  // namespace goss::collectives
