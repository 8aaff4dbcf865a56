// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Barrier: complete on no rank before all have started it.
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Every rank raises its flag and awaits all others': one step, n-1 flags read per rank.
Schedule barrier_flat(const Shape& shape);

}  // namespace goss::collectives
