// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reduce: output of the root = input of rank 0 op input of rank 1 op ...
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Every rank publishes its input, the root reduces: one step, n-1 inputs read by the root.
Schedule reduce_flat(const Shape& shape);

// Reduce-scatter, then gather, each by direct exchange: rank r reduces part r of all inputs, and
// the root collects the parts. Two steps; (n-1)/n of the bytes read per rank, twice that by the
// root.
Schedule reduce_two_shot(const Shape& shape);

}  // namespace goss::collectives
