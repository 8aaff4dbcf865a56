// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Schedules that only make sense where what is published travels as messages: bytes that were
// received are passed on, and a part may be published more than once.
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// Part p starts at rank p + 1 and is reduced at every rank on its way to rank p, whose result is
// handed round the same way: 2(n-1) steps between neighbours only. Sums are in the order of the
// ring, p + 1, p + 2, .., p, and not in rank order.
Schedule forwarding_all_reduce_ring(const Shape& shape);

// The root gives each rank one part, and each rank gives its part to all others: the root sends the
// vector little more than once, where flat it sends n-1 times.
Schedule forwarding_broadcast(const Shape& shape);

}  // namespace goss::collectives
