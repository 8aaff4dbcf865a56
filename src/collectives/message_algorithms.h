// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Algorithms for ranks that exchange messages, beside the direct ones, which are those of shared
// memory as messages (as_messages). Rows: registry.h.
#pragma once

#include "collectives/message_schedule.h"

namespace goss::collectives {

// Each part goes round and is summed, then goes round again.
MessageSchedule all_reduce_ring(const Shape& shape);
MessageSchedule reduce_scatter_ring(const Shape& shape);
MessageSchedule all_gather_ring(const Shape& shape);
// Whole vectors between ranks at distances 1, 2, 4, ...
MessageSchedule all_reduce_recursive_doubling(const Shape& shape);
// Halves, quarters, ... there and back again.
MessageSchedule all_reduce_halving_doubling(const Shape& shape);
// Along a tree whose levels are the bits of the distance to the root.
MessageSchedule broadcast_binomial(const Shape& shape);
MessageSchedule reduce_binomial(const Shape& shape);
// Everybody to the rank at distance 1, 2, 4, ...: the last has heard of all.
MessageSchedule barrier_dissemination(const Shape& shape);
// All that a rank has to the rank at distance 1, 2, 4, ...
MessageSchedule all_gather_bruck(const Shape& shape);
// Blocks travel along the bits of their distance.
MessageSchedule all_to_all_bruck(const Shape& shape);
// In round d to the rank at distance d, from the one at distance -d.
MessageSchedule all_to_all_pairwise(const Shape& shape);

}  // namespace goss::collectives
